"""`landline launch claude` as users run it: a process of its own, the real client, a model server that is scripted."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from landline.clients.install import ClientProgram
from tests.clients.recording_server import recording_server
from tests.clients.verb import Verb
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer
from tests.fixtures_real import CLAUDE_VERSIONS

pytestmark = [pytest.mark.clients, pytest.mark.timeout(60)]


@pytest.fixture(params=CLAUDE_VERSIONS)
def verb(request: pytest.FixtureRequest, claude_programs: Mapping[str, ClientProgram], tmp_path: Path) -> Verb:
    return Verb(tmp_path, claude_programs[request.param])


async def test_a_backend_alone_is_enough_and_the_receipts_are_true(verb: Verb):
    async with ModelServer(lambda body: Answer(text="served by us"), models=["Qwen3.5-27B"], window=65_536) as backend:
        code, out, err = await verb.run("--backend", backend.url, "--receipt", "--", "-p", "say hi")
    assert (code, out.strip()) == (0, "served by us")
    assert "Qwen3.5-27B" in err
    assert "65,536 tokens; compacts at about 40,960; answers up to 16,384" in err
    assert "1 requests;" in err
    assert "Traceback" not in err
    assert verb.left_over == []


async def test_a_running_gateway_is_used_and_its_window_is_read(verb: Verb):
    with recording_server() as gateway:
        gateway.window = 32_768
        code, out, err = await verb.run(
            "--gateway", f"{gateway.url}/v1", "--receipt", "--", "-p", "hi", LANDLINE_GATEWAY_KEYS="k1"
        )
    assert (code, out.strip()) == (0, "ok")
    assert gateway.messages[0].headers["authorization"] == "Bearer k1"
    assert gateway.messages[0].body["max_tokens"] == 8192
    assert "32,768 tokens" in err
    assert "--lean" in err
    assert "k1" not in err


async def test_the_clients_exit_code_is_returned(verb: Verb):
    with recording_server() as gateway:
        code, _, err = await verb.run("--gateway", gateway.url, "--", "--no-such-flag")
    assert code == 1
    assert "--no-such-flag" in err
    assert verb.left_over == []


async def test_sigterm_ends_the_client_and_everything_that_was_started(verb: Verb):
    with recording_server() as gateway:
        hook = {"type": "command", "command": "touch $HOME/begun; sleep 30"}
        own = json.dumps({"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}})
        process = await verb.start("--gateway", gateway.url, "--", "-p", "hi", "--settings", own)
        async with asyncio.timeout(20):
            while not (verb.home / "begun").exists():
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 128 + signal.SIGTERM
    assert verb.left_over == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--gateway", "http://127.0.0.1:9"), "No gateway answers"),
        (("--gateway", "not-a-url"), "is not a URL"),
        (("--gateway", "http://127.0.0.1:9", "--wait", "5"), "--wait is for a gateway of launch's own"),
        (("--backend", "http://127.0.0.1:9", "--wait", "1"), "No model server answers at http://127.0.0.1:9 after"),
        (("--gateway", "http://127.0.0.1:9", "--embedded"), "do not go together"),
        (("--backend", "http://127.0.0.1:9"), "No model server answers"),
    ],
)
async def test_what_cannot_work_ends_with_two_and_says_why(verb: Verb, args: tuple[str, ...], said: str):
    code, out, err = await verb.run(*args, "--", "-p", "hi")
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


async def test_without_a_client_it_says_how_to_get_one(tmp_path: Path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "landline", "launch", "claude", "--gateway", "http://127.0.0.1:9",
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "LANG": "C.UTF-8"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert "--yes" in err.decode()
