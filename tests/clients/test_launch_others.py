"""`landline launch codex|opencode|qwen` as users run it: the real client, a model server that is scripted."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from landline.clients.known import CODEX, OPENCODE, QWEN, KnownClient
from landline.config.settings import Backend, Gateway, Settings
from landline.server.run import running_gateway
from tests.clients.claude import kill
from tests.clients.recording_server import recording_server
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer, count_tokens
from tests.fixtures_real import client_program

pytestmark = [pytest.mark.clients, pytest.mark.every_client, pytest.mark.timeout(200)]

TIMEOUT_S = 150.0
MODEL = "org/Qwen3.5-27B"
WINDOW = 65_536


@dataclass(frozen=True)
class Case:
    """`args` run one task without a screen; `tool` runs a command."""

    known: KnownClient
    args: tuple[str, ...]
    tool: str
    extra: Mapping[str, Any]
    argument: str = "command"
    window: str = ""
    max_tokens: int | None = None

    def call(self, command: str, call_id: str) -> Answer:
        return Answer(tool_calls=((self.tool, {self.argument: command, **self.extra}, call_id),))


CASES = {
    "codex": Case(
        CODEX,
        ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "do it"),
        "exec_command",
        {},
        argument="cmd",
        window="65,536 tokens; compacts at about 49,152",
    ),
    "opencode": Case(
        OPENCODE,
        ("run", "do it"),
        "bash",
        {"description": "a step"},
        window="65,536 tokens; compacts at about 49,152; answers up to 16,384",
        max_tokens=16_384,
    ),
    "qwen": Case(
        QWEN,
        ("-y", "do it"),
        "run_shell_command",
        {"description": "a step", "is_background": False},
        window="65,536 tokens; compacts at about 45,875; answers up to 16,384",
        max_tokens=16_384,
    ),
}


@dataclass(frozen=True)
class Launcher:
    """The verb over a temporary HOME; the client is the only one of its name on PATH."""

    case: Case
    home: Path

    @property
    def project(self) -> Path:
        return self.home / "project"

    def environ(self, **extra: str) -> dict[str, str]:
        program = client_program(self.case.known)
        programs = self.home / "bin"
        for folder in (programs, self.project, self.home / "scratch"):
            folder.mkdir(exist_ok=True)
        place = programs / self.case.known.command
        if not place.exists():
            place.write_text(f'#!/bin/sh\nexec {" ".join(program.command)} "$@"\n')
            place.chmod(0o755)
        base = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(self.home), "TMPDIR": str(self.home / "scratch")}
        return base | {"LANG": "C.UTF-8", "TERM": "xterm-256color"} | extra

    async def run(self, *args: str, **environ: str) -> tuple[int, str, str]:
        return await self.ran(sys.executable, "-m", "landline", "launch", self.case.known.name, *args, **environ)

    async def ran(self, *command: str, **environ: str) -> tuple[int, str, str]:
        """Any command in the project, with its exit code, output and errors."""
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.project, env=self.environ(**environ), start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
        finally:
            kill(process)
            await process.wait()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture(params=CASES)
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Launcher]:
    yield Launcher(CASES[request.param], tmp_path)


def script(case: Case, *steps: Answer) -> Any:
    def answer(body: Any) -> Answer:
        if not body.get("tools"):
            return Answer(text="A title")
        return steps[min(sum(message["role"] == "tool" for message in body["messages"]), len(steps) - 1)]

    return answer


async def test_the_loop_closes_and_the_receipt_is_true(launcher: Launcher):
    """A file is written, a command reads it, and no connection but those that the receipt names is tried."""
    case = launcher.case
    steps = (case.call("echo one > made.txt", "c1"), case.call("cat made.txt", "c2"), Answer(text="all done"))
    with recording_server() as proxy:
        server = ModelServer(script(case, *steps), models=["other", MODEL], window=WINDOW, prefix_cache=True)
        async with server as backend:
            proxies = {"HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url}
            code, out, err = await launcher.run(
                "--backend", backend.url, "--model", MODEL, "--receipt", "--", *case.args, **proxies
            )
    assert (code, "all done" in out) == (0, True), f"{out}\n{err}"
    assert (launcher.project / "made.txt").read_text() == "one\n"
    bodies = [request.json for request in backend.chats]
    assert {body["model"] for body in bodies} == {MODEL}
    loop = [body for body in bodies if body.get("tools")]
    turns = [sum(message["role"] == "tool" for message in body["messages"]) for body in loop]
    assert set(turns) == {0, 1, 2}
    if case.known is not QWEN:  # which may ask something beside its loop, with the same messages
        assert turns == [0, 1, 2]  # one request a turn
    assert "one" in json.dumps(loop[-1]["messages"][-1])
    if case.max_tokens:
        assert {body["max_tokens"] for body in loop} == {case.max_tokens}
    assert f"{case.known.title} {case.known.newest}" in err
    lines = {line.split()[0]: line for line in err.splitlines() if line.startswith("  ")}
    assert case.window in lines["window"]
    assert MODEL in lines["model"]
    assert f"vllm 0.32.0 at {backend.url}" in lines["backend"]
    assert {"off", "left", "pointed", "cache"} <= set(lines)
    assert f"{len(bodies)} requests;" in err
    assert "metadata" not in out + err
    tried = {request.path.partition(":")[0] for request in proxy.requests if request.method == "CONNECT"}
    assert all(host.startswith("registry.") for host in tried), tried  # OpenCode's plugin folder, as told
    if tried:
        assert "npm registry" in lines["left"]
    assert list((launcher.home / "scratch").glob("landline-*")) == []


async def test_it_compacts_where_the_receipt_says(launcher: Launcher):
    """Each step adds 2,300 tokens or, of Qwen Code's, half of that: the client summarises at the point, and goes on."""
    case, called = launcher.case, 0
    prompts: list[tuple[int, bool]] = []  # tokens, and whether it is one of the loop

    def answer(body: Any) -> Answer:
        nonlocal called
        prompts.append((count_tokens(body), bool(body.get("tools"))))
        if not body.get("tools"):
            return Answer(text="A title, or a summary of what was done")
        called += 1
        letter = "abcdefghijklmnop"[min(called, 15)]
        return Answer(text="all done") if called > 10 else case.call(f"head -c 9000 /dev/zero | tr '\\0' {letter}", "")

    async with ModelServer(answer, models=[MODEL], window=32_768, prefix_cache=True) as backend:
        code, out, err = await launcher.run("--backend", backend.url, "--receipt", "--", *case.args)
    assert (code, "all done" in out) == (0, True), f"{out[-2000:]}\n{err}"
    told = re.search(r"32,768 tokens; compacts at about ([\d,]+)", err)
    assert told is not None, err
    point = int(told[1].replace(",", ""))
    loop = [tokens for tokens, of_loop in prompts if of_loop]
    before = max(loop)
    beyond = 5_000 if case.known is QWEN else 2_500  # what Qwen asks beside its loop may take it a step further
    assert point - 2_500 < before < point + beyond
    if case.known is QWEN:  # it keeps so much that a prompt behind its summary may be as long as the longest
        assert loop[0] + (loop[1] - loop[0]) * (len(loop) - 1) > point + beyond, "so far it would have come without"
        behind = next(at for at, (tokens, of_loop) in enumerate(prompts) if of_loop and tokens > point - 2_500)
    else:
        assert any(later < before / 1.02 for later in loop[loop.index(before) :]), loop
        behind = next(at for at, one in enumerate(prompts) if one == (before, True)) + 1
    assert not all(of_loop for _, of_loop in prompts[behind:])  # it asked for a summary


async def test_the_users_own_settings_stay_as_they_are(launcher: Launcher):
    """A model and a provider of his are set aside for this launch; his files keep every byte."""
    files = {
        "codex": {
            ".codex/config.toml": '# mine\nmodel = "gpt-9"\nmodel_context_window = 40000\n'
            '[model_providers.other]\nname = "other"\nbase_url = "http://127.0.0.1:9/v1"\nwire_api = "responses"\n'
        },
        "opencode": {
            ".config/opencode/opencode.jsonc": '{\n  "$schema": "https://opencode.ai/config.json",\n  // mine\n'
            '  "model": "anthropic/claude",\n'
            '  "enabled_providers": ["anthropic"], "share": "auto",\n}\n'
        },
        "qwen": {
            ".qwen/settings.json": json.dumps(
                {
                    "$version": 4,
                    "model": {"name": "mine"},
                    "security": {"auth": {"selectedType": "anthropic"}},
                    "modelProviders": {"openai": [{"id": MODEL, "baseUrl": "http://127.0.0.1:9/v1", "envKey": "X"}]},
                    "proxy": "http://127.0.0.1:9",
                }
            )
        },
    }[launcher.case.known.name]
    for name, content in files.items():
        (launcher.home / name).parent.mkdir(parents=True, exist_ok=True)
        (launcher.home / name).write_text(content)
    server = ModelServer(lambda body: Answer(text="served by us"), models=[MODEL], window=WINDOW)
    async with server as backend:
        code, out, err = await launcher.run(
            "--backend", backend.url, "--receipt", "--", *launcher.case.args, HTTPS_PROXY="http://127.0.0.1:9"
        )
    assert (code, "served by us" in out) == (0, True), f"{out}\n{err}"
    assert {request.json["model"] for request in backend.chats} == {MODEL}
    for name, content in files.items():
        assert (launcher.home / name).read_text() == content
    if launcher.case.known is CODEX:
        assert "40,000 tokens; compacts at about 30,000" in err  # his own lower one
    if launcher.case.known is not QWEN:
        assert "set aside" in err
        assert "model" in next(line for line in err.splitlines() if "set aside" in line)


async def test_the_clients_exit_code_is_returned_and_foreign_options_are_refused(launcher: Launcher):
    with recording_server() as gateway:
        code, _, err = await launcher.run("--gateway", gateway.url, "--", "--no-such-flag")
        assert code not in {0, 2} or "no-such-flag" in err
        assert code != 0
        code, _, err = await launcher.run("--gateway", gateway.url, "--lean")
    assert code == 2
    assert f"--lean is not for {launcher.case.known.title}" in err


async def test_a_running_gateway_gets_its_key_and_nothing_prints_it(launcher: Launcher):
    server = ModelServer(lambda body: Answer(text="served by us"), window=32_768)
    async with server:
        settings = Settings(gateway=Gateway(keys=("k1-secret",), drain_s=2), backend=Backend(url=server.url))
        async with running_gateway(settings) as gateway:
            code, out, err = await launcher.run(
                "--gateway", gateway.url, "--receipt", "--", *launcher.case.args, LANDLINE_GATEWAY_KEYS="k1-secret"
            )
    assert (code, "served by us" in out) == (0, True), f"{out}\n{err}"
    assert "32,768 tokens" in err
    assert "k1-secret" not in out + err
