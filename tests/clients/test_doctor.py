"""The real Claude Code over a setup that the doctor finds broken, and over the same one after --fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landline.clients.doctor.diagnosing import diagnose
from landline.clients.doctor.finding import Edit, Severity
from landline.clients.doctor.fixes import apply, changes_of
from landline.clients.doctor.gathering import Where, gather
from landline.config.settings import Backend, Gateway, Settings
from tests.clients.claude import NOWHERE, Claude
from tests.clients.scene import bash, write
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.client_setup import QUIET
from tests.fakes.gateway_client import gateway_to
from tests.fakes.model_server import ModelServer
from tests.fakes.strict_server import StrictServer

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]

SAID = "The loop is closed."
MODEL = "Qwen3.6-27B"


async def diagnosed(claude: Claude, env: dict[str, str], gateway: str) -> tuple[set[str], tuple[Edit, ...]]:
    """Checks that found an error, and what would mend them."""
    programs = claude.root / "bin"
    programs.mkdir(exist_ok=True)
    if not (programs / "claude").exists():
        (programs / "claude").symlink_to(claude.program.path)
    claude.project.mkdir(exist_ok=True)
    environ = claude.environment(NOWHERE, model="", extra=env)
    environ["PATH"] = f"{programs}:{environ['PATH']}"
    where = Where(
        home=claude.root,
        cwd=claude.project,
        environ=environ,
        gateway=gateway,
        quick=True,
        managed_root=claude.root / "m",
    )
    found, edits = diagnose(await gather(where, Settings(backend=Backend(url=NOWHERE), gateway=Gateway(port=9))))
    return {check.id for check in found.checks if check.severity is Severity.ERROR}, edits


def settings_of(claude: Claude, value: object) -> Path:
    path = claude.root / ".claude" / "settings.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))
    return path


# What the shell has: as good as nothing, so that only the files count. One try, so that a failure is quick.
SHELL = {"ANTHROPIC_AUTH_TOKEN": "", "CLAUDE_CODE_MAX_RETRIES": "0"}


async def test_fix_leads_to_a_working_loop(claude: Claude) -> None:
    """A dead port, /v1 behind it, no token, and a proxy that catches loopback."""
    shell = SHELL | {"HTTP_PROXY": NOWHERE, "NO_PROXY": ""}
    file = claude.project / "hello.txt"
    script = AgentScript([write(file, "hello\n"), bash("cat hello.txt > copy.txt"), Answer(text=SAID)])
    async with (
        ModelServer(script, models=(MODEL,), window=131_072) as server,
        gateway_to(server.url) as gateway,
    ):
        settings_of(claude, {"env": QUIET | {"ANTHROPIC_BASE_URL": f"{NOWHERE}/v1", "ANTHROPIC_MODEL": "gone"}})
        failed = await claude.run(NOWHERE, "say hi", model="", env=shell)
        assert SAID not in failed.said, failed.explained
        assert not server.chats
        errors, edits = await diagnosed(claude, shell, gateway.url)
        assert errors >= {"base_url", "token", "proxy"}
        apply(changes_of(edits), claude.root / "backups")
        worked = await claude.run(NOWHERE, "create hello.txt", model="", env=shell)
        assert worked.said == SAID, worked.explained
        assert (claude.project / "copy.txt").read_text() == "hello\n"
        assert (await diagnosed(claude, shell, gateway.url))[0] == set()


@pytest.mark.parametrize(
    "wrong",
    [{"model": "qwen3.6-27b"}, {"env": {"ANTHROPIC_CUSTOM_MODEL_OPTION": MODEL}}, {"model": "Qwen/Qwen3.6-27B"}],
    ids=["case", "picker", "slash"],
)
async def test_fix_finds_the_name_that_a_strict_server_has(claude: Claude, wrong: dict[str, object]) -> None:
    """No landline on the path: the error is that of the client on the installed version."""
    async with StrictServer(models=(MODEL,), window=131_072) as server:
        server.answer = lambda body: Answer(text=SAID)
        env = QUIET | {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_AUTH_TOKEN": "any"}
        extra = wrong.get("env", {})
        assert isinstance(extra, dict)
        settings_of(claude, wrong | {"env": env | extra})
        failed = await claude.run(NOWHERE, "say hi", model="", env=SHELL)
        assert "issue with the selected model" in failed.said, failed.explained
        errors, edits = await diagnosed(claude, SHELL, "")
        assert errors & {"model_name", "picker_option"}
        apply(changes_of(edits), claude.root / "backups")
        worked = await claude.run(NOWHERE, "say hi", model="", env=SHELL)
        assert worked.said == SAID, worked.explained


async def test_a_login_is_sent_to_any_address(claude: Claude) -> None:
    """What the check `token` warns of."""
    login: dict[str, object] = {"accessToken": "a-fake-login", "refreshToken": "r", "expiresAt": 4_102_444_800_000}
    login["scopes"] = ["user:inference"]
    async with StrictServer(models=(MODEL,), window=131_072) as server:
        server.answer = lambda body: Answer(text=SAID)
        settings_of(claude, {"env": QUIET | {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_MODEL": MODEL}})
        path = claude.root / ".claude" / ".credentials.json"
        path.write_text(json.dumps({"claudeAiOauth": login}))
        run = await claude.run(NOWHERE, "say hi", model="", env=SHELL)
        assert run.said == SAID, run.explained
        assert server.messages[0].headers["authorization"] == "Bearer a-fake-login"
