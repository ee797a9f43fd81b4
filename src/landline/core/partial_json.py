"""Where a JSON value ends in text that comes in pieces. Says nothing about whether the value is valid.

Models write JSON that is not: quotes inside a string without a backslash, raw newlines, single quotes, a bracket too
few. The end is found all the same where valid JSON could not be read otherwise: a quote closes a string only if what
follows may follow a string, and a closing bracket closes what was left open within it.
"""

from __future__ import annotations

import re
from enum import Enum

_MARKS = "\"'{}\\[\\]:,"
_IN_STRING = {'"': re.compile(r'["\\]'), "'": re.compile(r"['\\]")}
_SCALAR_END = re.compile(r"[\s,;}\]]")
_SPACE = re.compile(r"\s*")
_OPENER = {"}": "{", "]": "["}
_AFTER_COMMA = {"{": "\"'}", "[": "\"'{[]-0123456789tfnTFN"}


class _In(Enum):
    NOTHING = "nothing"  # before the value
    STRUCTURE = "structure"
    STRING = "string"
    QUOTED = "quoted"  # behind a quote that closes the string, if what follows may follow one
    LISTED = "listed"  # behind such a quote and a comma
    SCALAR = "scalar"


class ValueEnd:
    """Follows one value from its first character on (white space before it is part of it).

    `feed` returns where the value ends in the text that it was given, or -1. A number or a word ends in front of what
    follows it, so at the end of the input it may be whole without having ended. One of `stops`, characters that cannot
    stand outside of a string, ends any value and sets `stopped`; after `resume` it was an ordinary one.
    """

    def __init__(self, stops: str = "") -> None:
        self.stopped = False
        self._stops = stops
        self._marks = re.compile(f"[{_MARKS}{re.escape(stops)}]")
        self._scalar_end = re.compile(f"{_SCALAR_END.pattern}|[{re.escape(stops)}]") if stops else _SCALAR_END
        self._in = _In.NOTHING
        self._open: list[str] = []
        self._counts = {"{": 0, "[": 0}
        self._quote = '"'
        self._escaped = False  # the text so far ends in a backslash
        self._fresh = False  # only white space since a mark behind which a string may begin
        self._resumed = False

    @property
    def begun(self) -> bool:
        return self._in is not _In.NOTHING

    @property
    def in_string(self) -> bool:
        """Whether what came last belongs to a string that is not surely closed."""
        return self._in in (_In.STRING, _In.QUOTED, _In.LISTED)

    def resume(self) -> None:
        """What it stopped at, which is fed next, belongs to the value."""
        self.stopped, self._resumed = False, True

    def feed(self, text: str, start: int = 0) -> int:
        at = start
        while at < len(text):
            if self._in is _In.SCALAR:
                return self._scalar(text, at)
            if self._in is _In.STRING:
                at = self._string(text, at)
            elif self._in is _In.STRUCTURE:
                at = self._structure(text, at)
            elif self._in is _In.NOTHING:
                at = self._begin(text, at)
            else:
                at = self._behind_quote(text, at)
            if self.stopped or (not self._open and self._in is _In.STRUCTURE):
                return at
        return -1

    def _begin(self, text: str, at: int) -> int:
        at = _end_of_space(text, at)
        if at == len(text):
            return at
        first = text[at]
        if first in self._stops and not self._resumed:
            self.stopped = True
            return at
        if first in _IN_STRING:
            self._in, self._quote = _In.STRING, first
            return at + 1
        if first in "{[":
            self._in = _In.STRUCTURE
            self._push(first)
            return at + 1
        self._in = _In.SCALAR
        return at

    def _scalar(self, text: str, at: int) -> int:
        end = self._scalar_end.search(text, at + self._take_resumed())
        if end is None:
            return -1
        self.stopped = end[0] in self._stops
        return end.start()

    def _take_resumed(self) -> bool:
        resumed, self._resumed = self._resumed, False
        return resumed

    def _structure(self, text: str, at: int) -> int:
        """Behind the next mark, in front of a stop, or at the end of the text."""
        mark = self._marks.search(text, at + self._take_resumed())
        end = len(text) if mark is None else mark.start()
        self._fresh = self._fresh and _end_of_space(text, at) >= end
        if mark is None:
            return end
        found = mark[0]
        if found in self._stops:
            self.stopped = True
            return end
        if found == '"' or (found == "'" and self._fresh):
            self._in, self._quote = _In.STRING, found
        elif found in "{[":
            self._push(found)
        elif found in "}]":
            self._pop(found)
        self._fresh = found in "{[:,"
        return mark.end()

    def _push(self, bracket: str) -> None:
        self._open.append(bracket)
        self._counts[bracket] += 1
        self._fresh = True

    def _pop(self, bracket: str) -> None:
        opener = _OPENER[bracket]
        if not self._counts[opener]:
            return
        popped = ""
        while popped != opener:
            popped = self._open.pop()
            self._counts[popped] -= 1

    def _string(self, text: str, at: int) -> int:
        """Behind the next quote, or at the end of the text."""
        if self._escaped:
            self._escaped = False
            at += 1
        search = _IN_STRING[self._quote].search
        while (found := search(text, at)) is not None:
            at = found.end()
            if found[0] == self._quote:
                self._in = _In.QUOTED if self._open else _In.STRUCTURE
                return at
            if at == len(text):
                self._escaped = True
                return at
            at += 1
        return len(text)

    def _behind_quote(self, text: str, at: int) -> int:
        at = _end_of_space(text, at)
        if at == len(text):
            return at
        follows = text[at]
        if self._in is _In.QUOTED and follows == ",":
            self._in = _In.LISTED
            return at + 1
        fine = _AFTER_COMMA[self._open[-1]] if self._in is _In.LISTED else f":}}]{self._stops}"
        self._fresh = self._in is _In.LISTED
        self._in = _In.STRUCTURE if follows in fine else _In.STRING
        return at


def _end_of_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at
