"""Harmony, the messages of gpt-oss, where its marks leaked into text.

A message is a header, `<|message|>` and a body. One with a recipient is a call. One without, whose body is JSON that
only one tool takes, is a call too; the marks of any other one are dropped, and its body is text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from landline.families.tool_parsers.json_arguments import ArgumentText
from landline.families.tool_parsers.stepwise import (
    NEEDS_MORE,
    Step,
    StepReader,
    begun,
    end_of_space,
    literal_at,
    read_so_far,
)
from landline.families.tool_parsers.syntax import LONGEST_NAME, Argued, Piece, Reader, Syntax, Toolbox, WrittenCall

_START, _CHANNEL, _MESSAGE, _CONSTRAIN = "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"
_CALL, _END, _RETURN = "<|call|>", "<|end|>", "<|return|>"
_ENDS = (_CALL, _END, _RETURN)
_UNMARKED = ("assistantcommentary to=functions.", "commentary to=functions.")  # the tokens themselves were hidden
_FIRST_WORDS = {_START: ("assistant",), _CHANNEL: ("commentary", "analysis", "final")}
_RECIPIENT = re.compile(r"\bto=(?:functions\.)?([^\s<{]+)")
_TOOL_BEFORE_CHANNEL = re.compile(rf"{re.escape(_START)}\s*(?:assistant)?\s*")
_LONGEST_HEADER = LONGEST_NAME + 128


class Harmony(StepReader):
    """Reads one message; the next one begins with an opener of its own."""

    def __init__(self, opener: str, toolbox: Toolbox) -> None:
        super().__init__(toolbox)
        self._marks = (*_ENDS, _START, _CHANNEL)
        self._opener = opener
        self._header_ends = ("{",) if opener in _UNMARKED else (_MESSAGE,)
        self._json = ArgumentText()
        self._step: Step = self._drop if opener in _ENDS else self._first_word
        if opener in _UNMARKED:
            self._step = self._header

    def _drop(self, text: str, at: int, out: list[Piece]) -> int:
        """A mark that ends a message whose body was text."""
        return self._done(at)

    def _first_word(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        word = literal_at(text, at, _FIRST_WORDS[self._opener])
        if word == "":
            return NEEDS_MORE
        if word is None:
            self._give_up(text)
        self._step = self._header
        return at

    def _header(self, text: str, at: int, out: list[Piece]) -> int:
        mark = self._header_ends[0]
        end = text.find(mark, at)
        header = text[at : end if end >= 0 else len(text) - begun(text, at, self._header_ends)]
        if len(header) > _LONGEST_HEADER or "\n\n" in header or "{" in header:
            self._give_up(text)
            return at
        if end < 0:
            return NEEDS_MORE
        unmarked = mark == "{"
        found = _RECIPIENT.search(f"to={header}" if unmarked else header)
        if found is None and not unmarked:
            self._commit(end + len(mark))
            self._step = self._body
            return end + len(mark)
        name = self._toolbox.find(found[1]) if found else None
        if name is None:
            self._give_up(text)
            return at
        at = end if unmarked else end + len(mark)
        self._begin_call(name, "", out)
        self._begin_arguments(self._behind_arguments)
        return at

    def _behind_arguments(self, text: str, at: int, out: list[Piece]) -> int:
        self._end_call(at, out)
        self._step = self._behind_call
        return at

    def _behind_call(self, text: str, at: int, out: list[Piece]) -> int:
        """The mark that ends the message may be missing."""
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        mark = literal_at(text, at, _ENDS)
        if mark == "":
            return NEEDS_MORE
        if mark is None:
            self._release(text)
            return at
        return self._done(at + len(mark))

    # ------------------------------------------------------------------------------------------------ no recipient

    def _body(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        if text[at] != "{":
            self._release(text)
            return at
        self._json = ArgumentText("<")
        self._held: list[str] = []
        self._step = self._object
        return at

    def _object(self, text: str, at: int, out: list[Piece]) -> int:
        """JSON that may be the arguments of a call whose name was not written."""
        if at == len(text):
            return NEEDS_MORE
        piece, at = self._json.feed(text, at)
        self._held.append(piece)
        if self._json.ended:
            self._judge("".join(self._held), text, at, out)
        return at

    def _judge(self, arguments: str, text: str, at: int, out: list[Piece]) -> None:
        try:
            value: object = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        name = self._toolbox.fitting(cast("dict[str, Any]", value)) if isinstance(value, dict) else None
        if name is None or self._holds_too_much(at):
            self._release(text)
            return
        self._begin_call(name, "", out)
        out.append(Argued(arguments))
        self._end_call(at, out)
        self._step = self._behind_call

    def _give_up(self, text: str) -> None:
        if self._step in (self._body, self._object):  # more than may be held
            self._release(text)
        else:
            super()._give_up(text)

    def _at_end(self, text: str, out: list[Piece]) -> None:
        if self._step in (self._drop, self._body, self._object):
            self._release(text)
        else:
            super()._at_end(text, out)


def _reader(opener: str, toolbox: Toolbox) -> Reader:
    return Harmony(opener, toolbox)


def _write(calls: Sequence[WrittenCall]) -> str:
    return _START.join(
        f"{'assistant' if number else ''}{_CHANNEL}commentary to=functions.{call.name} {_CONSTRAIN}json"
        f"{_MESSAGE}{call.arguments}{_CALL}"
        for number, call in enumerate(calls)
    )


HARMONY = Syntax(
    name="harmony",
    parsers=("openai",),
    openers=(_START, _CHANNEL, *_UNMARKED, *_ENDS),
    reader=_reader,
    write=_write,
)
SYNTAXES = (HARMONY,)
