"""What `landline launch claude` shows: the receipt, a backend that loads, and a status line on the client's screen."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from landline.clients.install import ClientProgram
from tests.clients.screen import Screen, on_screen
from tests.clients.verb import Verb
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer
from tests.fakes.upstream import Request, Step, json_answer
from tests.fixtures_real import CLAUDE_VERSIONS

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]
PROMPT = "please say hello to everybody who works in this project"


@pytest.fixture(params=CLAUDE_VERSIONS)
def verb(request: pytest.FixtureRequest, claude_programs: Mapping[str, ClientProgram], tmp_path: Path) -> Verb:
    return Verb(tmp_path, claude_programs[request.param])


def seeded(verb: Verb, settings: dict[str, Any] | None = None) -> None:
    """A home whose user has answered the questions of the first start."""
    trusted = {str(verb.home): {"hasTrustDialogAccepted": True}}
    state = {"hasCompletedOnboarding": True, "hasSeenAutoDefaultNudge": True, "projects": trusted}
    (verb.home / ".claude.json").write_text(json.dumps(state))
    (verb.home / ".claude").mkdir(exist_ok=True)
    own = {"permissions": {"defaultMode": "acceptEdits"}} | (settings or {})
    (verb.home / ".claude" / "settings.json").write_text(json.dumps(own))


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "landline", "launch", "claude", *args]


def model_server(**options: Any) -> ModelServer:
    said = Answer(text="hello to everybody, this is the whole answer, in more than a few words")
    return ModelServer(lambda body: said, models=["Qwen3.5-27B"], window=65_536, prefix_cache=True, **options)


async def test_a_headless_run_says_nothing_of_its_own_unless_it_is_asked(verb: Verb):
    async with model_server() as backend:
        code, out, err = await verb.run("--backend", backend.url, "--", "-p", "say hi")
        assert (code, out.startswith("hello")) == (0, True)
        assert "65,536" not in err
        code, _, err = await verb.run("--backend", backend.url, "--receipt", "--", "-p", "say hi")
    assert code == 0
    lines = {line.split()[0]: line for line in err.splitlines() if line.startswith("  ")}
    assert "65,536 tokens; compacts at about 40,960; answers up to 16,384" in lines["window"]
    assert f"vllm 0.32.0 at {backend.url}" in lines["backend"]
    assert "telemetry" in lines["off"]
    assert "WebFetch" in lines["left"]
    assert "cache" in lines


async def test_a_backend_that_loads_is_waited_for(verb: Verb):
    looks = 4

    def loading(request: Request) -> list[Step] | None:
        nonlocal looks
        looks -= request.path == "/v1/models"
        return json_answer(503, {"error": {"message": "Loading model"}}) if looks > 0 else None

    async with model_server(kind="llamacpp", override=loading) as backend:
        code, out, err = await verb.run("--backend", backend.url, "--receipt", "--", "-p", "say hi")
    assert (code, out.startswith("hello")) == (0, True)
    assert "waiting for the backend" in err
    assert "answered 503" in err
    assert "65,536 tokens" in err  # llama.cpp tells its window only when it has loaded


async def test_the_status_line_stands_on_the_clients_own_screen(verb: Verb):
    seeded(verb)
    async with model_server(gap_s=0.03) as backend:
        args = command("--backend", backend.url, "--status-line")
        async with on_screen(args, env=verb.environ(), cwd=verb.home) as screen:
            await screen.shows("window 65.5k")  # before the first turn
            await prompt(screen)
            # What stays as it was is not drawn again: only from here on is it all new.
            await screen.shows("%) · cache 0 % · ")
            await screen.shows("tokens/s")
        used, size = re.findall(r"([0-9.]+)k[a-z]*[0-9.]+k\((\d+)%\)·cache", screen.text)[-1]
    # 4 bytes are a token there; a first request of the client on its screen is 40 to 60 kB.
    assert 8 <= float(used) <= 20
    assert int(size) == round(100 * float(used) / 65.536)


@pytest.mark.parametrize("replace", [False, True])
async def test_a_status_line_of_the_users_own_is_replaced_only_when_asked(verb: Verb, replace: bool):
    if verb.program.version != CLAUDE_VERSIONS[-1]:
        pytest.skip("the same for every version: it is decided before the client starts")
    seeded(verb, {"statusLine": {"type": "command", "command": "echo MY-OWN-LINE"}})
    async with model_server() as backend:
        flag = "--replace-status-line" if replace else "--status-line"
        async with on_screen(command("--backend", backend.url, flag), env=verb.environ(), cwd=verb.home) as screen:
            await screen.shows("window 65.5k" if replace else "MY-OWN-LINE")
    assert ("yours is kept".replace(" ", "") in screen.text) is not replace
    assert ("MY-OWN-LINE" in screen.text) is not replace


async def prompt(screen: Screen) -> None:
    await screen.shows("accept edits on")  # before, it does not read what is typed
    screen.type(PROMPT)
    await screen.shows(PROMPT)
    screen.type("\r")
    await screen.shows("this is the whole answer")


async def test_titles_are_made_without_the_model_when_asked_to(verb: Verb):
    """2.1.197 asks for a title on its screen; 2.1.329 does so only where its vendor's traffic is left on."""
    if verb.program.version == CLAUDE_VERSIONS[-1]:
        pytest.skip("this version asks for no title as launch starts it")
    seeded(verb)
    async with model_server() as backend:
        args = command("--backend", backend.url, "--local-titles")
        async with on_screen(args, env=verb.environ(), cwd=verb.home) as screen:
            await prompt(screen)
            screen.process.terminate()  # launch passes it on, and says what went through its gateway
            await screen.ends_with_words("2 requests;")
    assert [bool(chat.json.get("tools")) for chat in backend.chats] == [True]


async def test_a_missing_client_is_offered_on_a_screen_and_named_elsewhere(verb: Verb):
    if verb.program.version != CLAUDE_VERSIONS[-1]:
        pytest.skip("no client is started")
    async with model_server() as backend:
        env = verb.environ() | {"PATH": str(verb.home / "none"), "XDG_CACHE_HOME": str(verb.home / "cache")}
        async with on_screen(command("--backend", backend.url), env=env, cwd=verb.home) as screen:
            await screen.shows("Claude Code was not found. Install it from npm into")
            screen.type("n\r")
            await screen.ends_with_words("npm install -g @anthropic-ai/claude-code")
    assert backend.chats == []


async def test_ctrl_c_ends_the_waiting_and_leaves_nothing(verb: Verb):
    if verb.program.version != CLAUDE_VERSIONS[-1]:
        pytest.skip("no client is started")
    async with model_server(override=lambda request: json_answer(503, {"error": "Loading model"})) as backend:
        args = command("--backend", backend.url)
        async with on_screen(args, env=verb.environ(), cwd=verb.home) as screen:
            await screen.shows("waiting for the backend, 1 s:")
            await screen.shows("answered 503")
            screen.process.send_signal(signal.SIGINT)
            await screen.ends_with_words("landline: stopped")
    assert screen.process.returncode == 130
    assert "Traceback" not in screen.text
    assert verb.left_over == []
