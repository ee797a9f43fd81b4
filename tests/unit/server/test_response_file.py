"""The file of kept responses: what it forgets, who may read it, and what it says when it cannot be used."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from landline.server.response_file import KEPT_S, VERSION, Held, KeptResponse, ResponseFile, Unkept

NOW = 1_800_000_000
MIB = 2**20


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> ResponseFile:
    return ResponseFile(tmp_path / "state" / "responses.sqlite3", limit=MIB, clock=clock)


def response(ident: str, *, owner: str = "me", created: int = NOW, size: int = 10) -> KeptResponse:
    words = f"[{os.urandom(size // 2).hex()!r}]".replace("'", '"').encode()
    return KeptResponse(ident, owner, created, "session", words, b'{"id":"%b"}' % ident.encode())


def test_what_was_put_is_found_by_its_key_alone(file: ResponseFile) -> None:
    one = response("resp_1")
    file.put(one)
    assert file.find("resp_1", "me") == one
    assert file.find("resp_1", "you") is None
    assert file.find("resp_2", "me") is None
    assert not file.remove("resp_1", "you")
    assert file.remove("resp_1", "me")
    assert file.find("resp_1", "me") is None


@pytest.mark.parametrize("ident", ["' OR '1'='1", "resp_1'; DROP TABLE responses; --", "%", "\0", "x" * 100_000])
def test_an_id_is_a_value_and_no_sql(file: ResponseFile, ident: str) -> None:
    file.put(response("resp_1"))
    assert file.find(ident, "me") is None
    assert file.find("resp_1", ident) is None
    assert not file.remove(ident, ident)
    assert file.held().responses == 1


def test_nothing_but_its_user_may_read_it_or_what_stands_beside_it(file: ResponseFile) -> None:
    before = os.umask(0)
    try:
        file.put(response("resp_1"))
        with contextlib.closing(sqlite3.connect(file.path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM responses")  # a journal stands beside it now
            files = list(file.path.parent.iterdir())
            assert len(files) == 2
            assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
            db.execute("ROLLBACK")
        assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
        file.path.chmod(0o644)
        file.put(response("resp_2"))
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_after_a_day_it_is_gone(file: ResponseFile, clock: Clock) -> None:
    file.put(response("resp_1"))
    clock.now += KEPT_S - 1
    assert file.find("resp_1", "me") is not None
    clock.now += 1
    assert file.find("resp_1", "me") is None
    assert not file.remove("resp_1", "me")
    assert file.held().responses == 1  # nobody has swept yet
    file.sweep()
    assert file.held() == Held()


def test_it_never_grows_beyond_its_limit_and_the_oldest_go_first(file: ResponseFile) -> None:
    for number in range(40):
        file.put(response(f"resp_{number}", created=NOW + number // 4, size=100_000))
        assert file.path.stat().st_size < 1.2 * MIB
    held = file.held()
    assert held.bytes <= MIB
    assert held.responses > 10
    assert [number for number in range(40) if file.find(f"resp_{number}", "me")] == list(range(40 - held.responses, 40))


def test_what_was_forgotten_cannot_be_found_in_the_file(file: ResponseFile) -> None:
    mark = b"resp_to_be_forgotten"
    file.put(response("resp_kept"))
    file.put(response(mark.decode()))
    assert mark in file.path.read_bytes()
    file.remove(mark.decode(), "me")
    assert mark not in file.path.read_bytes()


def test_one_that_is_larger_than_everything_evicts_nothing(file: ResponseFile) -> None:
    file.put(response("resp_1"))
    with pytest.raises(Unkept, match=r"larger than store\.limit_mib") as problem:
        file.put(response("resp_2", size=8 * MIB))
    assert not problem.value.file
    assert file.find("resp_1", "me") is not None


def test_looking_makes_no_file(file: ResponseFile) -> None:
    assert file.find("resp_1", "me") is None
    assert not file.remove("resp_1", "me")
    file.sweep()
    assert file.held() == Held()
    assert file.clear() == 0
    assert not file.path.parent.exists()


def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other(path: Path) -> None:
    path.write_text("this is no database, but it is long enough to be looked at as one. " * 20)


@pytest.mark.parametrize(
    ("break_it", "why"), [(newer, "written by a newer landline"), (half, "is damaged"), (other, "is damaged")]
)
def test_a_file_that_cannot_be_used_is_left_alone_until_it_is_cleared(
    file: ResponseFile, break_it: Callable[[Path], None], why: str
) -> None:
    file.put(response("resp_1", size=50_000))
    break_it(file.path)
    before = file.path.read_bytes()
    for use in (lambda: file.put(response("resp_2")), lambda: file.find("resp_1", "me"), file.held, file.sweep):
        with pytest.raises(Unkept, match=why) as problem:
            use()
        assert problem.value.file
    assert file.path.read_bytes() == before
    assert file.clear() is None
    assert not list(file.path.parent.iterdir())
    file.put(response("resp_3"))
    assert file.find("resp_3", "me") is not None


def test_an_empty_file_is_a_new_one(file: ResponseFile) -> None:
    """What is left where a process was ended between making and filling it."""
    file.path.parent.mkdir()
    file.path.touch()
    assert file.held() == Held()
    file.put(response("resp_1"))
    assert file.find("resp_1", "me") is not None


def test_a_damaged_row_is_told_and_no_other_harmed(file: ResponseFile) -> None:
    file.put(response("resp_1"))
    file.put(response("resp_2"))
    with contextlib.closing(sqlite3.connect(file.path, isolation_level=None)) as db:
        db.execute("UPDATE responses SET response = x'00' WHERE id = 'resp_1'")
    with pytest.raises(Unkept, match="is damaged"):
        file.find("resp_1", "me")
    assert file.find("resp_2", "me") is not None


def test_no_link_is_followed_to_be_written(file: ResponseFile, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    file.path.parent.mkdir()
    file.path.symlink_to(other)
    with pytest.raises(Unkept, match="no plain file"):
        file.put(response("resp_1"))
    assert other.read_bytes() == b""


def test_a_lock_of_another_is_waited_for_and_then_told(file: ResponseFile) -> None:
    file.put(response("resp_1"))
    with contextlib.closing(sqlite3.connect(file.path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unkept, match="locked by another program"):
            file.put(response("resp_2"))
        db.execute("COMMIT")
    file.put(response("resp_2"))


def test_a_disk_without_room_is_told(file: ResponseFile) -> None:
    """The limit of a process on its files stands for the disk's end; in a process of its own."""
    file.put(response("resp_1"))
    script = (
        "import resource, sys; from pathlib import Path; from tests.unit.server.test_response_file import *;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536));"
        "file = ResponseFile(Path(sys.argv[1]), limit=MIB, clock=Clock());\n"
        "try: file.put(response('resp_2', size=200_000))\n"
        "except Unkept as problem: print(problem)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(file.path)], capture_output=True, text=True, timeout=30, check=True
    )
    assert "is its disk full?" in ran.stdout
    assert file.find("resp_1", "me") is not None
    assert file.find("resp_2", "me") is None


def test_two_processes_write_into_one_file(file: ResponseFile) -> None:
    """From the first moment on, when neither finds a table."""
    script = (
        "import sys; from pathlib import Path; from tests.unit.server.test_response_file import *;"
        "file = ResponseFile(Path(sys.argv[1]), limit=8 * MIB, clock=Clock());"
        "[file.put(response(f'resp_{sys.argv[2]}_{n}', size=1000)) for n in range(25)]"
    )
    command = [sys.executable, "-c", script, str(file.path)]
    writers = [subprocess.Popen([*command, str(number)], stderr=subprocess.PIPE) for number in range(2)]
    assert [(one.communicate(timeout=60)[1], one.returncode) for one in writers] == [(b"", 0)] * 2
    assert file.held().responses == 50
