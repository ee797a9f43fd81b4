"""What all readers of marks and JSON have in common: they go on in steps, and give back what turned out to be no call.

A step reads from a place in the text and returns the place behind what it has read, or NEEDS_MORE. What lies behind
the end of the last call is kept until the next one begins, so that it can be text again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from landline.families.tool_parsers.json_arguments import ArgumentText
from landline.families.tool_parsers.syntax import LONGEST_HELD, Argued, Called, Ended, Piece, State, Toolbox

NEEDS_MORE = -1
Step = Callable[[str, int, list[Piece]], int]


def literal_at(text: str, at: int, literals: Sequence[str]) -> str | None:
    """The longest of some literals that stands there; "" if more text must tell, None if none does."""
    left = len(text) - at
    found = ""
    for literal in literals:
        if len(literal) > left and literal.startswith(text[at:]):
            return ""
        if len(literal) > len(found) and text.startswith(literal, at):
            found = literal
    return found or None


def begun(text: str, at: int, literals: Sequence[str]) -> int:
    """How many characters at the end of the text, not before `at`, may be the beginning of one of some literals."""
    sizes = (size for literal in literals for size in range(1, min(len(literal), len(text) - at + 1)))
    return max(
        (size for size in set(sizes) if any(literal.startswith(text[-size:]) for literal in literals)), default=0
    )


def end_of_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def read_so_far(start: int, end: int) -> int:
    """What a step returns where the text ended behind white space, so that none is looked at twice."""
    return end if end > start else NEEDS_MORE


class StepReader:
    """A Reader. Subclasses set `_step`, and use the methods below from their steps."""

    limit: int | None = LONGEST_HELD  # of what is held before it must be a call

    def __init__(self, toolbox: Toolbox) -> None:
        self.state = State.READING
        self.rest = ""
        self._toolbox = toolbox
        self._step: Step
        self._kept = ""  # the end of the text, which the step could not read yet
        self._open = False  # within a call
        self._called = False
        self._raw: list[str] = []  # what was read since the last call ended, outside of calls
        self._raw_size = 0
        self._from = 0  # where that begins in the text that is being read
        self._arguments = ArgumentText()
        self._marks: tuple[str, ...] = ()  # what may end the arguments, however broken they are
        self._behind: Step

    def feed(self, text: str) -> list[Piece]:
        out: list[Piece] = []
        text, self._kept = self._kept + text, ""
        at = self._from = 0
        while self.state is State.READING:
            after = self._step(text, at, out)
            if after < 0:
                break
            at = after
            if self._holds_too_much(at):
                self._give_up(text)
        self._settle(text, at)
        return out

    def close(self) -> list[Piece]:
        out: list[Piece] = []
        if self.state is State.READING:
            text, self._kept = self._kept, ""
            self._from = 0
            self._at_end(text, out)
        return out

    def _settle(self, text: str, at: int) -> None:
        """The text has been read up to there."""
        if self.state is State.READING:
            self._kept = text[at:]
            if not self._open and at > self._from:
                self._raw.append(text[self._from : at])
                self._raw_size += at - self._from
        elif self.state is State.DONE and not self.rest:
            self.rest = text[at:]

    def _holds_too_much(self, at: int) -> bool:
        """Asked behind every step; a step that reads on and then begins a call asks itself, or the cut would decide."""
        return self.limit is not None and not self._open and self._raw_size + at - self._from > self.limit

    # ------------------------------------------------------------------------------------------------ for steps

    def _begin_call(self, name: str, ident: str, out: list[Piece]) -> None:
        out.append(Called(name, ident))
        self._arguments = ArgumentText()
        self._open = self._called = True

    def _end_call(self, at: int, out: list[Piece], *, whole: bool = True) -> None:
        out.append(Ended(whole))
        self._open = False
        self._commit(at)

    def _commit(self, at: int) -> None:
        """What stands before this place is no text, whatever follows."""
        self._raw, self._raw_size, self._from = [], 0, at

    def _give_up(self, text: str) -> None:
        """What was read since the last call is no call: text again."""
        if self._called:
            self._release(text)
        else:
            self.state = State.REFUSED

    def _release(self, text: str) -> None:
        """The same, and what stood before it is gone."""
        self.state = State.DONE
        self.rest = "".join(self._raw) + text[self._from :]

    def _done(self, at: int) -> int:
        self.state = State.DONE
        return at

    def _at_end(self, text: str, out: list[Piece]) -> None:
        """The output has ended; `text` is what the step could not read."""
        if self._open:
            whole = self._arguments.complete()
            if whole:
                self._argue(self._arguments.finish(), out)
            self._end_call(len(text), out, whole=whole)
            self._done(len(text))
        elif self._called and self._ends_in_mark("".join(self._raw) + text):
            self._done(len(text))
        else:
            self._give_up(text)

    def _ends_in_mark(self, text: str) -> bool:
        return any(mark.startswith(text.strip()) for mark in self._marks)

    # ------------------------------------------------------------------------------------------------ arguments

    def _begin_arguments(self, behind: Step) -> None:
        """The next steps read the arguments; `behind` goes on after them."""
        self._arguments = ArgumentText("".join(sorted({mark[0] for mark in self._marks})))
        self._behind, self._step = behind, self._read_arguments

    def _read_arguments(self, text: str, at: int, out: list[Piece]) -> int:
        if at == len(text):
            return NEEDS_MORE
        piece, at = self._arguments.feed(text, at)
        self._argue(piece, out)
        if self._arguments.stopped:
            self._step = self._read_mark
        elif self._arguments.ended:
            self._arguments_over(out)
        return at

    def _read_mark(self, text: str, at: int, out: list[Piece]) -> int:
        mark = literal_at(text, at, self._marks)
        if mark == "":
            return NEEDS_MORE
        if mark is None:
            self._arguments.resume()
            self._step = self._read_arguments
        else:
            self._arguments_over(out)
        return at

    def _arguments_over(self, out: list[Piece]) -> None:
        self._argue(self._arguments.finish(), out)
        self._step = self._behind

    def _argue(self, piece: str, out: list[Piece]) -> None:
        if piece:
            out.append(Argued(piece))
