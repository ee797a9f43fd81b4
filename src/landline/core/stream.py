"""How one answer flows: bytes of the backend -> decoder -> transforms -> encoder -> bytes for the client."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Protocol, cast

from msgspec import Struct

from landline.core.events import BlockDelta, BlockKind, BlockStart, Event
from landline.core.marks import Marks
from landline.errors import LandlineError

LONG_RUN = 8  # deltas of one block in one read
LOOKED_AT_LATEST = 1_000  # characters that leave unseen
NO_MARKS = Marks(())


class StreamDecoder(Protocol):
    """Turns the bytes of one answer into events. Takes any cut of the bytes and never raises on what a peer sent."""

    @property
    def over(self) -> bool:
        """Whether the answer is complete (or has failed): further bytes are ignored."""
        ...

    def feed(self, data: bytes) -> list[Event]: ...

    def close(self) -> list[Event]:
        """At the end of the bytes: what is still owed, or one ResponseError if the end mark is missing."""
        ...


class Transform(Protocol):
    """Changes events on their way. What it holds back it must give out at the latest before ResponseEnd.

    `reads_text`: whether it must see the deltas of text and thinking too.
    """

    reads_text: ClassVar[bool]

    def push(self, events: list[Event]) -> list[Event]: ...


class Patience(Struct, frozen=True):
    """So many characters, as long as no mark stands in them. What may be the beginning of one is held back."""

    characters: int = LOOKED_AT_LATEST
    marks: Marks = NO_MARKS


class Watcher(Protocol):
    """A transform that reads words, but mostly has nothing to do with them."""

    def leaves(self, text: str) -> str | None:
        """What may leave of words of the open block, when it has taken what it needs to know of them.

        The rest is held back. None: it has done nothing, and must be shown the events. `text` is that of one delta, or
        of several in a row.
        """
        ...

    def left(self, text: str) -> None:
        """Words that have left unseen, by its patience: nothing of them can be held back any more."""
        ...

    def patience(self) -> Patience | None:
        """What of the words to come it need not see before they leave; they are shown later. None: it wants all.

        Only one of the watchers of an answer may look for marks.
        """
        ...


class StreamEncoder(Protocol):
    """Writes events in a client's protocol."""

    def encode(self, events: list[Event]) -> bytes: ...

    def heartbeat(self) -> bytes:
        """Bytes that keep the client from giving up and leave no trace in the answer."""
        ...

    def error(self, error: LandlineError) -> bytes:
        """The end of a stream that failed, in words that landline chose."""
        ...


class Pipeline:
    """Decoder and transforms of one answer.

    Nearly all of an answer are deltas of one open block. Where that is text or thinking, they are shown to no transform
    that does not read them, and to those that only watch, many at once.
    """

    def __init__(self, decoder: StreamDecoder, transforms: Sequence[Transform]) -> None:
        self._decoder = decoder
        self._transforms = tuple(transforms)
        self._readers = tuple([(at, _watcher(one)) for at, one in enumerate(self._transforms) if one.reads_text])
        self._in_words = False  # the open block is text or thinking
        self._unseen: list[str] = []  # words of it that left before they were shown
        self._room = 0  # characters that still may
        self._marks = NO_MARKS  # may not
        self._held: BlockDelta | None = None  # words behind them, that may be the beginning of a mark

    def feed(self, data: bytes) -> list[Event]:
        return self._through(self._decoder.feed(data))

    def close(self) -> list[Event]:
        return self._through(self._decoder.close())

    def _through(self, events: list[Event]) -> list[Event]:
        if not events:
            return events
        first, last = events[0], events[-1]
        if type(first) is not BlockDelta or type(last) is not BlockDelta or first.index != last.index:
            return self._mixed(events)
        text = first.text if len(events) == 1 else _text(events)
        if self._held is not None:
            return self._near_mark(self._held.text + text, first.index)
        if len(text) <= self._room:
            for character in self._marks.firsts:
                if character in text:
                    return self._near_mark(text, first.index)
            self._unseen.append(text)  # nearly always
            self._room -= len(text)
            return events
        if not self._in_words:
            return self._push(events, 0)
        return self._watched(events, text)

    def _near_mark(self, text: str, index: int) -> list[Event]:
        """Words in which a mark may stand, or begin: what cannot be one leaves as other words do."""
        self._held = None
        until = self._marks.until(text) if len(text) <= self._room else None
        if until is None:
            return self._watched([BlockDelta(index, text)], text)
        if until < len(text):
            self._held = BlockDelta(index, text[until:])
            if until == 0:
                return []
            text = text[:until]
        self._unseen.append(text)
        self._room -= len(text)
        return [BlockDelta(index, text)]

    def _watched(self, events: list[Event], text: str) -> list[Event]:
        """Words of the open block, shown to those who read them."""
        self._show()
        said, index = text, cast("BlockDelta", events[0]).index
        for at, watcher in self._readers:
            left = watcher.leaves(text) if watcher is not None else None
            if left is None:
                return self._push(events if text is said else [BlockDelta(index, text)], at)
            if not left:
                return []
            text = left
        self._be_patient()
        return events if text is said else [BlockDelta(index, text)]

    def _be_patient(self) -> None:
        room, marks = LOOKED_AT_LATEST, NO_MARKS
        for _, watcher in self._readers:
            patience = watcher.patience() if watcher is not None else None
            if patience is None:
                return
            room = min(room, patience.characters)
            marks = marks if patience.marks is NO_MARKS else patience.marks
        self._room, self._marks = room, marks

    def _show(self) -> None:
        """What left unseen. Nobody minds it: that was asked before."""
        self._room = 0
        if self._unseen:
            text, self._unseen = "".join(self._unseen), []
            for _, watcher in self._readers:
                if watcher is not None:
                    watcher.left(text)

    def _mixed(self, events: list[Event]) -> list[Event]:
        """Beginnings and ends of blocks among the deltas. A long run of words leaves as words do, behind its first."""
        out: list[Event] = []
        begun = 0
        marks = [at for at, event in enumerate(events) if type(event) is not BlockDelta]
        for at, end in pairwise([-1, *marks, len(events)]):
            if at >= 0 and type(start := events[at]) is BlockStart:
                self._in_words = start.kind is not BlockKind.TOOL_USE
            first = at + 2  # behind the first delta of the run
            if self._in_words and end - first >= LONG_RUN:
                out += self._push(events[begun:first], 0)
                out += self._through(events[first:end])
                begun = end
        return out + self._push(events[begun:], 0) if begun else self._push(events, 0)

    def _push(self, events: list[Event], first: int) -> list[Event]:
        self._show()
        if self._held is not None:
            events, self._held = [self._held, *events], None
        for transform in self._transforms[first:]:
            if not events:
                break  # held back
            events = transform.push(events)
        return events


def _text(words: list[Event]) -> str:
    return "".join([delta.text for delta in cast("list[BlockDelta]", words)])


def _watcher(transform: Transform) -> Watcher | None:
    """Asked for by name: `isinstance` with a protocol takes 15 us, for every answer."""
    return cast("Watcher", transform) if hasattr(transform, "leaves") else None
