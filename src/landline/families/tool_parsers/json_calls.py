"""Calls that are JSON objects with the name and the arguments in them, one after another or in a list.

Keys come in any order; `parameters` and `args` are `arguments` too, and so is what stands in the `function` object of
OpenAI's form. Between the objects commas, semicolons and stray brackets are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from landline.core.partial_json import ValueEnd
from landline.families.tool_parsers.stepwise import NEEDS_MORE, Step, StepReader, end_of_space, literal_at, read_so_far
from landline.families.tool_parsers.syntax import (
    LONGEST_NAME,
    Argued,
    Piece,
    Reader,
    Toolbox,
    WrittenCall,
)

_NAMES = ("name", "tool_name", "function", "function_name")
_ARGUMENTS = ("arguments", "parameters", "args", "tool_input", "input")
_ALLOWED = (*_NAMES, *_ARGUMENTS, "id", "type", "tool_call_id")
_BETWEEN = ",;}]"


class Form(Struct, frozen=True):
    """How the objects stand in the text.

    `closers` end the calls and may be missing. `keyed`: the name is the key of the arguments. `strict`: an object that
    has other keys, or no arguments, is data and no call.
    """

    closers: tuple[str, ...] = ()
    keyed: bool = False
    strict: bool = False


class _Token:
    """Where a string ends that comes in pieces."""

    def __init__(self) -> None:
        self._value = ValueEnd()
        self._fed = self._size = 0

    def end(self, text: str, at: int) -> int:
        """`text` from `at` on is what came so far. -1: not yet."""
        if not self._size:
            found = self._value.feed(text, at + self._fed)
            self._fed, self._size = len(text) - at, max(found - at, 0)
        return at + self._size if self._size else -1


class JsonCalls(StepReader):
    """Reads from the first bracket on; an opener that ends in one has been it."""

    def __init__(self, opener: str, toolbox: Toolbox, form: Form) -> None:
        super().__init__(toolbox)
        self._form = form
        self._marks = form.closers
        self._listed = False
        self._step: Step = self._first
        if opener.endswith("{"):
            self._begin_object()
        elif opener.endswith("["):
            self._begin_list()

    # ------------------------------------------------------------------------------------------------ objects

    def _first(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        if text[at] == "[":
            self._begin_list()
            return at + 1
        return self._first_of_list(text, at, out)

    def _begin_list(self) -> None:
        self._listed = True
        self._step = self._first_of_list

    def _first_of_list(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        if text[at] != "{":
            self._give_up(text)
            return at
        self._begin_object()
        return at + 1

    def _between(self, text: str, at: int, out: list[Piece]) -> int:
        """Behind a call: another one, a closer, or what is no more of this."""
        start = at
        while at < len(text) and (text[at].isspace() or text[at] in _BETWEEN):
            at += 1
            if text[at - 1] in "}]":
                self._commit(at)
                if text[at - 1] == "]" and self._listed and not self._form.closers:
                    return self._done(at)
        if at > start or at == len(text):
            return read_so_far(start, at)
        closer = literal_at(text, at, self._form.closers)
        if closer:
            return self._done(at + len(closer))
        if closer == "":
            return NEEDS_MORE
        if text[at] != "{":
            self._give_up(text)
            return at
        self._begin_object()
        return at + 1

    def _begin_object(self) -> None:
        self._key = ""
        self._name: str | None = None
        self._id = ""
        self._argued = False
        self._held: list[str] | None = None  # arguments that came before the name
        self._level = 1
        self._step = self._next_key

    def _end_object(self, at: int, out: list[Piece]) -> int:
        if self._form.strict and not self._argued:
            self._name = None
        if not self._open and not self._try_call(out):
            return at
        if not self._argued:
            out.append(Argued("{}"))
        self._step = self._between
        self._end_call(at, out)
        return at

    # ------------------------------------------------------------------------------------------------ keys

    def _next_key(self, text: str, at: int, out: list[Piece]) -> int:
        start = at
        while at < len(text) and (text[at].isspace() or text[at] == ","):
            at += 1
        if at > start or at == len(text):
            return read_so_far(start, at)
        if text[at] == "}":
            self._level -= 1
            at += 1
            return self._checked(text, self._end_object(at, out)) if self._level == 0 else at
        if text[at] in "\"'":
            return self._read_key(at)
        return self._stray(text, at, out)

    def _stray(self, text: str, at: int, out: list[Piece]) -> int:
        """What cannot stand there in JSON: behind the arguments only brackets are missing."""
        if self._argued and self._name is not None:
            return self._checked(text, self._end_object(at, out))
        self._name = None
        return self._checked(text, at)

    def _checked(self, text: str, at: int) -> int:
        if self._name is None:
            self._give_up(text)
        return at

    def _read_token(self, then: Callable[[str], None], at: int) -> int:
        """A string follows whose meaning `then` takes. All of it is kept until it ends: it may be text after all."""
        token = _Token()

        def step(text: str, at: int, out: list[Piece]) -> int:
            end = token.end(text, at)
            if (end if end >= 0 else len(text)) - at > LONGEST_NAME:
                return self._stray(text, at, out)
            if end < 0:
                return NEEDS_MORE
            then(_string(text[at:end]))
            return end if self._name is not None or self._step != step else self._refused(text, end)

        self._step = step
        return at

    def _read_key(self, at: int) -> int:
        """The same for a key, which a colon must follow: else it is a quoted word, and no part of the object."""
        token = _Token()

        def step(text: str, at: int, out: list[Piece]) -> int:
            end = token.end(text, at)
            colon = end_of_space(text, end) if end >= 0 else len(text)
            if colon - at > LONGEST_NAME or (colon < len(text) and text[colon] != ":"):
                return self._stray(text, at, out)
            if colon == len(text):
                return NEEDS_MORE
            self._key = _string(text[at:end])
            self._step = self._colon
            return end

        self._step = step
        return at

    def _refused(self, text: str, at: int) -> int:
        self._give_up(text)
        return at

    def _take_name(self, name: str) -> None:
        self._name = self._toolbox.find(name)
        if self._name is not None:
            self._step = self._next_key

    def _take_id(self, ident: str) -> None:
        self._id = ident
        self._step = self._next_key

    def _colon(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        if text[at] != ":":
            return self._stray(text, at, out)
        self._step = self._value
        return at + 1

    # ------------------------------------------------------------------------------------------------ values

    def _value(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at > start or at == len(text):
            return read_so_far(start, at)
        first, key = text[at], self._key
        if self._form.keyed and self._name is None:
            self._name = self._toolbox.find(key)
            return self._checked(text, self._arguments_of(text, at, out))
        if key in _NAMES and first in "\"'" and self._name is None:
            return self._read_token(self._take_name, at)
        if key == "function" and first == "{":
            self._level += 1
            self._step = self._next_key
            return at + 1
        if key in _ARGUMENTS and not self._argued:
            return self._arguments_of(text, at, out)
        if key == "id" and first == '"':
            return self._read_token(self._take_id, at)
        if self._form.strict and key not in _ALLOWED:
            return self._refused(text, at)
        return self._skip(at)

    def _skip(self, at: int) -> int:
        end = ValueEnd()

        def step(text: str, at: int, out: list[Piece]) -> int:
            if at == len(text):
                return NEEDS_MORE
            found = end.feed(text, at)
            if found < 0:
                return len(text)
            self._step = self._next_key
            return found

        self._step = step
        return at

    def _arguments_of(self, text: str, at: int, out: list[Piece]) -> int:
        if self._form.strict and text[at] not in '{"':
            return self._refused(text, at)
        self._argued = True
        if self._name is not None:
            self._try_call(out)
        else:
            self._held = []
        self._begin_arguments(self._next_key)
        return at

    def _argue(self, piece: str, out: list[Piece]) -> None:
        if self._held is None:
            super()._argue(piece, out)
        else:
            self._held.append(piece)

    def _try_call(self, out: list[Piece]) -> bool:
        if self._name is None:
            return False
        self._begin_call(self._name, self._id, out)
        if self._held is not None:
            held, self._held = "".join(self._held), None
            self._argue(held, out)
        return True


def _string(token: str) -> str:
    try:
        return msgspec.json.decode(token, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return token.strip()[1:-1]


def json_calls(form: Form) -> Callable[[str, Toolbox], Reader]:
    """For `Syntax.reader`."""
    return lambda opener, toolbox: JsonCalls(opener, toolbox, form)


def encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def call_object(call: WrittenCall, arguments: str = "arguments") -> str:
    """A call as most templates write it."""
    return f'{{"name": {encoded(call.name)}, "{arguments}": {call.arguments}}}'


def call_list(calls: Sequence[WrittenCall], arguments: str = "arguments") -> str:
    return "[" + ", ".join(call_object(call, arguments) for call in calls) + "]"
