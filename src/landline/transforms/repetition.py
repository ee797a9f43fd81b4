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
from landline.core.stream import Patience

REPEATED = 6_000  # characters
LONGEST_UNIT = 400  # characters that repeat
LOOKED_AT_EVERY = 3_000
LOOKED_AT = 2 * LONGEST_UNIT  # show whether something repeats at all
CHARACTERS_PER_TOKEN = 4  # where the backend was stopped before it counted
ENDED = "the answer was ended: the model repeated the same {unit} characters over and over"
SAID = "\n\n[landline: the answer was ended here, because the model repeated the same text over and over.]"


class EndRepetition:
    """Reads text and thinking. Nearly all deltas cost an addition: words are kept for a short look now and then, and
    from there on as long as they repeat."""

    reads_text: ClassVar[bool] = True

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._kind = BlockKind.TOOL_USE  # of the open block
        self._size = 0  # characters of it
        self._before = 0  # characters of the answer before it
        self._kept: list[str] = []  # the youngest of it
        self._keep_from = self._look_at = 0
        self._look_behind(LOOKED_AT_EVERY)
        self._usage = Usage()
        self._called = False

    def patience(self) -> Patience:
        return Patience(self._look_at - self._size - 1)

    def leaves(self, text: str) -> str | None:
        size = self._size + len(text)
        if size >= self._keep_from and self._ends_with(text, size):
            return None
        self._size = size
        return text

    def left(self, text: str) -> None:
        self.leaves(text)  # fewer than it would mind

    def _ends_with(self, text: str, size: int) -> bool:
        """Whether the answer is nothing but repetition up to this text. Else it is kept for as long as it may be."""
        if size < self._look_at:
            self._kept.append(text)
            return False
        tail = self._tail(text)
        if not unit_of(tail):
            self._look_behind(size + LOOKED_AT_EVERY)
        elif len(tail) < REPEATED:
            self._kept, self._keep_from, self._look_at = [tail], 0, size + REPEATED - len(tail)
        else:
            return True
        return False

    def _look_behind(self, size: int) -> None:
        self._kept, self._keep_from, self._look_at = [], size - LOOKED_AT, size

    def push(self, events: list[Event]) -> list[Event]:
        for at, event in enumerate(events):
            if type(event) is not BlockDelta:
                self._other(event)
            elif self._kind is BlockKind.TOOL_USE:
                self._before += len(event.text)
            elif self.leaves(event.text) is None:
                self._notes.alert(ENDED.format(unit=unit_of(self._tail(event.text))))
                return [*events[: at + 1], *self._ending(event.index)]
        return events

    def _tail(self, text: str) -> str:
        return "".join((*self._kept, text))[-REPEATED:]

    def _other(self, event: Event) -> None:
        if type(event) is BlockStart:
            self._kind = event.kind
            self._called = self._called or event.kind is BlockKind.TOOL_USE
            self._before += self._size
            self._size = 0
            self._look_behind(LOOKED_AT_EVERY)
        elif type(event) is ResponseStart:
            self._usage, self._called, self._before, self._size = event.usage or Usage(), False, 0, 0

    def _ending(self, index: int) -> list[Event]:
        output = (self._before + self._size) // CHARACTERS_PER_TOKEN
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
