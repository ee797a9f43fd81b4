"""What the doctor says of a client's setup, and what `landline launch` sets so that there is nothing to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from landline.clients.claude_code import launch_environment, permission_arguments, settings_overlay
from landline.clients.claude_launch import ClaudeCode
from landline.clients.doctor.diagnosing import diagnose
from landline.clients.doctor.finding import Severity, Source
from landline.clients.doctor.settings_in_force import Origin, SettingsInForce, Value, read_settings
from landline.clients.doctor.state import Client, Place, State
from landline.clients.install import ClientProgram
from landline.clients.launching import Request, Target
from landline.clients.live_gateway import Snapshot
from tests.fakes.client_setup import Doctored, Setup, good_env

URL = "http://127.0.0.1:4000"
NEW, OLD, OLDEST = (2, 1, 329), (2, 1, 197), (2, 1, 100)


def place(url: str = URL, *, version: str = "1", web_search: bool = False) -> Place:
    snapshot = Snapshot(version, web_search=web_search) if version else None
    return Place(url=url, answers=True, version=version, status=200, snapshot=snapshot)


def diagnosed(
    found: SettingsInForce, *, version: tuple[int, ...] = NEW, target: Place | None = None, **more: Any
) -> Doctored:
    """The diagnosis of settings, with a gateway that answers; nothing is asked."""
    target = target or place()
    state = State(
        client=Client("claude", version), settings=found, gateway=target, pointed_at=target, quick=True, **more
    )
    diagnosis, edits = diagnose(state)
    return Doctored(state, diagnosis.checks, {one.id: one.reason for one in diagnosis.not_tried}, edits)


def read(setup: Setup) -> SettingsInForce:
    return read_settings(home=setup.root, cwd=setup.project, environ=setup.environ, managed_root=setup.root / "managed")


def of_user(**env: str) -> SettingsInForce:
    values = {name: (Value(text, Origin.USER, Source("f", 1), Path("f")),) for name, text in env.items()}
    keys = {"permissions.defaultMode": values.pop("mode")} if "mode" in values else {}
    return SettingsInForce(env=values, keys=keys, user_file=Path("f"))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "home")


@pytest.mark.row("1.01")
@pytest.mark.row("1.02")
@pytest.mark.parametrize("path", ["/v1", "/v1/messages", "/v1/"])
def test_row_1_01_and_1_02_the_doctor_names_the_variable_and_where_it_stands(setup: Setup, path: str) -> None:
    file = setup.user(good_env(URL) | {"ANTHROPIC_BASE_URL": URL + path})
    told = diagnosed(read(setup)).of("base_url_path")
    assert told.finding.startswith(f"ANTHROPIC_BASE_URL ends in {path.rstrip('/')}")
    assert (told.severity, told.source.file) == (Severity.WARNING, str(file))
    assert told.fix.endswith(URL)
    other = diagnosed(read(setup), target=place(version="")).of("base_url_path")
    assert other.severity is Severity.ERROR  # on a server that is not landline the same is a 404


@pytest.mark.row("1.12")
def test_row_1_12_of_shell_and_settings_the_winner_is_named(setup: Setup) -> None:
    file = setup.user(good_env(URL))
    setup.shell = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:5000"}
    doctored = diagnosed(read(setup))
    assert doctored.of("base_url").finding == f"{URL} ({file}:6)"
    lost = doctored.of("shell_overruled")
    assert lost.finding == f"the shell's ANTHROPIC_BASE_URL has no effect: {file}:6 sets another value"
    local = setup.write("project/.claude/settings.local.json", {"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:6000"}})
    assert f"http://127.0.0.1:6000 ({local}:3)" in diagnosed(read(setup)).of("base_url").finding


@pytest.mark.row("1.13")
@pytest.mark.parametrize("text", ["PLEASE_SET_TOKEN", "your-api-key-here", "<token>"])
def test_row_1_13_a_placeholder_is_found_and_another_word_is_none(setup: Setup, text: str) -> None:
    file = setup.user(good_env(URL) | {"ANTHROPIC_AUTH_TOKEN": text})
    told = diagnosed(read(setup)).of("token")
    assert "placeholder" in told.finding
    assert told.source.file == str(file)
    setup.user(good_env(URL) | {"ANTHROPIC_AUTH_TOKEN": "sk-yours-and-true-000000"})
    assert diagnosed(read(setup)).of("token").severity is Severity.OK


# ------------------------------------------------------------------------------------------------ what launch sets


def environment(inherited: dict[str, str] | None = None, configured: dict[str, str] | None = None) -> dict[str, str]:
    return launch_environment(
        base_url=URL,
        token="t",
        model="m",
        window=131_072,
        max_output=32_000,
        inherited=inherited or {},
        configured=configured,
    )


@pytest.mark.row("1.14")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_row_1_14_a_proxy_does_not_catch_the_gateway(setup: Setup, name: str) -> None:
    proxy = {name: "http://proxy.corp:3128"}
    env = environment(proxy | {"NO_PROXY": "corp"})
    for exceptions in (env["NO_PROXY"], env["no_proxy"]):
        assert {"127.0.0.1", "localhost", "corp"} <= set(exceptions.split(","))
    setup.user(good_env(URL))
    assert diagnosed(read(setup)).of("proxy").severity is Severity.OK
    setup.shell = proxy
    told = diagnosed(read(setup)).of("proxy")
    assert (told.severity, told.source.file) == (Severity.ERROR, "shell environment")
    assert f"{name} is set and NO_PROXY does not name 127.0.0.1" in told.finding
    setup.shell = proxy | {"NO_PROXY": "127.0.0.1"}
    assert diagnosed(read(setup)).of("proxy").severity is Severity.OK


@pytest.mark.row("1.15")
def test_row_1_15_launch_has_the_client_ask_for_the_models() -> None:
    """tests/clients/test_launch_settings.py counts the one question of the real client."""
    name = "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"
    env = environment()
    assert env.get(name) == "1"
    overlay: Any = settings_overlay(env)
    assert overlay["env"][name] == "1"
    assert environment(configured={name: "0"})[name] == "0"  # whoever does not want it says so
    assert "models in the picker: on" in gates(**{name: "1"})


def gates(version: tuple[int, ...] = NEW, target: Place | None = None, **env: str) -> str:
    return diagnosed(of_user(**env), version=version, target=target).of("features").finding


QUIET = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"
DISCOVERY = "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"


@pytest.mark.row("1.16")
@pytest.mark.parametrize(
    ("version", "env", "gate"),
    [
        (NEW, {}, "tool search: emulated"),
        (OLD, {}, "tool search: off"),
        (OLD, {"ENABLE_TOOL_SEARCH": "true"}, "tool search: emulated"),
        (NEW, {"ENABLE_TOOL_SEARCH": "false"}, "tool search: off"),
        (NEW, {}, "vendor's permission classifier: off (it asks you at every action"),
        (NEW, {"mode": "auto"}, "vendor's permission classifier: off"),
        (NEW, {"mode": "acceptEdits"}, "vendor's permission classifier: not asked"),
        (OLD, {}, "vendor's permission classifier: not asked"),
        (NEW, {}, "vendor's window of a million: off"),
        (NEW, {"_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL": "1"}, "vendor's window of a million: asked for"),
        (NEW, {DISCOVERY: "1", QUIET: "1"}, "models in the picker: on"),
        (OLD, {DISCOVERY: "1", QUIET: "1"}, f"models in the picker: off ({QUIET}"),
        (OLD, {DISCOVERY: "1"}, "models in the picker: on"),
    ],
)
def test_row_1_16_which_gates_are_open_by_version_and_settings(
    version: tuple[int, ...], env: dict[str, str], gate: str
) -> None:
    assert gate in gates(version, **env)


@pytest.mark.row("1.16")
@pytest.mark.parametrize(
    ("version", "args", "document", "added"),
    [
        ("2.1.329", (), {}, True),
        ("2.1.197", (), {}, False),
        ("2.1.329", ("--permission-mode=plan",), {}, False),
        ("2.1.329", ("--dangerously-skip-permissions",), {}, False),
        ("2.1.329", (), {"permissions": {"defaultMode": "acceptEdits"}}, False),
        ("2.1.329", (), {"permissions": {"allow": ["Bash"]}}, True),
    ],
)
def test_row_1_16_without_a_mode_of_the_users_the_screen_asks_by_rules(
    tmp_path: Path, version: str, args: tuple[str, ...], document: dict[str, object], added: bool
) -> None:
    """Measured with the screen of 2.1.329: with `--permission-mode default` the field `safeguards` is gone."""
    wanted = ("--permission-mode", "default") if added else ()
    assert permission_arguments(args, [document], version) == wanted
    setup = Setup(tmp_path / "home")
    setup.write(".claude/settings.json", document)
    target = Target(base_url=URL, token="t", model="m", window=131_072)
    program = ClientProgram(Path("claude"), version, "PATH")
    for number, own in enumerate((args, ("-p", "hi", *args))):
        folder = tmp_path / f"launch-{number}"
        folder.mkdir()
        request = Request(args=own, environ=setup.environ, home=setup.root, cwd=setup.project, folder=folder)
        argv = ClaudeCode(managed_root=setup.root / "managed").prepare(target, program, request).argv
        assert argv[3:] == (*(wanted if own == args else ()), *own)


@pytest.mark.row("1.16")
def test_row_1_16_the_doctor_says_what_the_mode_does() -> None:
    told = diagnosed(of_user()).of("permission_mode")
    assert "`auto`" in told.finding
    assert "acceptEdits" in told.fix
    assert diagnosed(of_user(mode="plan")).of("permission_mode").severity is Severity.OK


GOLDEN = {
    OLDEST: "tool search: off (all tools are sent each turn); thinking: on; web search: emulated; PDF: emulated; "
    "token counts: on; models in the picker: on; all tools: on; vendor's permission classifier: not asked; "
    "vendor's window of a million: off",
    NEW: "tool search: emulated; thinking: on; web search: emulated; PDF: emulated; token counts: on; models in the "
    "picker: on; all tools: on; vendor's permission classifier: off (it asks you at every action: see "
    "permission_mode); vendor's window of a million: off",
}
GOLDEN[OLD] = GOLDEN[OLDEST]


@pytest.mark.row("9.10")
@pytest.mark.parametrize("version", GOLDEN)
def test_row_9_10_each_feature_is_said_to_be_on_emulated_or_off(version: tuple[int, ...]) -> None:
    assert gates(version, place(web_search=True), **{DISCOVERY: "1"}) == GOLDEN[version]


@pytest.mark.row("9.10")
def test_row_9_10_without_a_search_service_or_landline_that_is_said() -> None:
    assert "web search: off (search.url is not set in landline)" in gates()
    alone = gates(NEW, place(version=""), CLAUDE_CODE_SIMPLE="1", CLAUDE_CODE_DISABLE_THINKING="1")
    for told in ("web search: off (a model server has none)", "all tools: off", "thinking: off", "PDF: as the server"):
        assert told in alone
