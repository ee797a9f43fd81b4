"""`landline store` and `landline store clear`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from landline.cli.main import cli
from landline.server.response_file import KeptResponse, ResponseFile


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResponseFile:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LANDLINE_STORE_FILE", str(tmp_path / "responses.sqlite3"))
    return ResponseFile(tmp_path / "responses.sqlite3", limit=2**20)


def ran(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["store", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def filled(file: ResponseFile) -> None:
    for number in range(2):
        file.put(KeptResponse(f"resp_{number}", "me", int(time.time()) - 4000, "", b'["secret words"]', b"{}"))


def test_nothing_is_kept_and_nothing_made(file: ResponseFile) -> None:
    assert "off (store.responses = true" in ran()
    assert "Nothing is kept" in ran("clear")
    assert not file.path.exists()


def test_what_is_kept_is_counted_and_not_shown(file: ResponseFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDLINE_STORE_RESPONSES", "true")
    filled(file)
    said = ran()
    assert "Keeping responses is on." in said
    assert "2 responses of 1 key," in said
    assert "oldest: 1 h 6 min ago" in said
    told = json.loads(ran("--json"))
    assert (told["on"], told["responses"], told["keys"], told["file"]) == (True, 2, 1, str(file.path))
    assert "secret" not in said + json.dumps(told)


def test_clear_removes_the_file(file: ResponseFile) -> None:
    filled(file)
    assert json.loads(ran("clear", "--json")) == {"file": str(file.path), "removed": True, "responses": 2}
    assert not file.path.exists()


def test_a_damaged_file_is_told_and_cleared(file: ResponseFile) -> None:
    file.path.write_text("no database, whatever else it may be" * 40)
    said = ran(code=2)
    assert "is damaged" in said
    assert "landline store clear" in said
    assert "could not be read" in ran("clear")
    assert not file.path.exists()
