"""How one answer flows: bytes of the backend -> decoder -> transforms -> encoder -> bytes for the client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from landline.core.events import BlockDelta, BlockKind, BlockStart, Event


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

    `reads_text`: whether it must see the deltas of text and thinking too. One that does returns the very list it was
    given where it changed nothing, so that those behind it that do not read text need not be asked.
    """

    reads_text: ClassVar[bool]

    def push(self, events: list[Event]) -> list[Event]: ...


class StreamEncoder(Protocol):
    """Writes events in a client's protocol."""

    def encode(self, events: list[Event]) -> bytes: ...

    def heartbeat(self) -> bytes:
        """Bytes that keep the client from giving up and leave no trace in the answer."""
        ...

    def error(self, text: str, error_type: str) -> bytes:
        """The end of a stream that failed, in words that landline chose."""
        ...


class Pipeline:
    """Decoder and transforms of one answer.

    Nearly all of an answer are deltas of one open block. Where that is text or thinking, they are shown to no transform
    that does not read them.
    """

    def __init__(self, decoder: StreamDecoder, transforms: Sequence[Transform]) -> None:
        self._decoder = decoder
        self._transforms = tuple(transforms)
        self._readers = tuple((at, one.push) for at, one in enumerate(self._transforms) if one.reads_text)
        self._in_words = False  # the open block is text or thinking

    def feed(self, data: bytes) -> list[Event]:
        return self._through(self._decoder.feed(data))

    def close(self) -> list[Event]:
        return self._through(self._decoder.close())

    def _through(self, events: list[Event]) -> list[Event]:
        if not events:
            return events
        first, last = events[0], events[-1]
        if type(first) is not BlockDelta or type(last) is not BlockDelta or first.index != last.index:
            for event in events:
                if type(event) is BlockStart:
                    self._in_words = event.kind is not BlockKind.TOOL_USE
        elif self._in_words:
            return self._read(events)
        return self._push(events, 0)

    def _read(self, words: list[Event]) -> list[Event]:
        """Words pass those that do not read them, until somebody makes something else of them."""
        for at, push in self._readers:
            events = push(words)
            if events is not words:
                return self._push(events, at + 1)
        return words

    def _push(self, events: list[Event], first: int) -> list[Event]:
        for transform in self._transforms[first:]:
            if not events:
                break  # held back
            events = transform.push(events)
        return events
