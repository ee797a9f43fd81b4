"""Calls and thinking in text, as one transform that sleeps until there is something to look at.

Most answers hold nothing of the kind. So `SplitThinking` and `RecoverCalls` are made when the first of their marks
comes, or may have begun, and are shown what was said before it: words that they would have let pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseStart
from landline.core.marks import Marks
from landline.core.stream import Patience, Transform
from landline.transforms.reasoning import SplitThinking


class Recovery:
    """`make` makes the transforms; `marks` are all that they look for, `alone` what bare JSON begins with.

    What may be the beginning of a mark is held back until the next words show whether it is.
    """

    reads_text: ClassVar[bool] = True

    def __init__(
        self, make: Callable[[], tuple[Transform, ...]], marks: Marks, alone: frozenset[str], *, asleep: bool
    ) -> None:
        self._make = make
        self._marks = marks
        self._patience = Patience(marks=marks)
        self._alone = alone
        self._inner: tuple[Transform, ...] = () if asleep else make()
        self._asleep = asleep
        self._blocks: list[Event] = []  # what has happened, without words
        self._said = ""  # stands for what was said in the open block
        self._held = ""  # of the open block; may be the beginning of a mark
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

    def patience(self) -> Patience | None:
        return self._patience if self._asleep and self._said and not self._held else None

    def leaves(self, text: str) -> str | None:
        if not self._asleep:
            return text if all(one.passes(text) for one in self._inner) else None  # type: ignore[attr-defined]
        if not self._said:
            return None
        text = self._held + text
        at = self._marks.until(text)
        if at is None:
            return None
        text, self._held = text[:at], text[at:]
        self.left(text)
        return text

    def left(self, text: str) -> None:
        if self._said != "x" or "\n" in text:
            self._remember(text)

    def push(self, events: list[Event]) -> list[Event]:
        if not self._asleep:
            return self._through(events)
        out: list[Event] = []
        for at, event in enumerate(events):
            if type(event) is not BlockDelta:
                self._happened(event, out)
            elif not self._words:
                out.append(event)
            elif not self._harmless(event, out):
                return [*out, *self._through([self._wake(event), *events[at + 1 :]])]
        return out

    def _harmless(self, delta: BlockDelta, out: list[Event]) -> bool:
        """At the beginning of a block also white space is not, and what bare JSON begins with: a call may be all."""
        text = self._held + delta.text
        at = self._marks.until(text)
        if at is None:
            return False
        if not self._said:
            if (begins := text.lstrip()[:1]) == "" or begins in self._alone:
                return False
            if not text[:at].strip():
                at = 0  # held with the white space before it
        self._held = text[at:]
        text = text[:at]
        if text:
            self._let_out(delta if text == delta.text else BlockDelta(delta.index, text), out)
        return True

    def _let_out(self, delta: BlockDelta, out: list[Event]) -> None:
        self._remember(delta.text)
        out += (*self._start, delta)
        self._start = ()

    def _happened(self, event: Event, out: list[Event]) -> None:
        if self._held:  # it began no mark
            held, self._held = self._held, ""
            self._let_out(BlockDelta(self._open_block, held), out)
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

    @property
    def _open_block(self) -> int:
        return next(event.index for event in reversed(self._blocks) if type(event) is BlockStart)

    def _remember(self, text: str) -> None:
        """That something was said, and whether its last line is empty: a code fence may begin there."""
        line = text.rfind("\n") + 1
        if text[line:].strip():
            self._said = "x"
        elif line:
            self._said = "x\n"

    def _wake(self, delta: BlockDelta) -> BlockDelta:
        """Makes the transforms, and shows them what came before. Gives back `delta`, behind what was held."""
        self._asleep, self._inner = False, self._make()
        before = [*self._blocks]
        if self._said:
            before.append(BlockDelta(delta.index, self._said))
        self._through(before)
        held, self._held = self._held, ""
        self._blocks, self._said = [], ""
        return BlockDelta(delta.index, held + delta.text)

    def _through(self, events: list[Event]) -> list[Event]:
        for one in self._inner:
            if not events:
                break
            events = one.push(events)
        return events
