"""The real client's first request: what it costs, and how much smaller `--lean` makes it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from landline.clients.claude_lean import DENIED_TOOLS
from landline.clients.first_request import first_request
from landline.clients.install import ClientProgram
from landline.errors import LandlineError
from tests.clients.recording_server import Answer, recording_server
from tests.clients.verb import Verb
from tests.fakes.model_server import ModelServer, count_tokens
from tests.fixtures_real import CLAUDE_VERSIONS

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]


@pytest.fixture(params=CLAUDE_VERSIONS)
def verb(request: pytest.FixtureRequest, claude_programs: Mapping[str, ClientProgram], tmp_path: Path) -> Verb:
    return Verb(tmp_path, claude_programs[request.param])


async def diet(verb: Verb, *args: str, **environ: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "landline", "diet", "claude", *args, cwd=verb.home, env=verb.environ(environ),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_lean_makes_the_first_request_a_third_and_leaves_what_does_the_work(verb: Verb):
    """As the model server gets it, counted by its own rule; the whole loop of the client runs in both."""
    sizes: dict[bool, int] = {}
    for lean in (False, True):
        async with ModelServer(models=["Qwen3.5-27B"], window=65_536) as backend:
            flags = ["--lean"] if lean else []
            code, _, err = await verb.run("--backend", backend.url, *flags, "--receipt", "--", "-p", "say hi")
        assert code == 0, err
        (chat,) = [chat.json for chat in backend.chats if chat.json.get("tools")]
        sizes[lean] = count_tokens(chat)
        names = {tool["function"]["name"] for tool in chat["tools"]}
        assert {"Bash", "Edit", "Read", "Write"} <= names
        assert bool(names & {*DENIED_TOOLS, "Workflow"}) is not lean
        assert ("left out: workflows" in err) is lean
    assert 10_000 < sizes[False] < 14_000
    assert sizes[True] < 4_000
    print(f"first request of {verb.program.version}: {sizes[False]} tokens, with --lean {sizes[True]}")


async def test_with_lean_the_users_own_rules_hold(verb: Verb):
    settings = verb.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"permissions": {"allow": ["Bash(touch allowed)"], "deny": ["Read"]}}))
    own = json.dumps({"permissions": {"deny": ["Write"]}})
    with recording_server() as gateway:
        steps = [Answer(command="touch allowed"), Answer(command="touch not-allowed"), Answer()]
        gateway.respond = lambda body: steps[json.dumps(body["messages"]).count('"tool_result"')]
        code, _, _ = await verb.run("--gateway", gateway.url, "--lean", "--", "-p", "go", "--settings", own)
    assert code == 0
    assert (verb.home / "allowed").exists()
    assert not (verb.home / "not-allowed").exists()
    names = {tool["name"] for tool in gateway.messages[0].body["tools"]}
    assert names & {"Read", "Write", *DENIED_TOOLS} == set()
    assert {"Bash", "Edit"} <= names


async def test_the_diet_of_the_installed_client_is_counted_by_the_backend(verb: Verb):
    async with ModelServer(models=["Qwen3.5-27B"], window=131_072) as backend:
        code, out, err = await diet(verb, "--backend", backend.url, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    assert (found["counted"], found["version"], found["model"]) == ("exact", verb.program.version, "Qwen3.5-27B")
    parts = {part["name"]: part for part in found["parts"]}
    assert parts["tool Workflow"]["dropped_by"] == ["CLAUDE_CODE_DISABLE_WORKFLOWS"]
    assert "deny Agent" in parts["tool Agent"]["dropped_by"]
    assert parts["tool Bash"]["dropped_by"] == []
    grows = "CLAUDE_CODE_DISABLE_BUNDLED_SKILLS" in parts["tool Workflow"]["larger_with"]
    assert grows is (verb.program.version == CLAUDE_VERSIONS[-1])  # its manual is a skill there
    assert "CLAUDE_CODE_DISABLE_AUTO_MEMORY" in parts["system text 2"]["smaller_with"]
    assert 0.9 * found["tokens"] < sum(part["tokens"] for part in found["parts"]) <= found["tokens"]
    assert found["lean_tokens"] < found["tokens"] / 3
    assert backend.chats == []  # no model was asked


async def test_without_a_model_server_the_diet_is_estimated_and_says_so(verb: Verb):
    if verb.program.version != CLAUDE_VERSIONS[-1]:
        pytest.skip("one version is enough: nothing here depends on it")
    (verb.home / "CLAUDE.md").write_text("the project's own words " * 200)
    code, page, _ = await diet(verb, "--own-settings", LANDLINE_BACKEND_URL="http://127.0.0.1:9")
    assert code == 0
    assert "estimated from bytes" in page
    reminders = [line.split() for line in page.splitlines() if line.startswith("reminder")]
    assert max(int(words[2].replace(",", "")) for words in reminders) > 1000  # the project's instructions are a part
    assert "tool Workflow grows with DISABLE_BUNDLED_SKILLS" in page


def test_a_client_that_sends_nothing_is_told_with_what_it_said(tmp_path: Path):
    with pytest.raises(LandlineError, match="sent no request; it said: cannot go on") as failed:
        first_request(lambda url: (["/bin/sh", "-c", "echo cannot go on"], {}), cwd=tmp_path)
    assert "landline doctor" in failed.value.hint
    with pytest.raises(LandlineError, match="could not be started"):
        first_request(lambda url: ([str(tmp_path / "none")], {}), cwd=tmp_path)
