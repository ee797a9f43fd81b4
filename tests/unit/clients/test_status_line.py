"""The line for a client's own screen: what it says of a gateway, and that it never says or does anything else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from landline.clients.status_line import asked, gateway_of, session_of, status_line, status_line_setting
from tests.fakes.gateway_client import gateway_to, request_body
from tests.fakes.model_server import ModelServer

SESSION = "5115679a-9e90-4f56-8876-0902fa639229"
STDIN = json.dumps({"session_id": SESSION, "model": {"id": "x"}}).encode()


def call(**fields: Any) -> dict[str, Any]:
    turn = {"session": SESSION[:8], "model_served": "Qwen", "stream": True, "prompt_tokens": 20_000}
    turn |= {"output_tokens": 100, "cache_hit_percent": 94.4, "ttft_ms": 500.0, "total_ms": 2500.0}
    return turn | fields


def live(*finished: dict[str, Any], reachable: bool = True) -> dict[str, Any]:
    models = [{"id": "Small", "window": 8000}, {"id": "Qwen", "window": 131_072}]
    return {
        "landline": "1",
        "backends": [{"reachable": reachable, "models": models if reachable else []}],
        "finished": list(finished),
    }


def test_it_says_model_window_cache_and_speed_of_the_sessions_last_turn():
    assert status_line(live(call()), SESSION) == "Qwen · 20.1k of 131k (15 %) · cache 94 % · 50 tokens/s"


@pytest.mark.parametrize(
    "beside", [{"session": "another0"}, {"agent": "a-1"}, {"side": True}, {"prompt_tokens": None}], ids=str
)
def test_other_sessions_subagents_and_side_calls_are_not_this_conversation(beside: dict[str, Any]):
    assert status_line(live(call(output_tokens=1) | beside, call()), SESSION).startswith("Qwen · 20.1k of")
    assert status_line(live(call() | beside), SESSION) == "Small · window 8.0k"


def test_without_a_session_no_conversation_is_taken_for_this_one():
    assert status_line(live(call()), "") == "Small · window 8.0k"


def test_what_is_not_known_is_left_out():
    assert status_line(live(call(cache_hit_percent=None, output_tokens=3)), SESSION) == "Qwen · 20.0k of 131k (15 %)"
    assert status_line(live(call(total_ms=501.0)), SESSION).endswith("cache 94 %")
    assert status_line(live(call(), reachable=False), SESSION).endswith("the model server does not answer")


@pytest.mark.parametrize(
    "answer", [None, [], "x", {}, {"data": []}, {"landline": "1", "backends": 3, "finished": [3, {"session": 4}]}]
)
def test_what_no_gateway_says_makes_an_empty_line(answer: object):
    assert status_line(answer, SESSION) == ""


@pytest.mark.parametrize(
    "number",
    [10**400, -(10**400), float("nan"), float("inf"), True, "9", None, [], {}],
    ids=lambda number: f"{number}"[:6],
)
@pytest.mark.parametrize(
    "name", ["prompt_tokens", "output_tokens", "cache_hit_percent", "ttft_ms", "total_ms", "stream", "model_served"]
)
def test_any_number_is_borne(name: str, number: object):
    line = status_line(live(call(**{name: number})), SESSION)
    assert line
    assert len(line) < 120
    assert "nan" not in line


def test_foreign_names_cannot_do_anything_to_a_terminal():
    line = status_line(live(call(model_served="\x1b]0;x\x07" + "y" * 300)), SESSION)
    assert "\x1b" not in line
    assert len(line.partition(" · ")[0]) == 40


@pytest.mark.parametrize("told", [b"", b"{", b"[]", b'{"session_id": 3}', b"\xff", b"[" * 100_000])
def test_any_input_is_borne(told: bytes):
    assert session_of(told) == ""


def test_only_a_gateway_of_this_machine_is_asked_unbidden():
    assert gateway_of({"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000"}) == "http://127.0.0.1:4000"
    for other in ("https://api.example.com", "http://127.0.0.1.example.com:80", "http://10.0.0.1:4000", ""):
        assert gateway_of({"ANTHROPIC_BASE_URL": other}) == ""
    assert "--gateway" not in status_line_setting("http://127.0.0.1:1")["command"]
    assert status_line_setting("http://gpu:4000")["command"].endswith("--gateway http://gpu:4000")


async def run(tmp_path: Path, told: bytes, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """The command as the client runs it: through a shell, in the user's project."""
    (tmp_path / "landline.py").write_text("raise SystemExit('a module of the project was run')")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C"} | environ
    command = ["/bin/sh", "-c", status_line_setting()["command"]]
    return await asyncio.to_thread(
        subprocess.run, command, input=told, env=env, cwd=tmp_path, capture_output=True, check=False, timeout=30
    )


async def test_the_command_tells_of_a_real_gateway(tmp_path: Path):
    async with ModelServer(window=65_536, prefix_cache=True, gap_s=0.03) as server, gateway_to(server.url) as gateway:
        before = await run(tmp_path, STDIN, ANTHROPIC_BASE_URL=gateway.url)
        headers = {"x-claude-code-session-id": SESSION}
        tool = {"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}
        for body in (request_body("x" * 4000, tools=[tool], stream=True), request_body("a title", stream=True)):
            reply = await gateway.messages(body, headers=headers)
            assert reply.status == 200
        after = await run(tmp_path, STDIN, ANTHROPIC_BASE_URL=gateway.url, ANTHROPIC_AUTH_TOKEN="any")
    assert before.stdout.decode() == "served · window 65.5k\n"
    assert after.stdout.decode().startswith("served · 1.0k of 65.5k (2 %) · cache 0 %")
    assert (after.returncode, after.stderr) == (0, b"")


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9", "http://127.0.0.1:x", "http://127.0.0.1:\n", "nonsense"])
async def test_without_a_gateway_it_prints_nothing_and_succeeds(tmp_path: Path, url: str):
    done = await run(tmp_path, b"{", ANTHROPIC_BASE_URL=url)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_gateway_that_wants_another_key_or_is_silent_is_left_alone():
    began = time.monotonic()
    assert asked("http://127.0.0.1:9", key="k\n") is None
    assert time.monotonic() - began < 5


def test_it_imports_little():
    """Seconds differ by machine; what is loaded does not: none of the gateway, its settings or its libraries."""
    code = (
        "import sys, landline.cli.main, landline.cli.statusline, landline.clients.status_line\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'msgspec', 'starlette', 'uvicorn', 'asyncio'}\n"
        "       or name.startswith(('landline.server', 'landline.config', 'landline.core'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
