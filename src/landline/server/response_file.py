"""The file of responses that clients asked to be kept: one SQLite database that only its user can read.

It holds prompts, answers and the source code in them, so it forgets: after a day, and the oldest first where it would
grow beyond its limit. Each response stands alone, with the whole input that led to it: that an older one is gone breaks
no conversation. A connection is opened for each use, so that the file may be cleared, replaced or found damaged at any
moment, by any process. Knows no event loop; what a request or a key is, others know.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
import zlib
from collections.abc import Callable, Generator
from pathlib import Path

from msgspec import Struct

KEPT_S = 24 * 3600
BUSY_S = 1.0  # for another process that writes
VERSION = 1
OF_A_ROW = 300  # bytes, beside what is kept in it
PRIVATE = 0o600
BESIDE = ("-journal", "-wal", "-shm")  # what SQLite may have left next to it

_SCHEMA = (
    "PRAGMA auto_vacuum = FULL",  # what was deleted makes the file smaller; only before the first table
    "BEGIN IMMEDIATE",
    "CREATE TABLE IF NOT EXISTS responses (id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, created INTEGER NOT NULL,"
    " size INTEGER NOT NULL, session TEXT NOT NULL, input BLOB NOT NULL, response BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_age ON responses (created, size)",
    f"PRAGMA user_version = {VERSION}",
    "COMMIT",
)
_REASONS = {
    sqlite3.SQLITE_BUSY: "is locked by another program",
    sqlite3.SQLITE_LOCKED: "is locked by another program",
    sqlite3.SQLITE_FULL: "has no room left on its disk",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is damaged",
    sqlite3.SQLITE_IOERR: "cannot be read or written (is its disk full?)",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
}


class Unkept(Exception):
    """What was asked cannot be done: why, in constant words. `file`: so it would be with any other response."""

    def __init__(self, why: str, *, file: bool = True) -> None:
        super().__init__(why)
        self.file = file


class KeptResponse(Struct, frozen=True):
    """`input` is the whole of it, also of the responses before, and `response` the answer; both are JSON."""

    id: str
    owner: str
    created: int  # seconds since the epoch
    session: str
    input: bytes
    response: bytes


class Held(Struct, frozen=True):
    """What stands in the file."""

    responses: int = 0
    keys: int = 0
    bytes: int = 0
    oldest: int = 0  # seconds since the epoch; 0: none


class ResponseFile:
    """Raises Unkept from every method."""

    def __init__(self, path: Path, *, limit: int, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._limit = limit
        self._clock = clock

    def put(self, kept: KeptResponse) -> None:
        written, answered = zlib.compress(kept.input, 1), zlib.compress(kept.response, 1)
        size = len(written) + len(answered) + OF_A_ROW
        if size > self._limit:
            raise Unkept("it is larger than store.limit_mib", file=False)
        with self._opened() as db:
            self._forget_old(db)
            self._make_room(db, self._limit - size)
            row = (kept.id, kept.owner, kept.created, size, kept.session, written, answered)
            db.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def find(self, ident: str, owner: str) -> KeptResponse | None:
        """None: there is no such response of that key, or none any more."""
        if not self.path.exists():
            return None
        with self._opened(writes=False) as db:
            row = db.execute(
                "SELECT created, session, input, response FROM responses WHERE id = ? AND owner = ? AND created > ?",
                (ident, owner, self._since),
            ).fetchone()
        if row is None:
            return None
        created, session, written, answered = row
        with _explained():
            return KeptResponse(ident, owner, created, session, zlib.decompress(written), zlib.decompress(answered))

    def remove(self, ident: str, owner: str) -> bool:
        """Whether it was there."""
        if not self.path.exists():
            return False
        with self._opened() as db:
            found = db.execute(
                "DELETE FROM responses WHERE id = ? AND owner = ? AND created > ?", (ident, owner, self._since)
            )
            return found.rowcount > 0

    def sweep(self) -> None:
        """Forgets what is too old, though nobody asks for it."""
        if self.path.exists():
            with self._opened() as db:
                self._forget_old(db)

    def held(self) -> Held:
        if not self.path.exists():
            return Held()
        with self._opened(writes=False) as db:
            counted = "SELECT count(*), count(DISTINCT owner), total(size), min(created) FROM responses"
            responses, keys, size, oldest = db.execute(counted).fetchone()
        return Held(responses, keys, int(size), oldest or 0)

    def clear(self) -> int | None:
        """Removes everything, the file too. Returns how many responses there were; None: the file could not tell."""
        try:
            count: int | None = self.held().responses
            if self.path.exists():
                with self._opened() as db:  # a gateway may have it open: what it has is emptied as well
                    db.execute("DELETE FROM responses")
        except Unkept:
            count = None
        with _explained():
            for file in (self.path, *(self.path.with_name(self.path.name + end) for end in BESIDE)):
                file.unlink(missing_ok=True)
        return count

    @property
    def _since(self) -> int:
        return int(self._clock()) - KEPT_S

    def _forget_old(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM responses WHERE created <= ?", (self._since,))

    @staticmethod
    def _make_room(db: sqlite3.Connection, room: int) -> None:
        (held,) = db.execute("SELECT total(size) FROM responses").fetchone()
        while held > room:
            oldest, size = db.execute("SELECT rowid, size FROM responses ORDER BY created, rowid LIMIT 1").fetchone()
            db.execute("DELETE FROM responses WHERE rowid = ?", (oldest,))
            held -= size

    @contextlib.contextmanager
    def _opened(self, *, writes: bool = True) -> Generator[sqlite3.Connection]:
        """A connection inside one transaction."""
        with _explained():
            _make_private(self.path)
            with contextlib.closing(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)) as db:
                self._prepare(db)
                db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                yield db  # whatever goes wrong: without COMMIT nothing of it stays
                db.execute("COMMIT")

    @staticmethod
    def _prepare(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA secure_delete = ON")  # what was forgotten cannot be found in the file
        db.execute("PRAGMA synchronous = NORMAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise Unkept("was written by a newer landline")
        if version < VERSION:
            for statement in _SCHEMA:
                db.execute(statement)


def _make_private(path: Path) -> None:
    """Readable for its user only, before there is a word in it. SQLite gives its own files beside it the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE))
    except FileExistsError:
        # Not by opening it: to close a file takes this process's locks on it away.
        known = path.lstat()
        if not stat.S_ISREG(known.st_mode):
            raise Unkept("is no plain file") from None
        if known.st_mode & 0o077:
            path.chmod(PRIVATE)


@contextlib.contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise Unkept(_REASONS.get(code, f"cannot be used ({type(error).__name__})")) from error
    except zlib.error as error:
        raise Unkept("is damaged") from error
    except OSError as error:
        raise Unkept(f"cannot be used ({error.strerror})") from error
