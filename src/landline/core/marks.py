"""Literal marks in text that comes in pieces: whether one stands in it, or may have begun at its end."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORT = 64  # characters; in longer texts, single characters are found faster than marks


class Marks:
    """Made once for a list of marks: short, none of them empty, and never a peer's (each beginning is kept)."""

    def __init__(self, marks: Iterable[str]) -> None:
        known = sorted(set(marks), key=len, reverse=True)
        self.firsts = tuple(dict.fromkeys(mark[0] for mark in known))
        """Characters; in a text without them no mark stands or begins."""
        kinds = re.escape("".join(self.firsts))
        starts = re.compile(f"[{kinds}]" if known else r"(?!)")
        self._first, self._starts = starts.search, starts.finditer
        self.search = re.compile(_begun_or_whole(known) or r"(?!)").search
        """The first place where a mark stands, or may have begun at the end of the text."""
        self._beginnings = frozenset(mark[:size] for mark in known for size in range(1, len(mark)))
        self.unfinished = self._beginnings - frozenset(known)  # what is the beginning of a mark, and none
        self._longest = max(map(len, known), default=1) - 1

    def near(self, text: str) -> bool:
        """Whether a mark stands in the text, or its end may be the beginning of one."""
        return self.look(text) is not None

    def look(self, text: str) -> re.Match[str] | None:
        """`search`, for texts of any length."""
        if len(text) < SHORT:
            return self.search(text)
        for first in self.firsts:
            if first in text:
                return self.search(text)
        return None

    def until(self, text: str) -> int | None:
        """How much of the text may leave; behind it, a mark may have begun. None: one stands in the text."""
        found = self.look(text)
        if found is None:
            return len(text)
        return found.start() if text[found.start() :] in self.unfinished else None

    def begun(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of a mark."""
        if self._first(text, max(0, len(text) - self._longest)) is None:
            return 0
        for found in self._starts(text, max(0, len(text) - self._longest)):
            if text[found.start() :] in self._beginnings:
                return len(text) - found.start()
        return 0


def _begun_or_whole(marks: Iterable[str]) -> str:
    """A pattern for one of the marks, or for as much of it as there is before the end. The shorter of two alike counts.

    As a tree, by their characters: many begin alike.
    """
    branches: dict[str, list[str]] = {}
    for mark in marks:
        branches.setdefault(mark[:1], []).append(mark[1:])
    if "" in branches:
        return ""
    parts: list[str] = []
    for first, rest in branches.items():
        follows = _begun_or_whole(rest)
        parts.append(re.escape(first) + (f"(?:{follows}|\\Z)" if follows else ""))
    return "|".join(parts)
