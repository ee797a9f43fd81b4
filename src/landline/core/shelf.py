"""What was read of bytes that come again: known by the bytes alone, and not read twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Raw

Found = TypeVar("Found")

LISTS = 16  # kept at a time: each client has a few
LARGEST_BYTES = 1024 * 1024  # of what is kept


class Shelf(Generic[Found]):
    """The last few that were seen. What it gives out must not refer to the request that it came in."""

    def __init__(self, read: Callable[[Raw], Found]) -> None:
        self._read = read
        self._known: deque[tuple[Raw, Found]] = deque(maxlen=LISTS)

    def found(self, written: Raw) -> Found:
        """Raises what `read` raises."""
        for place, (known, found) in enumerate(self._known):
            if known == written:  # of another length nearly always, or the same
                if place:
                    self._known.remove((known, found))
                    self._known.appendleft((known, found))
                return found
        kept = Raw(bytes(written))
        found = self._read(kept)
        if len(memoryview(kept)) <= LARGEST_BYTES:
            self._known.appendleft((kept, found))
        return found
