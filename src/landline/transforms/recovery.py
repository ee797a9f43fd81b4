"""Calls and thinking in text, as one transform that sleeps until there is something to look at.

Most answers hold nothing of the kind. So `SplitThinking` and `RecoverCalls` are made when the first of their marks
comes, or may have begun, and are shown what was said before it: words that they would have let pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseStart
from landline.core.marks import Marks
from landline.core.stream import Transform
from landline.transforms.reasoning import SplitThinking


class Recovery:
    """`make` makes the transforms; `marks` are all that they look for, `alone` what bare JSON begins with."""

    reads_text: ClassVar[bool] = True

    def __init__(
        self, make: Callable[[], tuple[Transform, ...]], marks: Marks, alone: frozenset[str], *, asleep: bool
    ) -> None:
        self._make = make
        self._near = marks.near
        self._alone = alone
        self._inner: tuple[Transform, ...] = () if asleep else make()
        self._asleep = asleep
        self._blocks: list[Event] = []  # what has happened, without words
        self._said = ""  # stands for what was said in the open block
        self._start: tuple[Event, ...] = ()  # that block's, as long as nothing was said
        self._words = False  # the open block is text or thinking
        self._thought = False  # the backend gave thinking out as such

    @property
    def in_text(self) -> bool | None:
        """Whether the backend leaves thinking in the text; None where this answer did not show it."""
        splitting = next((one for one in self._inner if isinstance(one, SplitThinking)), None)
        if splitting is not None:
            return splitting.in_text
        return False if self._thought else None

    def passes(self, text: str) -> bool:
        if not self._asleep:
            return all(one.passes(text) for one in self._inner)  # type: ignore[attr-defined]
        return bool(self._said) and self._harmless(text)

    def push(self, events: list[Event]) -> list[Event]:
        if not self._asleep:
            return self._through(events)
        out: list[Event] = []
        for at, event in enumerate(events):
            if type(event) is not BlockDelta:
                self._happened(event, out)
            elif self._words and not self._harmless(event.text):
                self._wake()
                return [*out, *self._through(events[at:])]
            else:
                out += (*self._start, event)
                self._start = ()
        return out

    def _harmless(self, text: str) -> bool:
        """At the beginning of a block also white space is not, and what bare JSON begins with: a call may be all."""
        if self._near(text):
            return False
        if not self._said and ((begins := text.lstrip()[:1]) == "" or begins in self._alone):
            return False
        self._remember(text)
        return True

    def _happened(self, event: Event, out: list[Event]) -> None:
        if type(event) is BlockStart:
            self._words, self._said = event.kind is not BlockKind.TOOL_USE, ""
            self._thought = self._thought or event.kind is BlockKind.THINKING
        elif type(event) is ResponseStart:
            self._blocks = []
        elif type(event) is BlockStop and self._said:
            self._blocks.append(BlockDelta(event.index, self._said))
            self._said = ""
        self._blocks.append(event)
        if type(event) is BlockStart and self._words:
            self._start = (event,)  # leaves with its first words, if those are none of ours
        else:
            out += (*self._start, event)
            self._start = ()

    def _remember(self, text: str) -> None:
        """That something was said, and whether its last line is empty: a code fence may begin there."""
        last = text[text.rfind("\n") + 1 :]
        if last and not last.isspace():
            self._said = "x"
        elif len(last) < len(text):
            self._said = "x\n"

    def _wake(self) -> None:
        self._asleep, self._inner = False, self._make()
        if not self._blocks:
            return
        before = [*self._blocks]
        if self._said:
            start = next(event for event in reversed(self._blocks) if type(event) is BlockStart)
            before.append(BlockDelta(start.index, self._said))
        self._through(before)
        self._blocks, self._said = [], ""

    def _through(self, events: list[Event]) -> list[Event]:
        for one in self._inner:
            if not events:
                break
            events = one.push(events)
        return events
