"""Edits of files, their difference, their backup, and the way back."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from landline.clients.doctor.finding import Edit
from landline.clients.doctor.fixes import apply, backups, changes_of, difference, restore, restoring
from landline.errors import SettingsError

SECRET = "sk-canary-0123456789"
BEFORE = f"""{{
  "env": {{
    "ANTHROPIC_AUTH_TOKEN": "{SECRET}",
    "ANTHROPIC_BASE_URL": "http://user:{SECRET}@host/v1",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64000"
  }},
  "hooks": {{ "kept":   ["as", "it"  , "is"] }}
}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    path.write_text(BEFORE)
    path.chmod(0o644)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "backups"


def url(file: Path, value: str = "http://host") -> Edit:
    return Edit(file, ("env", "ANTHROPIC_BASE_URL"), value)


def test_everything_else_stays(file: Path, folder: Path) -> None:
    (change,) = changes_of([url(file), Edit(file, ("env", "NEW"), "1")])
    apply((change,), folder)
    expected = BEFORE.replace(f"http://user:{SECRET}@host/v1", "http://host")
    expected = expected.replace('"64000"\n', '"64000",\n    "NEW": "1"\n')
    assert file.read_text() == expected
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_the_difference_shows_no_secret(file: Path) -> None:
    token = Edit(file, ("env", "ANTHROPIC_AUTH_TOKEN"), "another-canary-token")
    (change,) = changes_of([url(file), token])
    shown = "\n".join(difference(change.before, change.after, str(file)))
    assert "canary" not in shown
    assert '-    "ANTHROPIC_AUTH_TOKEN": "[set]"' in shown
    assert '+    "ANTHROPIC_AUTH_TOKEN": "[set to another value]"' in shown
    assert '+    "ANTHROPIC_BASE_URL": "http://host"' in shown
    assert "64000" in shown  # a number of tokens is no secret


def test_a_secret_that_leaves_or_comes_is_in_the_difference(file: Path) -> None:
    (change,) = changes_of([Edit(file, ("env", "ANTHROPIC_AUTH_TOKEN"), remove=True)])
    shown = difference(change.before, change.after, "f")
    assert '-    "ANTHROPIC_AUTH_TOKEN": "[set]",' in shown
    assert not any("canary" in line for line in shown)


def test_secrets_deep_in_a_file_are_not_shown_beside_a_change(file: Path) -> None:
    deep = {"servers": {"one": {"headers": {"Authorization": f"Bearer {SECRET}"}}}, "model": "a"}
    file.write_text(json.dumps(deep, indent=1))
    (change,) = changes_of([Edit(file, ("servers",), "x"), Edit(file, ("model",), "b")])
    assert "canary" not in "\n".join(difference(change.before, change.after, "f"))


def test_restore_is_byte_by_byte(file: Path, folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "deep" / "er" / "settings.json"
    apply(changes_of([url(file), Edit(new, ("env", "A"), "1")]), folder)
    assert json.loads(new.read_text()) == {"env": {"A": "1"}}
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    (backup,) = backups(folder)
    changes, changed_since = restoring(backup)
    assert changed_since == ()
    restore(backup, changes)
    assert file.read_text() == BEFORE
    assert not new.exists()
    assert backups(folder) == []


def test_two_repairs_are_undone_one_after_the_other(file: Path, folder: Path) -> None:
    apply(changes_of([url(file, "http://one")]), folder)
    first = file.read_bytes()
    apply(changes_of([url(file, "http://two")]), folder)
    for content in (first, BEFORE.encode()):
        backup = backups(folder)[-1]
        restore(backup, restoring(backup)[0])
        assert file.read_bytes() == content


def test_a_file_that_was_changed_since_is_told(file: Path, folder: Path) -> None:
    apply(changes_of([url(file)]), folder)
    file.write_text(file.read_text() + "\n")
    assert restoring(backups(folder)[-1])[1] == (file,)


def test_a_file_that_changes_meanwhile_is_not_overwritten(file: Path, folder: Path) -> None:
    changes = changes_of([url(file)])
    file.write_text("{}")
    with pytest.raises(SettingsError, match="changed meanwhile"):
        apply(changes, folder)
    assert file.read_text() == "{}"
    assert backups(folder) == []


def test_a_link_stays_a_link(file: Path, folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "home" / "settings.json"
    link.parent.mkdir()
    link.symlink_to(file)
    apply(changes_of([url(link)]), folder)
    assert link.is_symlink()
    assert "http://host" in file.read_text()


def test_backups_are_for_the_user_alone(file: Path, folder: Path) -> None:
    backup = apply(changes_of([url(file)]), folder)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in backup.iterdir()} == {0o600}


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_left_alone(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError):
        changes_of([url(file)])
    assert file.read_bytes() == content


def test_an_empty_file_and_a_mark_at_the_beginning(file: Path, folder: Path) -> None:
    file.write_bytes(b"")
    apply(changes_of([url(file)]), folder)
    assert json.loads(file.read_text()) == {"env": {"ANTHROPIC_BASE_URL": "http://host"}}
    file.write_bytes(b'\xef\xbb\xbf{"model": "a"}')
    apply(changes_of([Edit(file, ("model",), "b")]), folder)
    assert file.read_bytes() == b'\xef\xbb\xbf{"model": "b"}'


def test_nothing_to_change_is_no_change(file: Path) -> None:
    assert changes_of([Edit(file, ("env", "CLAUDE_CODE_MAX_OUTPUT_TOKENS"), "64000")]) == ()
    assert changes_of([Edit(file.parent / "none.json", ("env", "X"), remove=True)]) == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(file: Path, folder: Path) -> None:
    changes = changes_of([url(file)])
    file.parent.chmod(0o500)
    with pytest.raises(SettingsError):
        apply(changes, folder)
    file.parent.chmod(0o700)


def test_what_is_no_backup_is_passed_over(folder: Path) -> None:
    (folder / "strange").mkdir(parents=True)
    (folder / "strange" / "manifest.json").write_text("{")
    assert backups(folder) == []


def test_a_backup_that_lost_a_file(file: Path, folder: Path) -> None:
    backup = apply(changes_of([url(file)]), folder)
    (backup / "0.json").unlink()
    with pytest.raises(SettingsError, match="lost"):
        restoring(backup)
