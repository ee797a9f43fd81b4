"""Where a JSON value ends in text that comes in pieces. Says nothing about whether the value is valid."""

from __future__ import annotations

import re

_BEGINNING = re.compile(r"\S")
_MARKS = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'["\\]')
_SCALAR_END = re.compile(r"[\s,}\]]")


class ValueEnd:
    """Follows one value from its first character on (white space before it is part of it).

    `feed` reads the text from `at` on, and returns where the value ends in it, else -1. A number or a word ends in
    front of what follows it, so at the end of the input it may be whole without having ended.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self.begun = False
        self._scalar = False
        self._escaped = False  # the text so far ends in a backslash

    def feed(self, text: str, at: int = 0) -> int:
        if not self.begun:
            found = _BEGINNING.search(text, at)
            if found is None:
                return -1
            at = found.start()
            self.begun = True
            self._scalar = text[at] not in '"{['
        if self._scalar:
            end = _SCALAR_END.search(text, at)
            return end.start() if end else -1
        return self._structure(text, at)

    def _structure(self, text: str, at: int) -> int:
        while at < len(text):
            if self.in_string:
                at = self._string(text, at)
                if self.in_string:
                    return -1
            else:
                mark = _MARKS.search(text, at)
                if mark is None:
                    return -1
                at = mark.end()
                self._mark(mark[0])
            if self.depth <= 0 and not self.in_string:
                return at
        return -1

    def _mark(self, mark: str) -> None:
        if mark == '"':
            self.in_string = True
        else:
            self.depth += 1 if mark in "{[" else -1

    def _string(self, text: str, at: int) -> int:
        """Behind the end of the string, or the end of the text."""
        if self._escaped:
            self._escaped = False
            at += 1
        while (found := _IN_STRING.search(text, at)) is not None:
            at = found.end()
            if found[0] == '"':
                self.in_string = False
                return at
            if at == len(text):
                self._escaped = True
                return at
            at += 1
        return len(text)
