"""Ends an answer that has become nothing but the same few characters over and over, or white space.

Such an answer never ends by itself: it costs all the output that was allowed, and the time of everybody else on the
server. Only exact repetition counts, and much of it: a long table, a list of paths or a line of dashes goes on.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseEnd, ResponseStart
from landline.core.exchange import Notes
from landline.core.model import StopReason, Usage

REPEATED = 6_000  # characters
LONGEST_UNIT = 400  # characters that repeat
_LOOKED_AT_EVERY = 2_000
ENDED = "the answer was ended: the model repeated the same {unit} characters over and over"
SAID = "\n\n[landline: the answer was ended here, because the model repeated the same text over and over.]"


class EndRepetition:
    """Reads text and thinking. Every delta costs an addition; every 2,000 characters, a comparison."""

    reads_text: ClassVar[bool] = True

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._kind = BlockKind.TOOL_USE  # of the open block
        self._pieces: list[str] = []  # of it, since the last look
        self._size = 0  # characters of it
        self._deltas = 0  # of the answer, without those pieces
        self._look_at = REPEATED
        self._usage = Usage()
        self._called = False

    def leaves(self, text: str) -> str | None:
        size = self._size + len(text)
        if size >= self._look_at:
            tail = self._tail(text)
            if unit_of(tail):
                return None
            self._deltas += len(self._pieces)
            self._pieces, self._look_at = [tail], size + _LOOKED_AT_EVERY
        else:
            self._pieces.append(text)
        self._size = size
        return text

    def push(self, events: list[Event]) -> list[Event]:
        for at, event in enumerate(events):
            if type(event) is not BlockDelta:
                self._other(event)
            elif self._kind is BlockKind.TOOL_USE:
                self._deltas += 1
            elif self.leaves(event.text) is None:
                self._notes.alert(ENDED.format(unit=unit_of(self._tail(event.text))))
                return [*events[: at + 1], *self._ending(event.index)]
        return events

    def _tail(self, text: str) -> str:
        return "".join((*self._pieces, text))[-REPEATED:]

    def _other(self, event: Event) -> None:
        if type(event) is BlockStart:
            self._kind = event.kind
            self._called = self._called or event.kind is BlockKind.TOOL_USE
            self._deltas += len(self._pieces)
            self._pieces, self._size, self._look_at = [], 0, REPEATED
        elif type(event) is ResponseStart:
            self._usage, self._called = event.usage or Usage(), False
            self._pieces, self._deltas = [], 0

    def _ending(self, index: int) -> list[Event]:
        output = self._deltas + len(self._pieces) + 1
        usage = msgspec.structs.replace(self._usage, output=output, exact=False)
        end = ResponseEnd(StopReason.TOOL_USE if self._called else StopReason.END_TURN, usage)
        if self._kind is BlockKind.TEXT:
            return [BlockDelta(index, SAID), BlockStop(index), end]
        after = index + 1
        words = [BlockStart(after, BlockKind.TEXT), BlockDelta(after, SAID.lstrip()), BlockStop(after)]
        return [BlockStop(index), *words, end]


def unit_of(text: str) -> int:
    """How many characters repeat from the beginning of `text` to its end; 0 where it is no repetition."""
    probe = text[-LONGEST_UNIT:]
    at = text.rfind(probe, len(text) - 2 * LONGEST_UNIT, len(text) - 1)
    unit = len(text) - LONGEST_UNIT - at
    return unit if at >= 0 and text[unit:] == text[:-unit] else 0
