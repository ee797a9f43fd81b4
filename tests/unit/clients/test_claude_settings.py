"""Reading Claude Code's settings files: where they are, in which order, and what a broken one becomes."""

from __future__ import annotations

import json
import plistlib
from pathlib import Path

import pytest

from landline.clients.claude_settings import read_managed_settings, read_settings_argument, read_user_settings
from landline.errors import SettingsError


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_managed_settings_of_linux_come_with_their_drop_ins_by_name(tmp_path: Path):
    folder = tmp_path / "etc/claude-code"
    write(folder / "managed-settings.d/20-b.json", {"env": {"A": "3"}})
    write(folder / "managed-settings.d/10-a.json", {"env": {"A": "2"}})
    write(folder / "managed-settings.d/.hidden.json", {"env": {"A": "4"}})
    write(folder / "managed-settings.d/readme.txt", "not settings")
    write(folder / "managed-settings.json", {"env": {"A": "1"}})
    files = read_managed_settings(root=tmp_path, platform="linux")
    assert [path.name for path, _ in files.documents] == ["managed-settings.json", "10-a.json", "20-b.json"]
    assert files.env == {"A": "3"}
    assert files.problems == ()


def test_a_machine_without_managed_settings_has_none(tmp_path: Path):
    assert read_managed_settings(root=tmp_path, platform="linux").documents == ()
    assert read_managed_settings(root=tmp_path, platform="darwin").documents == ()


@pytest.mark.parametrize(("inherits", "count"), [(True, 1), (False, 0)])
def test_windows_settings_count_on_wsl_only_where_they_say_so(tmp_path: Path, inherits: bool, count: int):
    path = tmp_path / "mnt/c/Program Files/ClaudeCode/managed-settings.json"
    write(path, {"wslInheritsWindowsSettings": inherits, "env": {"A": "1"}})
    assert len(read_managed_settings(root=tmp_path, platform="linux").documents) == count


def test_macos_has_a_folder_of_its_own_and_property_lists(tmp_path: Path):
    write(tmp_path / "Library/Application Support/ClaudeCode/managed-settings.json", {"env": {"A": "1"}})
    plist = tmp_path / "Library/Managed Preferences/me/com.anthropic.claudecode.plist"
    plist.parent.mkdir(parents=True)
    plist.write_bytes(plistlib.dumps({"env": {"B": "2"}}))
    assert read_managed_settings(root=tmp_path, platform="darwin", user="me").env == {"A": "1", "B": "2"}


@pytest.mark.parametrize("content", ['{"env": {"KEY": "sk-secret"', "[]", "\xff", '"text"'])
def test_a_broken_file_is_a_problem_that_names_the_file_and_not_its_content(tmp_path: Path, content: str):
    write(tmp_path / "etc/claude-code/managed-settings.json", content)
    files = read_managed_settings(root=tmp_path, platform="linux")
    assert files.documents == ()
    assert len(files.problems) == 1
    assert "managed-settings.json" in files.problems[0]
    assert "secret" not in files.problems[0]


def test_a_broken_property_list_is_a_problem(tmp_path: Path):
    write(tmp_path / "Library/Managed Preferences/com.anthropic.claudecode.plist", "<plist><dict>")
    assert len(read_managed_settings(root=tmp_path, platform="darwin").problems) == 1


def test_user_settings_rise_from_the_state_file_to_the_projects_local_file(tmp_path: Path):
    home, project = tmp_path / "home", tmp_path / "project"
    for number, path in enumerate(
        [
            home / ".claude.json",
            home / ".claude/settings.json",
            project / ".claude/settings.json",
            project / ".claude/settings.local.json",
        ]
    ):
        write(path, {"env": {"LAST": str(number), f"N{number}": "1"}})
    files = read_user_settings(home=home, cwd=project, environ={})
    assert files.env == {"LAST": "3", "N0": "1", "N1": "1", "N2": "1", "N3": "1"}


def test_a_moved_configuration_folder_is_followed(tmp_path: Path):
    write(tmp_path / "moved/settings.json", {"env": {"A": "moved"}})
    write(tmp_path / ".claude/settings.json", {"env": {"A": "home"}})
    environ = {"CLAUDE_CONFIG_DIR": str(tmp_path / "moved")}
    assert read_user_settings(home=tmp_path, cwd=tmp_path / "p", environ=environ).env == {"A": "moved"}


def test_the_settings_argument_is_json_text_or_a_file_of_the_working_folder(tmp_path: Path):
    write(tmp_path / "mine.json", {"model": "x"})
    assert read_settings_argument("mine.json", cwd=tmp_path)[1] == {"model": "x"}
    assert read_settings_argument(' {"model": "y"}', cwd=tmp_path)[1] == {"model": "y"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("absent.json", "absent.json"),
        ('{"env": {"K": "sk-secret"', "not JSON, line 1"),
        ('{"model": 5}', "model"),
        ('{"apiKeyHelper": null}', "apiKeyHelper"),
        ('{"permissions": []}', "permissions"),
        ('{"permissions": {"allow": "Read"}}', "permissions.allow"),
        ('{"env": []}', "env"),
        ('{"env": {"A": ["x"]}}', "env.A"),
        ('{"sandbox": 5}', "sandbox"),
    ],
)
def test_a_settings_argument_that_would_undo_ours_is_refused(tmp_path: Path, value: str, said: str):
    with pytest.raises(SettingsError) as caught:
        read_settings_argument(value, cwd=tmp_path)
    assert said in caught.value.message
    assert "secret" not in caught.value.text
    assert caught.value.hint
