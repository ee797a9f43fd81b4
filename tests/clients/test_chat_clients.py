"""The real OpenCode and Qwen Code on chat completions: one loop that writes a file, and a prompt that only grows."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from landline.config.settings import Backend, Gateway, Settings
from landline.core.exchange import Outcome
from landline.server.run import running_gateway
from tests.clients.claude import NOWHERE, kill
from tests.clients.npm_clients import OPENCODE, QWEN_CODE
from tests.clients.scene import check_append_only
from tests.clients.tap import Tap
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer
from tests.fakes.openai_streams import check_chat

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]

MODEL = "local"
TIMEOUT_S = 90.0
PROMPT = "create hello.txt"


@dataclass(frozen=True)
class Client:
    """`write` is its tool to write a file, with the names of its arguments; `start` gives command and environment."""

    write: str
    path: str
    start: Callable[[Path, str], tuple[list[str], dict[str, str]]]


def opencode(project: Path, url: str) -> tuple[list[str], dict[str, str]]:
    options = {"baseURL": f"{url}/v1", "apiKey": "dummy"}
    limit = {"context": 131_072, "output": 8_192}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {MODEL: {"limit": limit}}}
    config = {
        "model": f"own/{MODEL}",
        "small_model": f"own/{MODEL}",
        "autoupdate": False,
        "provider": {"own": provider},
    }
    (project / "opencode.json").write_text(json.dumps(config))
    return [str(OPENCODE.path()), "run", PROMPT], {"HTTPS_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1"}


def qwen_code(project: Path, url: str) -> tuple[list[str], dict[str, str]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    environment = {"OPENAI_API_KEY": "dummy", "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": MODEL}
    return [node, str(QWEN_CODE.path()), "-y", "--auth-type", "openai", PROMPT], environment


CLIENTS = {
    "opencode": Client("write", "filePath", opencode),
    "qwen_code": Client("write_file", "file_path", qwen_code),
}


async def run(root: Path, command: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code, and all that the client printed."""
    (root / "tmp").mkdir()
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=root / "project",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "TMPDIR": str(root / "tmp"),
            "TERM": "xterm",
            **environment,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, _ = await process.communicate()
    finally:
        kill(process)
        await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace")


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_loop_writes_a_file(tmp_path: Path, name: str) -> None:
    client, project = CLIENTS[name], tmp_path / "project"
    project.mkdir()
    file = project / "hello.txt"
    call = (client.write, {client.path: str(file), "content": "hello\n"}, "call_1")

    def answer(body: Any) -> Answer:
        if not body.get("tools"):
            return Answer(text="A title")
        if any(message["role"] == "tool" for message in body["messages"]):
            return Answer(text="all done")
        return Answer(thinking="I write it.", text="Writing.", tool_calls=(call,))

    async with ModelServer(answer) as server:
        settings = Settings(gateway=Gateway(drain_s=1), backend=Backend(url=server.url))
        async with running_gateway(settings) as gateway, Tap(gateway.url) as tap:
            code, out = await run(tmp_path, *client.start(project, tap.url))
            assert code == 0, out
            assert "all done" in out
            assert file.read_text() == "hello\n"
            posts = [spoken for spoken in tap.spoken if spoken.method == "POST" and spoken.asked.get("tools")]
            assert [(spoken.path, spoken.status) for spoken in posts] == [("/v1/chat/completions", 200)] * 2
            first, last = (check_chat(spoken.answer, asked_model=MODEL) for spoken in posts)
            assert [block["type"] for block in first.content] == ["thinking", "text", "tool_use"]
            assert last.stop_reason == "end_turn"
            chats = [request.json for request in server.chats if request.json.get("tools")]
            check_append_only(chats)
            [said] = [message for message in chats[1]["messages"] if message.get("tool_calls")]
            assert (said["content"], said["reasoning"]) == ("Writing.", "I write it.")
            records = [record for record in gateway.line.journal.recent if record.path == "/v1/chat/completions"]
            assert {record.outcome for record in records} == {Outcome.COMPLETED}
            assert all(record.notes.dropped == [] and record.notes.repairs == [] for record in records)
