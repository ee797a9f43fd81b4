"""`landline doctor` and `landline settings restore` as users run them: a process over a temporary HOME."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest

from landline.clients.doctor.commented_json import decoded
from tests.fakes import agent_model
from tests.fakes.client_setup import Setup, good_env
from tests.fakes.gateway_client import GatewayClient, gateway_to, until
from tests.fakes.upstream import Hang, Request, Status, Step

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "doctor.schema.json").read_text())
SECRET = "sk-canary-0123456789"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class Verb:
    setup: Setup

    async def run(self, *args: str, answer: str = "") -> Ran:
        """With `answer` somebody sits at a terminal and types it."""
        began = time.monotonic()
        ours, theirs = pty.openpty() if answer else (-1, asyncio.subprocess.DEVNULL)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "landline", *args,
                cwd=self.setup.project, env=self.setup.environ, stdin=theirs,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            if answer:
                os.write(ours, answer.encode())
            out, err = await asyncio.wait_for(process.communicate(), 60)
        finally:
            for descriptor in (ours, theirs) if answer else ():
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        assert process.returncode is not None
        ran = Ran(process.returncode, out.decode(), err.decode(), time.monotonic() - began)
        assert "Traceback" not in ran.err
        assert SECRET not in ran.out + ran.err
        return ran


@pytest.fixture
def verb(tmp_path: Path) -> Verb:
    return Verb(Setup(tmp_path / "home"))


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayClient]:
    async with agent_model.server() as server, gateway_to(server.url) as running:
        yield running


async def test_five_lines_in_three_seconds_where_nothing_is_wrong(verb: Verb, gateway: GatewayClient) -> None:
    verb.setup.user(good_env(gateway.url))
    tries = [await verb.run("doctor", "--quick") for _ in range(3)]
    ran = tries[0]
    assert (ran.code, ran.err) == (0, "")
    assert min(one.seconds for one in tries) < 3  # a busy machine may hold up one of them
    lines = ran.out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("client        Claude Code 2.1.329")
    assert lines[1].startswith("pointed at    landline ")
    assert lines[2].startswith("model server  vllm 0.32.0 at http://127.0.0.1:")
    assert lines[4] == "OK: nothing is wrong."


async def test_the_json_is_as_the_schema_says(verb: Verb, gateway: GatewayClient) -> None:
    path = verb.setup.user(good_env(gateway.url + "/v1") | {"ANTHROPIC_API_KEY": SECRET})
    ran = await verb.run("doctor", "claude", "--json")
    told = json.loads(ran.out)
    jsonschema.validate(told, SCHEMA)
    assert set(told["checks"][0]) == {"id", "title", "finding", "cause", "fix", "severity", "source"}
    (found,) = [check for check in told["checks"] if check["id"] == "base_url_path"]
    assert found["source"] == {"file": str(path), "line": 6}
    assert (ran.code, found["severity"]) == (0, "warning")


async def test_an_error_ends_with_one(verb: Verb) -> None:
    ran = await verb.run("doctor", "--quick", "--gateway", "http://127.0.0.1:9")
    assert ran.code == 1
    assert "x base_url: " in ran.out
    assert "x gateway: http://127.0.0.1:9 refused the connection" in ran.out
    assert ran.out.splitlines()[-1].startswith("NOT OK: ")


async def test_the_log_of_a_vllm_that_did_not_start(verb: Verb, gateway: GatewayClient) -> None:
    verb.setup.user(good_env(gateway.url))
    log = verb.setup.write("vllm.log", f"{SECRET}\nValueError: No available memory for the cache blocks.\n".encode())
    ran = await verb.run("doctor", "--quick", "--server-log", str(log))
    assert ran.code == 1
    assert "x server_log: the weights leave no memory for the cache" in ran.out
    assert "--gpu-memory-utilization" in ran.out


@pytest.mark.parametrize(
    "arguments", [["codex"], ["--gateway", "x"], ["--yes"], ["--timeout", "0"], ["--server-log", "not-there"]]
)
async def test_what_cannot_be_run_ends_with_two(verb: Verb, arguments: list[str]) -> None:
    assert (await verb.run("doctor", *arguments)).code == 2


async def test_fix_and_the_way_back(verb: Verb, gateway: GatewayClient) -> None:
    env = good_env(gateway.url + "/v1") | {"ANTHROPIC_AUTH_TOKEN": SECRET, "ANTHROPIC_API_KEY": SECRET}
    path = verb.setup.user(env)
    before = path.read_bytes()

    nobody = await verb.run("doctor", "--quick", "--fix")
    assert path.read_bytes() == before
    assert "--yes writes without asking" in nobody.err
    assert '-    "ANTHROPIC_BASE_URL"' in nobody.err
    refused = await verb.run("doctor", "--quick", "--fix", answer="n\n")
    assert path.read_bytes() == before
    assert "nothing was changed" in refused.err

    agreed = await verb.run("doctor", "--quick", "--fix", answer="y\n")
    assert agreed.code == 0
    assert agreed.out.splitlines()[-1] == "OK: nothing is wrong."
    assert json.loads(path.read_text())["env"]["ANTHROPIC_BASE_URL"] == gateway.url
    assert str(path) in (await verb.run("settings", "restore", "--list")).out

    back = await verb.run("settings", "restore", "--yes")
    assert back.code == 0
    assert path.read_bytes() == before
    assert (await verb.run("settings", "restore", "--yes")).code == 2  # nothing is kept any more
    assert (await verb.run("settings", "restore", "--list")).out == "Nothing is kept.\n"


async def test_fix_without_a_question_into_a_pipe(verb: Verb, gateway: GatewayClient) -> None:
    ran = await verb.run("doctor", "--quick", "--fix", "--yes", "--json", "--gateway", gateway.url)
    assert ran.code == 0, ran.out
    checks = json.loads(ran.out)["checks"]  # the difference is not in it
    assert {check["id"] for check in checks if check["severity"] != "ok"} == set()
    assert "+  " in ran.err
    assert verb.setup.env()["ANTHROPIC_BASE_URL"] == gateway.url
    assert "ANTHROPIC_AUTH_TOKEN" in verb.setup.env()


async def test_a_file_that_was_changed_since_is_not_put_back_unasked(verb: Verb, gateway: GatewayClient) -> None:
    path = verb.setup.user(good_env(gateway.url + "/v1"))
    await verb.run("doctor", "--quick", "--fix", "--yes")
    path.write_text(path.read_text() + "\n")
    changed = path.read_bytes()
    ran = await verb.run("settings", "restore", "--yes")
    assert (ran.code, path.read_bytes()) == (2, changed)
    asked = await verb.run("settings", "restore", answer="n\n")
    assert (asked.code, path.read_bytes()) == (1, changed)
    assert "was changed since" in asked.err


async def test_a_broken_file_is_named_and_left_as_it_is(verb: Verb, gateway: GatewayClient) -> None:
    path = verb.setup.write(".claude/settings.json", b'{\n "env": {"ANTHROPIC_AUTH_TOKEN": "sk-canary-0123456789"\n')
    ran = await verb.run("doctor", "--quick", "--fix", "--yes", "--gateway", gateway.url)
    assert ran.code == 1
    assert "x settings_file:" in ran.out
    assert "line 3" in ran.out.replace(f"{path}:3", "line 3")
    assert path.read_bytes().endswith(b'"sk-canary-0123456789"\n')


async def test_a_plain_doctor_changes_nothing(verb: Verb, gateway: GatewayClient) -> None:
    verb.setup.user(good_env(gateway.url + "/v1"))
    before = {path: path.read_bytes() for path in verb.setup.root.rglob("*") if path.is_file()}
    ran = await verb.run("doctor")
    assert "`landline doctor --fix`" in ran.err
    assert {path: path.read_bytes() for path in verb.setup.root.rglob("*") if path.is_file()} == before


# ------------------------------------------------------------------------------------------------ settings write


async def test_write_points_the_client_at_a_gateway_for_good(verb: Verb, gateway: GatewayClient) -> None:
    """Afterwards the doctor finds nothing wrong; and the way back is byte by byte."""
    before = {
        "env": {"ANTHROPIC_API_KEY": SECRET, "ANTHROPIC_BASE_URL": "http://old", "MINE": "1"},
        "permissions": {"defaultMode": "plan"},
    }
    path = verb.setup.write(".claude/settings.json", before)
    content = path.read_bytes()
    asked = await verb.run("settings", "write", "claude", "--gateway", gateway.url)
    assert (asked.code, path.read_bytes()) == (1, content)
    done = await verb.run("settings", "write", "claude", "--gateway", gateway.url, "--yes")
    assert done.code == 0, done.err
    env = verb.setup.env()
    assert (env["ANTHROPIC_BASE_URL"], env["MINE"]) == (gateway.url, "1")
    assert "ANTHROPIC_API_KEY" not in env
    assert json.loads(path.read_text())["permissions"] == {"defaultMode": "plan"}
    ran = await verb.run("doctor", "--quick")
    assert ran.out.splitlines()[-1] == "OK: nothing is wrong.", ran.out
    assert (await verb.run("settings", "write", "claude", "--gateway", gateway.url, "--yes")).code == 0  # nothing to do
    assert (await verb.run("settings", "restore", "--yes")).code == 0
    assert path.read_bytes() == content


async def test_write_for_one_project(verb: Verb, gateway: GatewayClient) -> None:
    user = verb.setup.user({"ANTHROPIC_BASE_URL": "http://old"})
    content = user.read_bytes()
    done = await verb.run("settings", "write", "claude", "--gateway", gateway.url, "--project", "--yes")
    assert done.code == 0, done.err
    assert user.read_bytes() == content
    local = verb.setup.project / ".claude" / "settings.local.json"
    assert json.loads(local.read_text())["env"]["ANTHROPIC_BASE_URL"] == gateway.url
    assert local.stat().st_mode & 0o077 == 0  # it may hold a key


async def test_write_adds_a_status_line_only_where_the_user_has_none(verb: Verb, gateway: GatewayClient) -> None:
    write = ("settings", "write", "claude", "--gateway", gateway.url, "--status-line", "--yes")
    assert (await verb.run(*write)).code == 0
    line = json.loads(verb.setup.user_file.read_text())["statusLine"]
    assert line["type"] == "command"
    assert line["command"].endswith("-P -m landline statusline")
    own = {"statusLine": {"type": "command", "command": "mine"}}
    verb.setup.write(".claude/settings.json", own)
    kept = await verb.run(*write)
    assert kept.code == 0
    assert "status line already" in kept.err
    assert json.loads(verb.setup.user_file.read_text())["statusLine"] == own["statusLine"]


async def test_write_into_a_file_that_another_one_beats(verb: Verb, gateway: GatewayClient) -> None:
    verb.setup.write("project/.claude/settings.json", {"env": {"ANTHROPIC_MODEL": "theirs"}})
    ran = await verb.run("settings", "write", "claude", "--gateway", gateway.url, "--yes")
    assert ran.code == 2
    assert "ANTHROPIC_MODEL in " in ran.err
    assert not verb.setup.user_file.exists()


VSCODE = f"""{{
  // mine, with a comma at the end
  "editor.fontSize": 13, // px
  "claudeCode.environmentVariables": [
    {{ "name": "MINE", "value": "1" }}, /* kept */
    {{ "name": "ANTHROPIC_API_KEY", "value": "{SECRET}" }},
    // {{ "name": "ANTHROPIC_AUTH_TOKEN", "value": "{SECRET}" }},
  ],
}}
"""


async def test_write_for_the_editors(verb: Verb, gateway: GatewayClient) -> None:
    """VS Code and a server of Cursor's for windows elsewhere; the user's own file stays as it is."""
    code = verb.setup.write(".config/Code/User/settings.json", VSCODE.encode())
    verb.setup.write(".cursor-server/data/Machine/state", b"")
    content = code.read_bytes()
    write = ("settings", "write", "claude", "--gateway", gateway.url, "--vscode")
    asked = await verb.run(*write)
    assert (asked.code, code.read_bytes()) == (1, content)
    assert '"name": "ANTHROPIC_BASE_URL"' in asked.err
    done = await verb.run(*write, "--yes")
    assert done.code == 0, done.err
    kept = [line for line in VSCODE.splitlines() if SECRET not in line or "//" in line]
    assert [line for line in code.read_text().splitlines() if line in kept] == kept
    cursor = verb.setup.root / ".cursor-server" / "data" / "Machine" / "settings.json"
    for document in (decoded(code.read_text()), json.loads(cursor.read_text())):
        told = {one["name"]: one["value"] for one in document["claudeCode.environmentVariables"]}
        assert told["ANTHROPIC_BASE_URL"] == gateway.url
        assert told["ANTHROPIC_MODEL"]
        assert not told.get("ANTHROPIC_API_KEY")
        assert document["claudeCode.disableLoginPrompt"] is True
    assert cursor.stat().st_mode & 0o077 == 0
    assert not verb.setup.user_file.exists()
    again = await verb.run(*write, "--yes")
    assert "nothing in a settings file to change" in again.err
    assert (await verb.run("settings", "restore", "--yes")).code == 0
    assert code.read_bytes() == content
    assert not cursor.exists()


async def test_write_for_editors_that_cannot_be(verb: Verb, gateway: GatewayClient) -> None:
    """None is there; one's file is broken; a settings file of the client's would win; a project has no such file."""
    write = ("settings", "write", "claude", "--gateway", gateway.url, "--vscode", "--yes")
    none = await verb.run(*write)
    assert (none.code, "None of Code, " in none.err) == (2, True)
    both = await verb.run(*write, "--project")
    assert (both.code, "leave out --project" in both.err) == (2, True)
    code = verb.setup.write(".config/VSCodium/User/settings.json", b'{"claudeCode.environmentVariables": "x"}')
    broken = await verb.run(*write)
    assert (broken.code, code.read_bytes()) == (2, b'{"claudeCode.environmentVariables": "x"}')
    assert "no list of names and values" in broken.err
    verb.setup.user({"ANTHROPIC_BASE_URL": "http://old"})
    beaten = await verb.run(*write)
    assert (beaten.code, "ANTHROPIC_BASE_URL in " in beaten.err) == (2, True)


@pytest.mark.parametrize("arguments", [["--gateway", "http://127.0.0.1:9"], ["--model", "none"]])
async def test_write_without_a_gateway_or_a_model_writes_nothing(
    verb: Verb, gateway: GatewayClient, arguments: list[str]
) -> None:
    given = arguments if "--gateway" in arguments else ["--gateway", gateway.url, *arguments]
    ran = await verb.run("settings", "write", "claude", "--yes", *given)
    assert ran.code == 2
    assert not verb.setup.user_file.exists()


# ------------------------------------------------------------------------------------------------ a terminal


async def test_progress_is_shown_on_a_terminal_and_ctrl_c_ends_it(verb: Verb) -> None:
    """A model that never answers; whoever waits sees what for."""

    def hangs(request: Request) -> list[Step] | None:
        return [Status(), Hang()] if request.path == "/v1/chat/completions" else None

    ours, theirs = pty.openpty()
    try:
        async with agent_model.server(override=hangs) as server, gateway_to(server.url) as gateway:
            verb.setup.user(good_env(gateway.url))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "landline", "doctor",
                cwd=verb.setup.project, env=verb.setup.environ, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=theirs,
            )  # fmt: skip
            await until(lambda: bool(server.chats), timeout_s=60)
            process.send_signal(signal.SIGINT)
            out, _ = await asyncio.wait_for(process.communicate(), 60)
        shown = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert (process.returncode, out) == (130, b"")
    assert "looking at: a request as the client's" in shown
    assert "Traceback" not in shown


async def test_of_cursor_it_says_what_its_cloud_needs(verb: Verb) -> None:
    ran = await verb.run("doctor", "cursor", "--json")
    told = json.loads(ran.out)
    jsonschema.validate(told, SCHEMA)
    assert ran.code == 1
    assert [one["id"] for one in told["checks"]] == ["cursor_address", "cursor_https", "cursor_keys"]
    assert [one["id"] for one in told["not_tried"]] == ["cursor_name"]
    own = verb.setup.root / ".config" / "landline" / "landline.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f'[gateway]\nkeys = ["{SECRET}-long"]\nhosts = ["llm.example.org"]\n')
    ran = await verb.run("doctor", "cursor")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "for Cursor    https://llm.example.org/v1 as its OpenAI base URL",
        "passed        4 checks",
        "OK: nothing is wrong.",
    ]
    ran = await verb.run("doctor", "cursor", "--gateway", "http://other.example.org/v1")
    assert "x cursor_name: gateway.hosts does not have other.example.org" in ran.out
    ran = await verb.run("doctor", "cursor", "--fix")
    assert "--fix and --server-log are not for cursor" in ran.err
