"""Calls as mere JSON, bare or in a code fence, with no mark of a call: only if nothing else stands in the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from landline.families.tool_parsers.json_calls import Form, JsonCalls, call_list
from landline.families.tool_parsers.sole import SoleReader
from landline.families.tool_parsers.stepwise import NEEDS_MORE
from landline.families.tool_parsers.syntax import Piece, Reader, Syntax, Toolbox, WrittenCall

FENCE = "```"
_INFO = re.compile(r"`?[ \t]*(?:json[5lc]?|tool_calls?|tool_code|function_calls?)?[ \t]*\r?", re.IGNORECASE)
_LONGEST_INFO = 32


class _Bare(JsonCalls):
    def __init__(self, opener: str, toolbox: Toolbox) -> None:
        fenced = opener == FENCE
        super().__init__(opener, toolbox, Form(closers=(FENCE,) if fenced else (), strict=True))
        if fenced:
            self._step = self._info

    def _info(self, text: str, at: int, out: list[Piece]) -> int:
        """What stands behind the marks of a fence: the language, which must be no other one."""
        end = text.find("\n", at)
        info = text[at:] if end < 0 else text[at:end]
        if len(info) > _LONGEST_INFO or (end >= 0 and not _INFO.fullmatch(info)):
            self._give_up(text)
            return at
        if end < 0:
            return NEEDS_MORE
        self._step = self._first
        return end + 1


def bare_json(opener: str, toolbox: Toolbox) -> Reader:
    """For `Syntax.reader`."""
    return SoleReader(_Bare(opener, toolbox))


def _write(calls: Sequence[WrittenCall]) -> str:
    return call_list(calls) if calls else ""


BARE_JSON = Syntax(
    name="bare_json", parsers=("xlam",), openers=(FENCE, "{", "["), reader=bare_json, write=_write, sole=True
)
SYNTAXES = (BARE_JSON,)
