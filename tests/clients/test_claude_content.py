"""What the real Claude Code sends beside text: subagents with conversations of their own, and images it has read."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.clients.claude import Claude
from tests.clients.scene import bash, check_append_only, repairs, scene, write
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript, first_prompt
from tests.fakes.model_server import ModelServer

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]

TASK = "SUBTASK: count the files"


def png(path: Path, *, width: int = 24, height: int = 24) -> bytes:
    """A small picture in one colour; returns its bytes."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x20\x80\xc0" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return data


def agent(prompt: str, *, kind: str = "general-purpose") -> Answer:
    given = {"description": "count files", "prompt": prompt, "subagent_type": kind}
    return Answer(tool_calls=(("Agent", given, ""),))


@pytest.mark.parametrize("kind", ["general-purpose", "Explore"])
async def test_a_subagent_works_and_its_result_comes_back(claude: Claude, kind: str):
    file = claude.project / "count.txt"
    found = Answer(text="There are 7 files.")
    helper = AgentScript([bash("echo seven"), found])
    script = AgentScript([agent(TASK, kind=kind), write(file, "7"), Answer(text="all done")], subagents={TASK: helper})
    async with scene(claude, ModelServer(script)) as line:
        run = await line.run()
        assert run.exit_code == 0, run.explained
        assert file.read_text() == "7"
        # The newest client goes on while the agent works, and is told of the result in a turn of its own.
        line.check_completed(requests=len(script.calls))
        assert 5 <= len(script.calls) <= 6
        line.check_streams()
        line.check_backend_saw_only_chat()

        main = [chat for chat in line.chats if TASK not in first_prompt(chat["messages"])]
        work = [chat for chat in line.chats if TASK in first_prompt(chat["messages"])]
        check_append_only(main)
        check_append_only(work)
        assert helper.given == [0, 1]
        assert found.text in json.dumps(main[-1]["messages"])
        assert found.text not in json.dumps(main[0]["messages"])
        agents = [record.agent for record in line.exchanges]
        assert len(set(agents) - {""}) == 1
        assert len(work) == len(agents) - agents.count("") == 2


async def test_an_image_that_was_read_reaches_the_backend_behind_its_result(claude: Claude):
    picture = claude.project / "picture.png"
    data = png(picture)
    script = AgentScript([Answer(tool_calls=(("Read", {"file_path": str(picture)}, ""),)), Answer(text="It is blue.")])
    async with scene(claude, ModelServer(script)) as line:
        run = await line.run()
        assert run.exit_code == 0, run.explained
        assert run.said == "It is blue."
        line.check_completed(requests=2)
        line.check_streams()
        line.check_backend_saw_only_chat()
        check_append_only(line.chats)

        messages: list[Any] = line.chats[1]["messages"]
        at = next(index for index, message in enumerate(messages) if message["role"] == "tool")
        assert data not in json.dumps(messages[at]).encode()
        behind = messages[at + 1]
        assert behind["role"] == "user"
        [image] = [part for part in behind["content"] if part["type"] == "image_url"]
        head, _, sent = image["image_url"]["url"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(sent) == data
        assert "image in a tool result moved to the user message behind it" in repairs(line.exchanges)
