"""The shapes of tags, searched for in text that comes in pieces.

A shape is a row of parts; each part knows how it looks when it is whole and when the text ends in it. So it can be
said of any text which tag stands next, or from where on it may be the beginning of one and has to wait. Everything in
a shape is bounded, so nothing waits for long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from landline.families.tool_parsers.syntax import LONGEST_NAME

_LONGEST_TAG = 4 * LONGEST_NAME
_LONGEST_SPACE = 32
_NAMED = re.compile(r"\(\?P<\w+>")


class Kind(Enum):
    OPEN = "open"  # of a block of calls
    CLOSE = "close"
    CALL = "call"  # its field `name`
    CALL_END = "call_end"
    PARAMETER = "parameter"  # its field `key`
    LOOSE = "loose"  # a parameter whose tag is not closed as it should be
    PARAMETER_END = "parameter_end"
    GLUED = "glued"  # a call and its first parameter, with nothing between their names
    TAIL = "tail"  # what ends the message behind the block
    BROKEN = "broken"  # a parameter without a name
    TEXT = "text"  # no tag
    END = "end"  # of the output


class Part(Struct, frozen=True):
    """Two regular expressions. `begun` matches what may stand at the end of the text, nothing included."""

    whole: str
    begun: str


class Tag(Struct, frozen=True):
    kind: Kind
    start: int
    end: int
    fields: dict[str, str | None] = {}

    def field(self, name: str) -> str:
        return self.fields.get(name) or ""


def literal(*words: str) -> Part:
    """One of these words."""
    return Part(_any(words), _any(_beginnings(words)))


def ahead(*words: str) -> Part:
    """The tag ends here, and one of these words follows."""
    return Part(f"(?={_any(words)})", _any(_beginnings(words)))


def other_than(word: str, *, spaced: bool = True) -> Part:
    """The tag ends here, and something else than this word follows; `spaced`: white space before it aside."""
    space = r"\s" if spaced else ""
    others = "|".join(
        rf"{re.escape(word[:at])}[^{re.escape(word[at])}{'' if at else space}]" for at in range(len(word))
    )
    return Part(f"(?={others})", _any(_beginnings([word])))


def field(name: str, characters: str, longest: int = LONGEST_NAME) -> Part:
    """At least one of a class of characters (as it stands in a regular expression)."""
    return Part(f"(?P<{name}>{characters}{{1,{longest}}}?)", f"{characters}{{0,{longest}}}")


SPACE = Part(rf"\s{{0,{_LONGEST_SPACE}}}", rf"\s{{0,{_LONGEST_SPACE}}}")


class Shape(Struct, frozen=True):
    kind: Kind
    parts: tuple[Part, ...]

    def whole(self) -> str:
        return "".join(part.whole for part in self.parts)

    def begun(self) -> str:
        pattern = "(?!)"
        for part in reversed(self.parts):
            pattern = f"(?:{part.whole}{pattern}|{part.begun})"
        return pattern


def shape(kind: Kind, *parts: str | Part) -> Shape:
    return Shape(kind, tuple(literal(part) if isinstance(part, str) else part for part in parts))


class Shapes:
    """Some shapes, ready to be searched for; of those that begin at the same place the first counts."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._shapes = [(s.kind, re.compile(s.whole())) for s in shapes]
        self._whole = re.compile("|".join(f"({_NAMED.sub('(?:', s.whole())})" for s in shapes))
        begun = "|".join(_NAMED.sub("(?:", s.begun()) for s in shapes)
        self._begun = re.compile(rf"(?=[{''.join(sorted(_starts(shapes)))}])(?:{begun})\Z")

    def next(self, text: str, at: int) -> Tag | None:
        """The first whole tag from there on."""
        return self._tag(self._whole.search(text, at), text)

    def here(self, text: str, at: int) -> Tag | None:
        return self._tag(self._whole.match(text, at), text)

    def begun(self, text: str, at: int) -> int:
        """Where a tag begins that the text ends in; the text's length where none does."""
        found = self._begun.search(text, max(at, len(text) - _LONGEST_TAG))
        return found.start() if found else len(text)

    def begun_here(self, text: str, at: int) -> bool:
        return len(text) - at <= _LONGEST_TAG and self._begun.match(text, at) is not None

    def _tag(self, found: re.Match[str] | None, text: str) -> Tag | None:
        if found is None or found.lastindex is None:
            return None
        kind, pattern = self._shapes[found.lastindex - 1]
        match = pattern.match(text, found.start())
        assert match is not None
        return Tag(kind, match.start(), match.end(), match.groupdict())


def _any(words: Sequence[str]) -> str:
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return f"(?:{'|'.join(map(re.escape, longest_first))})"


def _beginnings(words: Sequence[str]) -> list[str]:
    return [word[:size] for word in words for size in range(len(word))]


def _starts(shapes: Sequence[Shape]) -> set[str]:
    """The characters that a tag begins with; every shape begins with a literal."""
    found = {re.match(r"\(\?:(\\?.)", s.parts[0].whole) for s in shapes}
    return {match[1] for match in found if match is not None}
