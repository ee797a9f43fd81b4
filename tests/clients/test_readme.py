"""The README walked as a new user walks it: an empty home, and every command taken out of its text.

The path ends in a loop of the real client, once by `launch` and once by `serve` and `settings write`. What is put in
place of what: the model server's address, and `--yes` where a person would answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from landline.clients.install import ClientProgram
from tests.clients.claude import NOWHERE
from tests.clients.scene import write
from tests.fakes import agent_model
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.gateway_client import until
from tests.fixtures_real import CLAUDE_VERSIONS

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BACKEND, GATEWAY = "http://127.0.0.1:8000", "127.0.0.1:4000"  # as the README has them
# Walked elsewhere: tests/clients/test_demo.py.
NOT_HERE = ("demo",)
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAID = "The file is written."
# A headless run may write a file only where it was allowed to.
ALLOWED = ("--permission-mode", "acceptEdits")


def in_blocks() -> list[list[str]]:
    """Every `uv run landline ...` line of the README's blocks, as arguments of landline."""
    found = [re.search(r"uv run landline (.*)", line) for block in BLOCK.findall(README) for line in block.splitlines()]
    return [shlex.split(line[1]) for line in found if line]


def in_text() -> list[list[str]]:
    """Every `landline ...` in its sentences that is a whole command."""
    told = re.findall(r"`landline ([^`]+)`", BLOCK.sub("", README))
    return [shlex.split(" ".join(command.split())) for command in told]


def command(*begins: str, among: list[list[str]]) -> list[str]:
    """The one that begins so; the README must have it."""
    found = [one for one in among if tuple(one[: len(begins)]) == begins]
    assert found, f"the README has no `landline {' '.join(begins)}`"
    return found[0]


@dataclass
class User:
    """`port` is where the gateway listens: a test must not take the one of the README."""

    home: Path
    program: ClientProgram
    backend: str
    port: int

    @property
    def environ(self) -> dict[str, str]:
        programs = self.home / "bin"
        if not programs.exists():
            programs.mkdir(parents=True)
            (programs / "claude").symlink_to(self.program.path)
        quiet = {"HTTPS_PROXY": NOWHERE, "CLAUDE_CODE_MAX_RETRIES": "0", "IS_SANDBOX": "1", "LANG": "C.UTF-8"}
        own = {"HOME": str(self.home), "TMPDIR": str(self.home), "LANDLINE_GATEWAY_PORT": str(self.port)}
        return {"PATH": f"{programs}:/usr/bin:/bin"} | own | quiet

    def filled_in(self, arguments: list[str]) -> list[str]:
        return [self.backend if argument in (BACKEND, "URL") else argument for argument in arguments]

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *words, cwd=self.home, env=self.environ, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def types(self, *words: str) -> str:
        """What a command prints; it must end well."""
        process = await self.start(*words)
        out, err = await asyncio.wait_for(process.communicate(), 90)
        assert process.returncode == 0, f"{words}: {process.returncode}\n{out.decode()}\n{err.decode()}"
        assert "Traceback" not in err.decode()
        return out.decode()

    async def landline(self, arguments: list[str], *more: str) -> str:
        return await self.types(sys.executable, "-m", "landline", *self.filled_in(arguments), *more)

    @contextlib.asynccontextmanager
    async def serving(self, arguments: list[str]) -> AsyncIterator[None]:
        process = await self.start(sys.executable, "-m", "landline", *self.filled_in(arguments))
        try:
            await until(lambda: process.returncode is not None or self._listens(), timeout_s=20)
            assert process.returncode is None
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("version", CLAUDE_VERSIONS)
async def test_the_readme_leads_to_a_working_loop(
    claude_programs: Mapping[str, ClientProgram], tmp_path: Path, version: str
) -> None:
    home = tmp_path / "home"
    blocks, text, walked = in_blocks(), in_text(), list[list[str]]()

    def taken(*begins: str, among: list[list[str]]) -> list[str]:
        walked.append(command(*begins, among=among))
        return walked[-1]

    async with agent_model.server() as server:
        user = User(home, claude_programs[version], server.url, free_port())
        model = server.answer
        assert user.environ  # makes the home
        assert "context" in await user.landline(taken("plan", "--list", among=blocks))
        assert "vllm serve" in await user.landline(taken("plan", "Qwen/Qwen3.6-27B", among=blocks))

        server.answer = AgentScript([write(home / "launched.txt", "one\n"), Answer(text=SAID)])
        launch = taken("launch", "claude", among=text)
        for shorter in [one for one in blocks if one[:2] == launch[:2]]:
            assert shorter in (launch[:2], [*launch[:3], BACKEND])  # the same, without a prompt, or on a usual port
            walked.append(shorter)
        assert (await user.landline(launch, *ALLOWED)).strip() == SAID
        assert (home / "launched.txt").read_text() == "one\n"
        assert not (home / ".claude" / "settings.json").exists()  # "No file of yours is written"

        async with user.serving(taken("serve", among=blocks)):
            await user.landline(taken("settings", "write", "claude", among=text), "--yes")
            written = json.loads((home / ".claude" / "settings.json").read_text())["env"]
            assert written["ANTHROPIC_BASE_URL"] == f"http://{GATEWAY}".replace("4000", str(user.port))
            server.answer = AgentScript([write(home / "served.txt", "two\n"), Answer(text=SAID)])
            assert (await user.types("claude", "-p", "write the file", *ALLOWED)).strip() == SAID
            assert (home / "served.txt").read_text() == "two\n"

            server.answer = model
            found = (await user.landline(taken("doctor", "--quick", among=blocks))).splitlines()
            wrong = [line.split(":")[0] for line in found if line[:2] in ("x ", "! ")]
            assert set(wrong) <= {"! permission_mode"}, found  # the user's own, which nothing sets for him
            assert found[-1].startswith("OK")
            assert "Qwen3.6-27B" in await user.landline(taken("models", among=blocks), "--backend", server.url)
            assert "READY" in await user.landline(taken("check", among=blocks))
            told = json.loads(await user.landline(taken("watch", among=blocks), "--json", "--once"))
            assert told["totals"]["requests"] >= 2
            told = json.loads(await user.landline(taken("report", among=text)))
            assert told["doctor"]["checks"]
        await user.landline(taken("settings", "restore", among=text), "--yes")
        assert not (home / ".claude" / "settings.json").exists()
    assert [found for found in blocks if found[0] not in NOT_HERE and found not in walked] == []
