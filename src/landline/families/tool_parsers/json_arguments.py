"""The arguments of a call where a model writes them in JSON: passed on as they grow, as they stand.

Broken JSON passes too; another part mends it. Only what is no object yet becomes one: JSON within a JSON string is
unpacked, and nothing, `null` or an empty string is `{}`.
"""

from __future__ import annotations

import re

import msgspec

from landline.core.partial_json import ValueEnd

_NOTHING = ("", "null", "None", "none", "undefined")
_HEX = "[0-9a-fA-F]"
_HIGH, _LOW = rf"\\u[dD][89abAB]{_HEX}{{2}}", rf"\\u[dD][c-fC-F]{_HEX}{{2}}"
_ONE = rf"\\u{_HEX}{{4}}|\\."
_CUT = rf"(?P<cut>{_HIGH}(?:\\(?:u(?:[dD](?:[c-fC-F]{_HEX}?)?)?)?)?\Z|\\(?:u{_HEX}{{0,3}})?\Z)"
_ESCAPE = re.compile(f"{_HIGH}{_LOW}|{_CUT}|{_ONE}", re.DOTALL)
_LAST_ESCAPE = re.compile(f"{_HIGH}{_LOW}|{_ONE}", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class ArgumentText:
    """One per call. `stops`: characters outside of strings at which the reader wants to look for its own marks."""

    def __init__(self, stops: str = "") -> None:
        self.ended = False
        self._value = ValueEnd(stops)
        self._first = ""
        self._held: list[str] = []  # of a scalar
        self._unquoted = False  # the quote before a string is behind us
        self._escape = ""  # the beginning of an escape in it
        self._given = False  # a piece has left
        self._finished = False

    @property
    def stopped(self) -> bool:
        return self._value.stopped

    def resume(self) -> None:
        """It was no mark where it stopped; that place is fed next."""
        self._value.resume()
        self.ended = False

    def feed(self, text: str, at: int) -> tuple[str, int]:
        """The next piece of the arguments, and the place behind what belongs to them; see `ended` and `stopped`."""
        end = self._value.feed(text, at)
        self.ended = end >= 0
        if end < 0:
            end = len(text)
        if not self._first:
            own = text[at:end].lstrip()
            self._first, at = own[:1], end - len(own)
        return self._converted(text[at:end], end), end

    def finish(self) -> str:
        """The last piece, once the value is complete or a mark of the reader has ended it."""
        rest, self._held = "".join(self._held).strip(), []
        piece = rest if rest not in _NOTHING else "" if self._given else "{}"
        self._finished = self._given = True
        return piece

    def complete(self) -> bool:
        """Whether the value is whole if the output ends here."""
        if self._finished or (self.ended and not self.stopped):
            return True
        return not self._given and "".join(self._held).strip() in _NOTHING[1:]

    def _converted(self, text: str, end: int) -> str:
        if self._first == '"':
            text = self._unpacked(text)
        elif self._first not in ("{", "["):
            self._held.append(text)
            return ""
        if not self._given:
            text = text.lstrip()
        self._given = self._given or bool(text)
        return text

    def _unpacked(self, text: str) -> str:
        """The text that a piece of a JSON string stands for, without the quotes around the whole."""
        if not self._unquoted:
            text, self._unquoted = text[1:], True
        text, self._escape = self._escape + text, ""
        if not self.ended:
            return _ESCAPE.sub(self._meaning, text)
        return _LAST_ESCAPE.sub(_unescaped, text if self.stopped else text[:-1])

    def _meaning(self, found: re.Match[str]) -> str:
        if found["cut"] is None:
            return _unescaped(found)
        self._escape = found[0]
        return ""


def _unescaped(found: re.Match[str]) -> str:
    escape = found[0]
    if len(escape) == 2:
        return _SIMPLE.get(escape[1], escape[1])
    try:
        return msgspec.json.decode(f'"{escape}"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "�"  # half of a pair
