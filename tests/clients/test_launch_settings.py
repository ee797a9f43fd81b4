"""The real Claude Code over settings that point elsewhere: only the gateway may be asked, with our token and model.

Every run has a temporary HOME and an environment of its own; whatever leaves loopback would meet the recording proxy.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from landline.clients.claude_code import compaction_point, declared_window, output_limit
from landline.clients.claude_launch import ClaudeCode
from landline.clients.install import ClientProgram
from landline.clients.launching import Request, Target
from landline.errors import SettingsError
from tests.clients.recording_server import Answer, RecordingServer, recording_server
from tests.fixtures_real import CLAUDE_VERSIONS

pytestmark = [pytest.mark.clients, pytest.mark.timeout(60)]


@pytest.fixture(params=CLAUDE_VERSIONS)
def program(request: pytest.FixtureRequest, claude_programs: Mapping[str, ClientProgram]) -> ClientProgram:
    return claude_programs[request.param]


@pytest.fixture
def gateway() -> Generator[RecordingServer]:
    with recording_server() as server:
        yield server


@pytest.fixture
def elsewhere() -> Generator[RecordingServer]:
    with recording_server() as server:
        yield server


@dataclass(frozen=True)
class Home:
    """A user's home and project, with the settings files of a test. `run` returns the client's exit code and output."""

    root: Path
    program: ClientProgram

    @property
    def project(self) -> Path:
        return self.root / "project"

    def write(self, name: str, value: object) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
        return path

    def environ(self, shell: dict[str, str] | None = None) -> dict[str, str]:
        # One try only; vendors' services are reached through a proxy that refuses, or not at all.
        base = {"PATH": os.environ["PATH"], "HOME": str(self.root), "LANG": "C.UTF-8", "CLAUDE_CODE_MAX_RETRIES": "0"}
        base |= {"TMPDIR": str(self.root), "CLAUDE_CODE_TMPDIR": str(self.root)}  # else it leaves folders behind
        return base | {"HTTPS_PROXY": "http://127.0.0.1:9"} | (shell or {})

    def request(self, shell: dict[str, str], args: tuple[str, ...] = ()) -> Request:
        self.project.mkdir(exist_ok=True)
        folder = self.root / "launch"
        folder.mkdir()
        return Request(
            args=("-p", "say hi", *args), environ=self.environ(shell), home=self.root, cwd=self.project, folder=folder
        )

    def launch(
        self,
        gateway: RecordingServer,
        *,
        shell: dict[str, str] | None = None,
        args: tuple[str, ...] = (),
        window: int = 131_072,
    ) -> subprocess.CompletedProcess[str]:
        target = Target(base_url=gateway.url, token="our-token", model="served", window=window)
        client = ClaudeCode(managed_root=self.root / "no-managed-settings")
        request = self.request(shell or {}, args)
        client.check(target, self.program, request)
        prepared = client.prepare(target, self.program, request)
        return self.run(list(prepared.argv), prepared.env)

    def run(self, argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.project,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=40,
        )


@pytest.fixture
def home(tmp_path: Path, program: ClientProgram) -> Home:
    return Home(tmp_path, program)


def hostile_env(url: str) -> dict[str, str]:
    """Whatever could point a client elsewhere, as people have it in their files; a socket is a case of its own."""
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": "foreign",
        "ANTHROPIC_API_KEY": "foreign",
        "ANTHROPIC_MODEL": "foreign",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "foreign",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "foreign",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "foreign",
        "ANTHROPIC_SMALL_FAST_MODEL": "foreign",
        "CLAUDE_CODE_SUBAGENT_MODEL": "foreign",
        "HTTP_PROXY": url,
        "http_proxy": url,
        "HTTPS_PROXY": url,
        "https_proxy": url,
        "ALL_PROXY": url,
        "NO_PROXY": "corp",
        "no_proxy": "corp",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64000",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "",
        "DISABLE_PROMPT_CACHING": "1",
    }


def assert_only_ours(gateway: RecordingServer, elsewhere: RecordingServer) -> None:
    assert [request.path for request in elsewhere.requests] == []
    assert gateway.messages
    for request in gateway.messages:
        assert request.headers["authorization"] == "Bearer our-token"
        assert "x-api-key" not in request.headers
        assert request.body["model"] == "served"
        assert request.body["max_tokens"] == 32_000


def test_without_the_overlay_a_hostile_settings_file_wins_over_the_environment(
    home: Home, gateway: RecordingServer, elsewhere: RecordingServer
):
    """The control: this is what the overlay is for."""
    home.write(".claude/settings.json", {"env": hostile_env(elsewhere.url)})
    ours = {"ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_AUTH_TOKEN": "our-token", "NO_PROXY": "127.0.0.1"}
    request = home.request(ours)
    home.run([str(home.program.path), *request.args], dict(request.environ))
    assert gateway.messages == []
    assert elsewhere.messages[0].headers["authorization"] == "Bearer foreign"


@pytest.mark.parametrize(
    "file",
    [".claude/settings.json", "project/.claude/settings.json", "project/.claude/settings.local.json", ".claude.json"],
)
def test_no_settings_file_of_the_user_takes_the_client_elsewhere_and_none_is_changed(
    home: Home, gateway: RecordingServer, elsewhere: RecordingServer, file: str
):
    settings: dict[str, Any] = {"env": hostile_env(elsewhere.url)}
    if file != ".claude.json":
        settings |= {"apiKeyHelper": "printf foreign", "model": "foreign", "availableModels": ["opus"]}
    path = home.write(file, settings)
    done = home.launch(gateway, shell=hostile_env(elsewhere.url))
    assert (done.returncode, done.stdout.strip()) == (0, "ok")
    assert_only_ours(gateway, elsewhere)
    assert file == ".claude.json" or json.loads(path.read_text()) == settings  # .claude.json is the client's own state


@pytest.mark.parametrize(
    "switch",
    [
        {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-east-1"},
        {"CLAUDE_CODE_USE_VERTEX": "1", "ANTHROPIC_VERTEX_PROJECT_ID": "a", "CLOUD_ML_REGION": "b"},
        {"CLAUDE_CODE_USE_FOUNDRY": "1", "ANTHROPIC_FOUNDRY_RESOURCE": "abc", "ANTHROPIC_FOUNDRY_API_KEY": "k"},
        {"CLAUDE_CODE_USE_MANTLE": "1", "AWS_REGION": "us-east-1"},
        {"CLAUDE_CODE_USE_ANTHROPIC_AWS": "1", "ANTHROPIC_AWS_API_KEY": "k", "AWS_REGION": "us-east-1"},
        {"CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD": "1", "ANTHROPIC_GOOGLE_CLOUD_PROJECT": "a"},
        {"CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"},
    ],
    ids=lambda switch: next(iter(switch)),
)
def test_another_provider_in_settings_and_shell_is_switched_off(
    home: Home, gateway: RecordingServer, elsewhere: RecordingServer, switch: dict[str, str]
):
    home.write(".claude/settings.json", {"env": {**switch, "HTTPS_PROXY": elsewhere.url}})
    done = home.launch(gateway, shell=switch)
    assert (done.returncode, done.stdout.strip()) == (0, "ok")
    assert_only_ours(gateway, elsewhere)


def test_a_socket_in_the_settings_is_overruled_or_stops_the_launch(
    home: Home, gateway: RecordingServer, elsewhere: RecordingServer
):
    home.write(".claude/settings.json", {"env": {"ANTHROPIC_UNIX_SOCKET": str(home.root / "no.sock")}})
    if home.program.version == "2.1.197":
        with pytest.raises(SettingsError, match=r"settings\.json: env\.ANTHROPIC_UNIX_SOCKET"):
            home.launch(gateway)
        return
    assert home.launch(gateway).returncode == 0
    assert_only_ours(gateway, elsewhere)


@pytest.mark.parametrize("inline", [True, False])
def test_the_users_own_settings_argument_keeps_its_hooks_and_loses_its_gateway(
    home: Home, gateway: RecordingServer, elsewhere: RecordingServer, inline: bool
):
    hook = {"type": "command", "command": "touch $HOME/hook-ran"}
    own = {"env": hostile_env(elsewhere.url), "hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}}
    value = json.dumps(own) if inline else str(home.write("own.json", own))
    done = home.launch(gateway, args=("--settings", value))
    assert (done.returncode, done.stdout.strip()) == (0, "ok")
    assert_only_ours(gateway, elsewhere)
    assert (home.root / "hook-ran").exists()


def test_the_users_permission_rules_hold(home: Home, gateway: RecordingServer):
    home.write(".claude/settings.json", {"permissions": {"allow": ["Bash(touch allowed)"]}})
    steps = [Answer(command="touch allowed"), Answer(command="touch not-allowed"), Answer()]
    gateway.respond = lambda body: steps[json.dumps(body["messages"]).count('"tool_result"')]
    assert home.launch(gateway).returncode == 0
    assert (home.project / "allowed").exists()
    assert not (home.project / "not-allowed").exists()


def test_a_model_named_on_the_command_line_is_asked_for(home: Home, gateway: RecordingServer):
    assert home.launch(gateway, args=("--model", "his-choice")).returncode == 0
    assert gateway.messages[0].body["model"] == "his-choice"


@pytest.mark.parametrize("window", [8192, 32_768, 131_072])
def test_the_client_compacts_where_the_receipt_says(home: Home, gateway: RecordingServer, window: int):
    point, step = compaction_point(declared_window(window), output_limit(window)), window // 64
    reported: list[int] = []

    def respond(body: dict[str, Any]) -> Answer:
        if "<analysis>" in json.dumps(body["messages"][-1]):
            return Answer("<analysis>a</analysis><summary>s</summary>")
        if not body.get("tools") or (reported and reported[-1] >= point):
            return Answer()
        reported.append(point - 4 * step + len(reported) * step)
        return Answer(command="true", input_tokens=reported[-1])

    gateway.respond = respond
    shell = {"CLAUDE_CODE_SIMPLE": "1"} if window < 16_384 else {}
    done = home.launch(gateway, shell=shell, args=("--allowedTools", "Bash(true)"), window=window)
    assert done.returncode == 0
    summaries = [request for request in gateway.messages if "<analysis>" in json.dumps(request.body["messages"][-1])]
    assert len(summaries) == 1
    assert point <= reported[-1] <= point + step


def test_the_gateway_is_asked_once_for_its_models(home: Home, gateway: RecordingServer):
    """Row 1.15. 197 asks for none where it is told to be quiet."""
    assert home.launch(gateway).returncode == 0
    asked = [request.path for request in gateway.requests if request.method == "GET"]
    assert asked == (["/v1/models?limit=1000"] if home.program.version >= "2.1.329" else [])


def test_the_screen_asks_no_classifier_of_the_vendors(home: Home, gateway: RecordingServer):
    """Row 1.16: without `--permission-mode` the screen of 329 sends `safeguards`, and then asks at every action."""
    trusted = {"hasCompletedOnboarding": True, "projects": {str(home.project): {"hasTrustDialogAccepted": True}}}
    home.write(".claude.json", trusted)
    request = replace(home.request({"TERM": "xterm-256color"}), args=())
    target = Target(base_url=gateway.url, token="our-token", model="served", window=131_072)
    prepared = ClaudeCode(managed_root=home.root / "none").prepare(target, home.program, request)
    with screen(prepared.argv, prepared.env, home.project) as (seen, typed):
        seen("\u276f")  # the prompt
        while not any(message.body.get("tools") for message in gateway.messages):
            typed("say hi")
            time.sleep(1)
            typed("\r")
            seen("ok")
    (main,) = [message.body for message in gateway.messages if message.body.get("tools")]
    assert main["messages"]
    assert "safeguards" not in main


@contextmanager
def screen(argv: Sequence[str], env: Mapping[str, str], cwd: Path):
    """A terminal of 50 lines: `seen` waits for a text on it, `typed` types one."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 150, 0, 0))
    process = subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    out = bytearray()

    def seen(text: str) -> None:
        begin, deadline = len(out), time.monotonic() + 20
        while text.encode() not in out[begin:]:
            assert time.monotonic() < deadline, out[-2000:]
            if select.select([ours], [], [], 0.1)[0]:
                out.extend(os.read(ours, 65536))

    try:
        yield seen, lambda text: os.write(ours, text.encode())
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


async def test_two_clients_at_once_have_an_overlay_each(tmp_path: Path, program: ClientProgram):
    with recording_server() as one, recording_server() as two:
        homes = [Home(tmp_path / name, program) for name in ("one", "two")]
        for home in homes:
            home.root.mkdir()
        await asyncio.gather(*(asyncio.to_thread(home.launch, s) for home, s in zip(homes, (one, two), strict=True)))
        assert len(one.messages) == len(two.messages) == 1
