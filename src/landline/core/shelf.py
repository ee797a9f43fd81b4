"""What was read of bytes that come again: known by the bytes alone, and not read twice.

A list that stands in a request where it stood in one before, counted from its beginning or from its end, need not even
be looked for: `lifted` takes it out before the request is parsed, and leaves a mark that nobody else can write. Who
parses the mark back, as the member that the list should be, knows that the list was that member.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Raw

Found = TypeVar("Found")

LISTS = 16  # kept at a time: each client has a few
LARGEST_BYTES = 1024 * 1024  # of what is kept
WORTH_LIFTING = 4096  # bytes; a parser skips fewer as fast
LOOKED_FOR = 64  # bytes of a list's beginning


class _Seen(Generic[Found]):
    """One list. `front` and `back`: where it last began, in bytes from the request's beginning and end; 0: unknown."""

    __slots__ = ("back", "found", "front", "written")

    def __init__(self, written: bytes, found: Found) -> None:
        self.written = written
        self.found = found
        self.front = self.back = 0


class Shelf(Generic[Found]):
    """The last few that were seen. What it gives out must not refer to the request that it came in."""

    def __init__(self, read: Callable[[Raw], Found], *, secret: str = "") -> None:
        """`secret`: letters and digits that no client knows; without any, nothing is lifted."""
        self._read = read
        self.mark = Raw(b'"%b"' % secret.encode()) if secret else Raw()
        self._seen: deque[_Seen[Found]] = deque(maxlen=LISTS)

    def lifted(self, body: bytes) -> tuple[bytes, Found] | None:
        """`body` with the mark in place of a list that is known, and what is known of it."""
        for seen in self._seen if memoryview(self.mark) else ():
            for at in (seen.front, len(body) - seen.back if seen.back else 0):
                if at > 0 and body.startswith(seen.written, at):
                    view = memoryview(body)
                    return b"".join((view[:at], memoryview(self.mark), view[at + len(seen.written) :])), seen.found
        return None

    def found(self, written: Raw, body: bytes = b"") -> Found:
        """What is known of `written`, which stands in `body`. Raises what `read` raises."""
        plain = bytes(written)
        for place, seen in enumerate(self._seen):
            if seen.written == plain:  # of another length nearly always, or the same
                if place:
                    self._seen.remove(seen)
                    self._seen.appendleft(seen)
                break
        else:
            seen = _Seen(plain, self._read(Raw(plain)))
            if len(plain) <= LARGEST_BYTES:
                self._seen.appendleft(seen)
        if len(plain) >= WORTH_LIFTING and (at := body.find(plain[:LOOKED_FOR])) > 0:
            seen.front, seen.back = at, len(body) - at
        return seen.found
