"""The record of trusted files: bytes and resolved path, revocation, atomic private writes, damage."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landline.config.keys import known_keys
from landline.config.trust import (
    RESTRICTED,
    TrustState,
    is_restricted,
    is_trusted,
    restricted_entries,
    revoke,
    trust,
    trust_state,
    trusted_files,
)
from landline.errors import SettingsError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "data" / "landline" / "trusted.json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "landline.toml"
    file.write_text('[backend]\nurl = "http://model"\n')
    return file


def test_trust_holds_for_the_bytes_that_were_trusted(file: Path, store: Path) -> None:
    assert not is_trusted(file, store)
    trust(file, store)
    assert is_trusted(file, store)
    before = file.read_bytes()
    file.write_bytes(before + b"\n")
    assert trust_state(file, store) is TrustState.CHANGED
    file.write_bytes(before)
    assert is_trusted(file, store)


def test_the_content_that_was_shown_is_what_counts(file: Path, store: Path) -> None:
    shown = file.read_bytes()
    file.write_bytes(b"swapped meanwhile")
    trust(file, store, content=shown)
    assert not is_trusted(file, store)
    assert is_trusted(file, store, content=shown)


def test_the_same_bytes_elsewhere_are_not_trusted(file: Path, store: Path, tmp_path: Path) -> None:
    trust(file, store)
    copy = tmp_path / "copy.toml"
    copy.write_bytes(file.read_bytes())
    assert trust_state(copy, store) is TrustState.UNKNOWN


def test_a_link_is_the_file_it_points_at(file: Path, store: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    trust(link, store)
    assert is_trusted(file, store)
    assert list(trusted_files(store)) == [file.resolve()]


def test_revoke_forgets_also_a_file_that_is_gone(file: Path, store: Path) -> None:
    assert not revoke(file, store)
    trust(file, store)
    file.unlink()
    assert trusted_files(store) == {file.resolve(): TrustState.CHANGED}
    assert revoke(file, store)
    assert trusted_files(store) == {}


def test_a_missing_file_cannot_be_trusted(store: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read, so it cannot be trusted"):
        trust(tmp_path / "gone.toml", store)
    assert not store.exists()


def test_the_store_is_private_and_nothing_is_left_behind(file: Path, store: Path) -> None:
    old = os.umask(0)
    try:
        trust(file, store)
    finally:
        os.umask(old)
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in store.parent.iterdir()) == ["trusted.json", "trusted.lock"]
    assert list(json.loads(store.read_text())["files"]) == [str(file.resolve())]


def test_writers_at_the_same_time_lose_nothing(store: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.toml" for number in range(16)]
    for file in files:
        file.write_text("")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: trust(file, store), files))
    assert len(trusted_files(store)) == len(files)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": {"a": 1}}', b"\xff", b'{"files": {}, "more": 1}'])
def test_a_damaged_store_trusts_nobody_and_says_so(file: Path, store: Path, content: bytes) -> None:
    store.parent.mkdir(parents=True)
    store.write_bytes(content)
    for action in (is_trusted, trust, revoke):
        with pytest.raises(SettingsError, match=r"trusted\.json is damaged") as caught:
            action(file, store)
        assert "Remove it" in caught.value.hint
    assert store.read_bytes() == content


def test_a_store_that_cannot_be_read_or_written_is_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        is_trusted(file, tmp_path)
    blocked = tmp_path / "a file"
    blocked.write_text("")
    with pytest.raises(SettingsError, match="cannot be"):
        trust(file, blocked / "trusted.json")


def test_every_restricted_name_exists_or_is_reserved() -> None:
    keys = known_keys()
    tables = {key.table for key in keys.values()}
    assert {name for name in RESTRICTED if name not in tables and name not in keys} == {"commands"}


def test_restricted_keys_are_found_by_their_parts() -> None:
    assert is_restricted(("backend", "key"))
    assert is_restricted(("gateway", "hosts"))
    assert not is_restricted(("gateway", "port"))
    assert not is_restricted(("gateway.host",))
    assert not is_restricted(("embedded", "threads"))
    data = {"backend": {"url": "x"}, "gateway": {"port": 1, "keys": []}, "egress": True, "other": 1}
    assert restricted_entries(data) == {("backend", "url"): "x", ("gateway", "keys"): [], ("egress",): True}


def test_a_project_decides_no_search_service_alone() -> None:
    """A command would run at the first search, an address would be told what is searched."""
    assert is_restricted(("search", "command"))
    assert is_restricted(("search", "url"))
    assert not is_restricted(("search", "max_results"))
