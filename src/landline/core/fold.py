"""Events to a whole answer: a non-streamed answer is a fold of the stream, never a second way through.

`Fold` keeps everything (for answers that leave whole); `Tally` keeps only what the record of a request needs.
"""

from __future__ import annotations

import sys
from typing import cast

from msgspec import Struct

from landline.core.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    Event,
    ResponseEnd,
    ResponseError,
)
from landline.core.model import Block, StopReason, Text, Thinking, ToolUse, Usage

JOINED = 60  # tokens: longer lists are moved in memory as they grow


class Answer(Struct, frozen=True):
    """A whole answer: the blocks in their order, why it ended, and what it cost."""

    blocks: tuple[Block, ...]
    stop_reason: StopReason
    stop_sequence: str | None
    usage: Usage


class Fold:
    """Collects the events of one answer. `answer` is set by ResponseEnd, `error` by ResponseError."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.error: ResponseError | None = None
        self._open: list[tuple[BlockStart, list[str]]] = []

    @property
    def over(self) -> bool:
        return self.answer is not None or self.error is not None

    @property
    def index(self) -> int:
        """Of the last block; -1: none yet."""
        return len(self._open) - 1

    @property
    def spoke(self) -> bool:
        """Whether it said more than thinking."""
        return any(start.kind is not BlockKind.THINKING for start, _ in self._open)

    def push(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, BlockDelta):  # nearly all
                self._open[-1][1].append(event.text)
            elif isinstance(event, BlockStart):
                self._open.append((event, []))
            elif isinstance(event, ResponseEnd):
                blocks = tuple(_block(start, "".join(pieces)) for start, pieces in self._open)
                self.answer = Answer(blocks, event.stop_reason, event.stop_sequence, event.usage)
            elif isinstance(event, ResponseError):
                self.error = event


def _block(start: BlockStart, text: str) -> Block:
    match start.kind:
        case BlockKind.TEXT:
            return Text(text)
        case BlockKind.THINKING:
            return Thinking(text)
        case BlockKind.TOOL_USE:
            return ToolUse(start.id, start.name, text)


class Tally:
    """Watches an answer go by and remembers how it ended."""

    def __init__(self) -> None:
        self.over = False
        self.end: ResponseEnd | None = None
        self.error: ResponseError | None = None

    def begin(self) -> None:
        """The answer comes, or comes once more: what failed before does not count."""
        self.over, self.error = False, None

    def push(self, events: list[Event]) -> None:
        """Only the last event of a batch can be an end or an error."""
        last = events[-1]
        if type(last) is ResponseEnd:
            self.end, self.over = last, True
        elif type(last) is ResponseError:
            self.error, self.over = last, True


class Kept(Tally):
    """A tally that keeps the answer as well, up to `limit` characters: a repeat of the request may want it."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.size = 0
        self._limit = limit
        self._fold: Fold | None = Fold()
        self._words: list[str] = []  # the youngest of the open block, not in the fold yet

    def wanted(self) -> None:
        """Somebody waits for it: it is kept whatever its length, as every answer that leaves whole."""
        self._limit = sys.maxsize

    @property
    def whole(self) -> bool:
        """Whether everything so far is here."""
        return self._fold is not None

    @property
    def answer(self) -> Answer | None:
        return None if self._fold is None else self._fold.answer

    def push(self, events: list[Event]) -> None:
        first, last = events[0], events[-1]
        if type(first) is BlockDelta and len(self._words) < JOINED:  # nearly always
            if first is last:
                self._words.append(first.text)
                return
            if type(last) is BlockDelta and first.index == last.index:
                self._words += [event.text for event in cast("list[BlockDelta]", events)]
                return
        super().push(events)
        words, self._words = "".join(self._words), []
        if self._fold is None:
            return
        if words:
            events = [BlockDelta(self._fold.index, words), *events]
        self.size += sum([len(event.text) for event in events if type(event) is BlockDelta])
        if self.size > self._limit:
            self._fold = None
        else:
            self._fold.push(events)
