"""Reads what a model meant as JSON and did not quite write: Python's words and quotation marks, raw line ends, odd
escapes, quotation marks of code that were not escaped, the first brace missing, a comma or a brace too much.

Only whole values are read. A text that stops in the middle has no reading here, however it could be completed: half a
call must not be run. Where a quotation mark may end a string or belong to it, it ends the string only if what comes
next can come next: a comma and a key, or the closing brace. What that does not decide has no reading either.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from typing import Final, Literal

import msgspec

from landline.core.json_strings import proper
from landline.core.partial_json import ValueEnd

_DEEPEST = 64
_BLANK = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"(?:(-?[0-9][0-9.eE+-]*)|(true|True)|(false|False)|(null|None))(?=[\s,}\]]|$)")
_STOPS = {mark: re.compile(rf"[\\{mark}]") for mark in "\"'"}
# A key of up to 128 characters behind a comma, or a comma too much.
_NEXT_KEY = re.compile(
    r",[ \t\r\n]*(?:\"(?P<double>[^\"\\\n]{0,128})\"[ \t\r\n]*:|'(?P<single>[^'\\\n]{0,128})'[ \t\r\n]*:|\})"
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_FENCE = re.compile(r"\s*```[a-z]*\s*")
_MARKUP = re.compile(r"</?[\w:]{1,40}>|<\|[^|<>]{1,40}\|>|```")
_LONGEST_MARKUP = 48
_MOST_MARKUP = 8
_NEXT_ITEM = re.compile(r",[ \t\r\n]*[\"'{\[\]0-9tfnTFN-]")


class Unread(Enum):
    UNREAD = "unread"


UNREAD: Final = Unread.UNREAD


def read_json(text: str) -> object | Literal[Unread.UNREAD]:
    """The value of a text that is JSON; UNREAD for any other."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return UNREAD


def read_lenient(text: str, keys: Collection[str] = ()) -> object | Literal[Unread.UNREAD]:
    """The value that `text` stands for; UNREAD where it is cut, or means nothing for sure.

    `keys` are those that the object should have: behind a quotation mark that was not escaped, only they count as keys.
    """
    value = read_json(text)
    if value is not UNREAD:
        return value
    try:
        return _Reader(text, keys).document()
    except (_Odd, msgspec.DecodeError, ValueError, RecursionError):
        return UNREAD


def is_over(text: str) -> bool:
    """Whether the arguments of a call are written to their end, well or badly. False: they stop in the middle."""
    if read_lenient(text) is not UNREAD:
        return True
    bare = _bare(text)
    return bare.endswith(("}", "]")) and (ValueEnd().feed(bare) == len(bare) or _closed(bare))


def _closed(text: str) -> bool:
    """Whether all brackets outside of what looks like strings are closed, and the last quotation mark too."""
    rest = _STRING.sub("", text)
    opened = sum(rest.count(mark) for mark in "{[")
    return '"' not in rest and opened == sum(rest.count(mark) for mark in "}]")


class _Odd(Exception):
    """There is no sure reading."""


class _Place(Enum):
    """Where a string stands."""

    KEY = "key"
    MEMBER = "member"
    ITEM = "item"


def _bare(text: str) -> str:
    """Without the markup that leaks around arguments: a code fence, the closing tag of the call."""
    fence = _FENCE.match(text)
    text = text[fence.end() :] if fence else text
    for _ in range(_MOST_MARKUP):
        text = text.rstrip()
        at = max(text.rfind("<", -_LONGEST_MARKUP), len(text) - 3 if text.endswith("```") else -1)
        if at < 0 or not _MARKUP.fullmatch(text, at):
            break
        text = text[:at]
    return text.rstrip()


class _Reader:
    def __init__(self, text: str, keys: Collection[str]) -> None:
        self._text = _bare(text)
        self._tail = len(self._text.rstrip("}] \t\r\n"))  # from here on nothing but closing marks
        self._keys = keys
        self._at = 0
        self._depth = 0

    def document(self) -> object:
        self._blank()
        mark = self._here()
        if mark in ("{", "["):
            value = self._value(_Place.ITEM)
        elif mark in _STOPS:  # the first brace is missing
            value = self._members()
        else:
            raise _Odd
        if self._at < self._tail:
            raise _Odd
        return value

    def _here(self) -> str:
        return self._text[self._at : self._at + 1]

    def _blank(self) -> None:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _skip(self, mark: str) -> bool:
        """Goes on behind `mark`, if it is what comes next."""
        self._blank()
        if self._here() != mark:
            return False
        self._at += 1
        self._blank()
        return True

    def _value(self, place: _Place) -> object:
        mark = self._here()
        if mark in _STOPS:
            return self._string(mark, place)
        if mark in ("{", "["):
            if self._depth >= _DEEPEST:
                raise _Odd
            self._skip(mark)
            return self._members() if mark == "{" else self._items()
        found = _SCALAR.match(self._text, self._at)
        if found is None:
            raise _Odd
        self._at = found.end()
        number, true, false, _ = found.groups()
        return msgspec.json.decode(number) if number else True if true else False if false else None

    def _members(self) -> dict[str, object]:
        self._depth += 1
        members: dict[str, object] = {}
        while not self._skip("}"):
            mark = self._here()
            if mark not in _STOPS:
                raise _Odd
            name = self._string(mark, _Place.KEY)
            if not self._skip(":"):
                raise _Odd
            members[name] = self._value(_Place.MEMBER)
            if not self._skip(",") and self._here() != "}":
                raise _Odd
        self._depth -= 1
        return members

    def _items(self) -> list[object]:
        self._depth += 1
        items: list[object] = []
        while not self._skip("]"):
            items.append(self._value(_Place.ITEM))
            if not self._skip(",") and self._here() != "]":
                raise _Odd
        self._depth -= 1
        return items

    def _string(self, mark: str, place: _Place) -> str:
        begin = at = self._at + 1
        doubtful = False
        while (found := _STOPS[mark].search(self._text, at)) is not None:
            if found[0] == "\\":
                at = found.end() + 1
            elif self._ends(found.end(), place, doubtful):
                self._at = found.end()
                return msgspec.json.decode(f'"{proper(self._text[begin : found.start()])}"', type=str)
            else:
                doubtful = True
                at = found.end()
        raise _Odd

    def _ends(self, behind: int, place: _Place, doubtful: bool) -> bool:
        """Whether the quotation mark before `behind` ends its string."""
        text = self._text
        blank = _BLANK.match(text, behind)
        assert blank is not None
        at = blank.end()
        mark = text[at : at + 1]
        if place is _Place.KEY:
            return mark == ":"
        if place is _Place.ITEM:
            return mark == "]" or _NEXT_ITEM.match(text, at) is not None
        if mark == "}":
            return at >= self._tail or (self._depth > 1 and self._closes(at + 1))
        found = _NEXT_KEY.match(text, at)
        if found is None:
            return False
        key = found["double"] if found["double"] is not None else found["single"]
        return not (doubtful and self._depth == 1 and self._keys and key is not None) or key in self._keys

    def _closes(self, at: int) -> bool:
        blank = _BLANK.match(self._text, at)
        assert blank is not None
        return self._text[blank.end() : blank.end() + 1] in (",", "]", "}")
