"""Calls between marks: begin, a head with the name, the arguments in JSON, end. DeepSeek, Kimi, PLaMo, Mistral."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from landline.families.tool_parsers.stepwise import NEEDS_MORE, StepReader, begun, end_of_space, literal_at, read_so_far
from landline.families.tool_parsers.syntax import LONGEST_NAME, Piece, Reader, Toolbox


def plain_head(head: str) -> tuple[str, str]:
    return head, ""


class Marks(Struct, frozen=True, kw_only=True):
    """The marks of a syntax. White space may stand before each of them.

    `sections` come before calls. `begins` open a call, and `kind` must follow. The head ends in front of one of
    `head_ends`; then `skipped` and the arguments. `ends` (of a call) and `overs` (of all calls) may be missing.
    `read_head` gives the name and the id. `spaced`: the name may have white space in it.
    """

    begins: tuple[str, ...]
    head_ends: tuple[str, ...]
    sections: tuple[str, ...] = ()
    kind: str = ""
    skipped: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    overs: tuple[str, ...] = ()
    read_head: Callable[[str], tuple[str, str]] = plain_head
    spaced: bool = False


class MarkedCalls(StepReader):
    """Reads from behind a section's mark, or from behind one that begins a call."""

    def __init__(self, opener: str, toolbox: Toolbox, marks: Marks) -> None:
        super().__init__(toolbox)
        self._form = marks
        self._outside = (*marks.sections, *marks.begins, *marks.ends, *marks.overs)
        self._marks = tuple(mark for mark in (*marks.ends, *marks.overs, *marks.begins) if mark[0] not in "[{")
        self._step = self._kind if opener in marks.begins else self._between

    def _between(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        mark = literal_at(text, at, self._outside)
        if mark == "":
            return NEEDS_MORE
        if mark is None or (not self._called and mark in self._form.ends):
            self._give_up(text)
            return at
        at += len(mark)
        if mark in self._form.begins:
            self._step = self._kind
        elif mark in self._form.ends:
            self._commit(at)
        elif mark in self._form.overs:
            return self._done(at) if self._called else self._no_call(text, at)
        return at

    def _no_call(self, text: str, at: int) -> int:
        self._give_up(text)
        return at

    def _kind(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        kind = literal_at(text, at, (self._form.kind,)) if self._form.kind else None
        if kind == "":
            return NEEDS_MORE
        if self._form.kind and kind is None:
            return self._no_call(text, at)
        self._step = self._head
        return at + len(kind or "")

    def _head(self, text: str, at: int, out: list[Piece]) -> int:
        found = [(end, len(mark), mark) for mark in self._form.head_ends if (end := text.find(mark, at)) >= 0]
        end, _, mark = min(found, default=(len(text) - begun(text, at, self._form.head_ends), 0, ""))
        head = text[at:end].strip()
        if len(head) > LONGEST_NAME or (not self._form.spaced and len(head.split()) > 1):
            return self._no_call(text, at)
        if not mark:
            return NEEDS_MORE
        name, ident = self._form.read_head(head)
        known = self._toolbox.find(name) if name else None
        if known is None:
            return self._no_call(text, at)
        self._begin_call(known, ident, out)
        self._step = self._before_arguments
        return end if mark == "{" else end + len(mark)

    def _before_arguments(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        mark = literal_at(text, at, self._form.skipped)
        if mark == "":
            return NEEDS_MORE
        if mark is None:
            self._begin_arguments(self._behind_arguments)
            return at
        return at + len(mark)

    def _behind_arguments(self, text: str, at: int, out: list[Piece]) -> int:
        self._end_call(at, out)
        self._step = self._between
        return at


def marked_calls(marks: Marks) -> Callable[[str, Toolbox], Reader]:
    """For `Syntax.reader`."""
    return lambda opener, toolbox: MarkedCalls(opener, toolbox, marks)
