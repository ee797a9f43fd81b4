"""Lists that grow from request to request: what of one came before is known by its bytes, and not read twice.

A client sends the whole conversation in every turn, and all but the last messages stood there before, byte for byte.
`lifted` takes those out before the request is parsed and leaves one element in their place, with a secret in it that
nobody else can write. Who parses that element back, as the first of the list, knows that they were the list's first.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from msgspec import MsgspecError, Raw

from landline.core.exchange import Notes

Found = TypeVar("Found")
Written = TypeVar("Written")

LISTS = 16  # kept at a time: sessions and their subagents
LARGEST_BYTES = 2 * 1024 * 1024  # of one list
KEPT_BYTES = 8 * 1024 * 1024  # of all
WORTH_LIFTING = 4096  # bytes; a parser reads fewer as fast
LOOKED_FOR = 64  # bytes of a list's beginning
REPLACED = 4  # elements at its end that may differ: a client moves its cache marks there


class Grown(Generic[Found]):
    """One list as it last was: its elements with the commas between them, and where they began in their request."""

    __slots__ = ("at", "ends", "found", "written")

    def __init__(self, written: bytes, at: int, ends: list[int], found: tuple[Found, ...]) -> None:
        self.written = written
        self.at = at
        self.ends = ends  # behind each element
        self.found = found

    def shared(self, body: bytes) -> int:
        """How many of its elements, from the first, `body` has in the same place."""
        view, at = memoryview(self.written), self.at
        if body.startswith(self.written, at):
            count = len(self.ends)
        else:
            count = bisect_left(self.ends, True, key=lambda end: not body.startswith(view[:end], at))
        end = at + self.ends[count - 1] if count else len(body)
        return count if body[end : end + 1] in (b",", b"]") else 0


class Lifted(Generic[Found]):
    """A request without the first `count` elements of a list. `found` is what was read of them."""

    __slots__ = ("body", "count", "found", "grown")

    def __init__(self, body: bytes, grown: Grown[Found], count: int, mark: bytes) -> None:
        view, end = memoryview(body), grown.at + grown.ends[count - 1]
        self.body = b"".join((view[: grown.at], mark, view[end:]))
        self.found = grown.found[:count]
        self.grown = grown
        self.count = count


class GrowingLists(Generic[Found]):
    """The last few. What was read of an element must not depend on its place, nor refer to the request it came in."""

    def __init__(self, mark: bytes) -> None:
        """`mark`: the element that stands for those that are lifted, as it is written. Empty: nothing ever is."""
        self._mark = mark
        self._lists: deque[Grown[Found]] = deque()

    def __len__(self) -> int:
        return len(self._lists)

    @property
    def lifts(self) -> bool:
        return bool(self._mark)

    def lifted(self, body: bytes) -> Lifted[Found] | None:
        """The request without the elements that are known; None where they are not worth it."""
        size, best = WORTH_LIFTING - 1, None
        for grown in self._lists:
            count = grown.shared(body)
            if count and grown.ends[count - 1] > size:
                size, best = grown.ends[count - 1], (grown, count)
        return None if best is None else Lifted(body, *best, self._mark)

    def learn(self, body: bytes, behind: list[Raw], found: tuple[Found, ...], lifted: Lifted[Found] | None) -> None:
        """Keeps the list of a request that was read. `behind`: its elements as written, less those that were lifted."""
        if not self.lifts:
            return
        grown = _grown(body, behind, found, lifted) if behind else None
        if lifted is not None:
            self._lists.remove(lifted.grown)
            if grown is None or lifted.count < len(lifted.grown.ends) - REPLACED:
                self._lists.appendleft(lifted.grown)
        if grown is not None:
            self._lists.appendleft(grown)
            while len(self._lists) > LISTS or sum(len(one.written) for one in self._lists) > KEPT_BYTES:
                self._lists.pop()


def _grown(
    body: bytes, behind: list[Raw], found: tuple[Found, ...], lifted: Lifted[Found] | None
) -> Grown[Found] | None:
    """None for a list that is not worth it, or is not written as `Grown.shared` looks for it."""
    if lifted is not None:
        ends, at = lifted.grown.ends[: lifted.count], lifted.grown.at
    else:
        ends, at = list[int](), body.find(bytes(behind[0])[:LOOKED_FOR])
    begun = at + (ends[-1] if ends else len(memoryview(behind[0])))
    alone = lifted is None and len(behind) == 1
    comma = b"," if alone else body[begun : body.find(b"{", begun)]
    for element in behind:
        ends.append((ends[-1] + len(comma) if ends else 0) + len(memoryview(element)))
    written = body[at : at + ends[-1]]
    closely = comma[:1] == b"," and not comma[1:].strip() and body[at + ends[-1] : at + ends[-1] + 1] in (b",", b"]")
    if at < 1 or not closely or not WORTH_LIFTING <= len(written) <= LARGEST_BYTES:
        return None
    start = lifted.grown.ends[lifted.count - 1] + len(comma) if lifted is not None else 0
    return Grown(written, at, ends, found) if comma.join(behind) == written[start:] else None


class HasRole(Protocol):
    @property
    def role(self) -> str: ...


class KnownMessages(GrowingLists[Found]):
    """Messages: for those that are lifted stands one of a role that is a secret."""

    def __init__(self, secret: str) -> None:
        """`secret`: letters and digits that no client knows; without any, everything is read each time."""
        super().__init__(b'{"role":"%b"}' % secret.encode() if secret else b"")
        self._secret = secret

    def stand_first(self, messages: Sequence[HasRole]) -> bool:
        """Whether the mark is the first of the messages, so that it was these that were lifted."""
        return bool(messages) and messages[0].role == self._secret


class Growing(NamedTuple, Generic[Found]):
    """The list of one request: it stands in `rest`, behind what was lifted out of `body`."""

    lists: GrowingLists[Found]
    body: bytes
    rest: bytes
    lifted: Lifted[Found] | None

    def read(
        self,
        written: list[Written],
        notes: Notes,
        *,
        one: Callable[[int, Written, Notes], Found],
        raw: Callable[[bytes], list[Raw]],
    ) -> tuple[Found, ...]:
        """All elements, by `one` for each that is not known, and keeps them. `raw` gives those in `rest` as written."""
        lifted, own = self.lifted, Notes()
        found: tuple[Found, ...] = () if lifted is None else lifted.found
        behind = written if lifted is None else written[1:]
        try:
            elements = (*found, *[one(len(found) + at, element, own) for at, element in enumerate(behind)])
        finally:
            notes.add(own)
        if self.lists.lifts and own == Notes():  # else read again the next time: what is known tells nothing
            with contextlib.suppress(MsgspecError, UnicodeDecodeError):  # it was repaired to be read
                self.lists.learn(self.body, raw(self.rest)[-len(behind) :] if behind else [], elements, lifted)
        return elements
