"""Literal marks in text that comes in pieces: whether one stands in it, or may have begun at its end."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Marks:
    """Made once for a list of marks: short, none of them empty, and never a peer's (each beginning is kept)."""

    def __init__(self, marks: Iterable[str]) -> None:
        known = sorted(set(marks), key=len, reverse=True)
        self._search = re.compile(_by_beginnings(known, 2) or r"(?!)").search
        starts = re.compile(f"[{re.escape(''.join({mark[0] for mark in known}))}]" if known else r"(?!)")
        self._first, self._starts = starts.search, starts.finditer
        self._beginnings = {mark[:size] for mark in known for size in range(1, len(mark))}
        self._longest = max(map(len, known), default=1) - 1

    def near(self, text: str) -> bool:
        """Whether a mark stands in the text, or its end may be the beginning of one."""
        if self._first(text) is None:  # nearly always
            return False
        return self._search(text) is not None or self.begun(text) > 0

    def begun(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of a mark."""
        if self._first(text, max(0, len(text) - self._longest)) is None:
            return 0
        for found in self._starts(text, max(0, len(text) - self._longest)):
            if text[found.start() :] in self._beginnings:
                return len(text) - found.start()
        return 0


def _by_beginnings(marks: Iterable[str], depth: int) -> str:
    """A pattern that tells by the first characters which marks can follow: many begin alike."""
    groups: dict[str, list[str]] = {}
    for mark in marks:
        groups.setdefault(mark[:1], []).append(mark[1:])
    parts: list[str] = []
    for first, rest in groups.items():
        follows = "|".join(map(re.escape, rest)) if depth == 1 else _by_beginnings(filter(None, rest), depth - 1)
        optional = "?" if depth > 1 and "" in rest else ""
        parts.append(re.escape(first) + (f"(?:{follows}){optional}" if follows else ""))
    return "|".join(parts)
