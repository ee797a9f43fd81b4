"""Which value counts, where it stands, and what becomes of files that cannot be used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from landline.clients.doctor.settings_in_force import Origin, SettingsInForce, read_settings


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))
    return path


def read(root: Path, environ: dict[str, str] | None = None) -> SettingsInForce:
    (root / "project").mkdir(exist_ok=True)
    return read_settings(
        home=root, cwd=root / "project", environ=environ or {}, managed_root=root / "managed", platform="linux"
    )


def test_every_source_wins_over_those_before_it(tmp_path: Path) -> None:
    files = {
        Origin.STATE: ".claude.json",
        Origin.USER: ".claude/settings.json",
        Origin.PROJECT: "project/.claude/settings.json",
        Origin.LOCAL: "project/.claude/settings.local.json",
        Origin.MANAGED: "managed/etc/claude-code/managed-settings.json",
    }
    assert read(tmp_path, {"X": "shell"}).text("X") == "shell"
    for origin, name in files.items():
        path = write(tmp_path / name, {"env": {"X": name}})
        value = read(tmp_path, {"X": "shell"}).value("X")
        assert value is not None
        assert (value.text, value.origin, value.path) == (name, origin, path)
        assert str(value.source) == f"{path}:3"
    assert len(read(tmp_path, {"X": "shell"}).all_values("X")) == 6


def test_drop_ins_win_over_the_managed_file(tmp_path: Path) -> None:
    folder = tmp_path / "managed" / "etc" / "claude-code"
    write(folder / "managed-settings.json", {"env": {"X": "main"}})
    write(folder / "managed-settings.d" / "10.json", {"env": {"X": "ten"}})
    assert read(tmp_path).text("X") == "ten"


def test_the_empty_text_unsets(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.json", {"env": {"X": ""}})
    assert read(tmp_path, {"X": "shell"}).value("X") is None


def test_numbers_are_text_and_other_types_are_nothing(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.json", {"env": {"N": 5, "NULL": None}, "model": "m"})
    settings = read(tmp_path)
    assert (settings.text("N"), settings.value("NULL")) == ("5", None)
    assert settings.key("model") is not None


def test_a_moved_configuration(tmp_path: Path) -> None:
    path = write(tmp_path / "moved" / "settings.json", {"env": {"X": "moved"}})
    settings = read(tmp_path, {"CLAUDE_CONFIG_DIR": str(tmp_path / "moved")})
    assert (settings.text("X"), settings.user_file) == ("moved", path)


def test_the_home_folder_as_the_project(tmp_path: Path) -> None:
    path = write(tmp_path / ".claude" / "settings.json", {"env": {"X": "1"}})
    settings = read_settings(home=tmp_path, cwd=tmp_path, environ={}, managed_root=tmp_path / "none")
    assert [value.path for value in settings.all_values("X")] == [path]
    assert settings.all_values("X")[0].origin is Origin.USER


@pytest.mark.parametrize("document", [{"env": {"X": "1"}, "model": 5}, {"env": {"X": "1", "Y": ["a"]}}, {"env": []}])
def test_a_wrong_type_loses_the_whole_file(tmp_path: Path, document: dict[str, Any]) -> None:
    path = write(tmp_path / ".claude" / "settings.json", document)
    settings = read(tmp_path)
    assert settings.value("X") is None
    (ignored,) = settings.ignored
    assert ignored.source.file == str(path)
    assert ignored.source.line > 0


BROKEN: dict[str, bytes] = {
    "no-json": b'{\n "env": {"TOKEN": "canary"\n',
    "a-list": b"[1]",
    "not-utf-8": b'{"env": {"X": "\xff\xfe"}}',
    "utf-16": '{"env": {"X": "1"}}'.encode("utf-16"),
    "deep": b"[" * 100_000,
    "nul": b"\x00" * 10,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_told_without_its_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_bytes(BROKEN[kind])
    settings = read(tmp_path)
    (told,) = settings.unreadable
    assert told.path == path
    assert "canary" not in str(told)
    assert not settings.user_file_usable
    assert settings.value("X") is None


def test_the_line_of_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_bytes(BROKEN["no-json"])
    assert read(tmp_path).unreadable[0].line == 3


def test_a_mark_at_the_beginning_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path / ".claude" / "settings.json", {"env": {"X": "1"}})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert str(read(tmp_path).all_values("X")[0].source) == f"{path}:3"


def test_what_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / ".claude"
    folder.mkdir()
    os.mkfifo(folder / "settings.json")  # would be read for ever
    assert "not a file" in str(read(tmp_path).unreadable[0])
    (folder / "settings.json").unlink()
    (folder / "settings.json").mkdir()
    assert len(read(tmp_path).unreadable) == 1


def test_links_are_followed_and_loops_are_told(tmp_path: Path) -> None:
    real = write(tmp_path / "dotfiles" / "claude.json", {"env": {"X": "1"}})
    link = tmp_path / ".claude" / "settings.json"
    link.parent.mkdir()
    link.symlink_to(real)
    assert read(tmp_path).text("X") == "1"
    link.unlink()
    link.symlink_to(link)
    assert len(read(tmp_path).unreadable) == 1
    link.unlink()
    link.symlink_to(tmp_path / "gone")  # leads nowhere: as if there were none
    assert read(tmp_path).unreadable == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / ".claude" / "settings.json", {"env": {"X": "1"}})
    path.chmod(0)
    assert "ermission" in str(read(tmp_path).unreadable[0])


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / ".claude" / "settings.json"
    path.parent.mkdir()
    with path.open("wb") as opened:
        opened.truncate(70 * 2**20)  # takes no room on the disk
    assert "larger than 64 MiB" in str(read(tmp_path).unreadable[0])
