"""`landline launch --egress` with Codex, OpenCode and Qwen Code: each has its own way with proxies."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landline.clients.known import OPENCODE
from tests.clients import escape
from tests.clients.test_egress import check_shut_in, namespaces
from tests.clients.test_launch_others import CASES, MODEL, WINDOW, Launcher, script
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer
from tests.fakes.outside import BODY, door, users_own_proxy

__all__ = ["namespaces"]

pytestmark = [pytest.mark.clients, pytest.mark.every_client, pytest.mark.timeout(300)]


@pytest.fixture(params=CASES)
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Launcher]:
    yield Launcher(CASES[request.param], tmp_path)


def model(launcher: Launcher, *commands: str) -> ModelServer:
    calls = [launcher.case.call(command, f"c{number}") for number, command in enumerate(commands)]
    return ModelServer(script(launcher.case, *calls, Answer(text="all done")), models=[MODEL], window=WINDOW)


def told(server: ModelServer) -> list[str]:
    messages: list[Any] = [request.json["messages"] for request in server.chats if request.json.get("tools")][-1]
    return [json.dumps(message["content"]) for message in messages if message["role"] == "tool"]


@pytest.mark.usefixtures("namespaces")
async def test_under_lock_the_loop_finishes_and_nothing_gets_out(launcher: Launcher):
    async with door() as outside:
        kept = launcher.home / "told.json"
        tries = shlex.join([sys.executable, escape.__file__, str(outside.port)])
        async with model(launcher, "echo one > made.txt", f"{tries} > {shlex.quote(str(kept))}; echo over") as backend:
            code, out, err = await launcher.run("--backend", backend.url, "--egress", "lock", "--", *launcher.case.args)
        assert (code, "all done" in out) == (0, True), f"{out}\n{err}"
        assert outside.came == 0
    assert (launcher.project / "made.txt").read_text() == "one\n"
    check_shut_in(json.loads(kept.read_text()))
    assert "network, lock: enforced by the kernel" in err
    tried = [line.split()[0] for line in err.splitlines() if " refused " in line]
    assert launcher.case.known is OPENCODE or tried == [], err  # its plugin folder's package


async def test_audit_sees_what_a_command_asks_for(launcher: Launcher):
    got = "import urllib.request; print(urllib.request.urlopen('http://example.test/', timeout=5).read())"
    async with users_own_proxy() as own:
        async with model(launcher, shlex.join([sys.executable, "-c", got])) as backend:
            code, out, err = await launcher.run(
                *("--backend", backend.url, "--egress", "audit", "--", *launcher.case.args),
                HTTP_PROXY=own.url, HTTPS_PROXY=own.url,
            )  # fmt: skip
        assert (code, "all done" in out) == (0, True), f"{out}\n{err}"
        assert "GET http://example.test:80/" in own.asked
    assert BODY.decode() in told(backend)[0]
    assert "example.test:80" in err
    assert f"127.0.0.1:{backend.url.rpartition(':')[2]}" not in err
