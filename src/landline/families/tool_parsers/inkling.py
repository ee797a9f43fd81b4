"""Inkling: blocks that say what they are, of which one kind is a call in JSON. The marks of the others are dropped."""

from __future__ import annotations

from collections.abc import Sequence

from landline.families.tool_parsers.json_calls import Form, JsonCalls, encoded
from landline.families.tool_parsers.stepwise import NEEDS_MORE, end_of_space, literal_at, read_so_far
from landline.families.tool_parsers.syntax import Piece, Reader, Syntax, Toolbox, WrittenCall

_MESSAGE = "<|message_model|>"
_CALL = "<|content_invoke_tool_json|>"
_TEXT = "<|content_text|>"
_ENDS = ("<|end_message|>", "<|content_model_end_sampling|>")


class _Blocks(JsonCalls):
    def __init__(self, opener: str, toolbox: Toolbox) -> None:
        super().__init__(opener, toolbox, Form(closers=_ENDS))
        if opener == _MESSAGE:
            self._step = self._kind
        elif opener != _CALL:
            self._step = self._drop

    def _kind(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        kind = literal_at(text, at, (_CALL, _TEXT))
        if kind == "":
            return NEEDS_MORE
        if kind is None:
            self._give_up(text)
            return at
        self._step = self._first if kind == _CALL else self._drop
        return at + len(kind)

    def _drop(self, text: str, at: int, out: list[Piece]) -> int:
        """The mark was all: what follows is text."""
        return self._done(at)

    def _at_end(self, text: str, out: list[Piece]) -> None:
        if self._step == self._drop:
            self._done(0)
        else:
            super()._at_end(text, out)


def _reader(opener: str, toolbox: Toolbox) -> Reader:
    return _Blocks(opener, toolbox)


def _write(calls: Sequence[WrittenCall]) -> str:
    return "".join(f'{_MESSAGE}{_CALL}{{"name":{encoded(c.name)},"args":{c.arguments}}}{_ENDS[0]}' for c in calls)


INKLING = Syntax(
    name="inkling", parsers=("inkling",), openers=(_MESSAGE, _CALL, _TEXT, *_ENDS), reader=_reader, write=_write
)
SYNTAXES = (INKLING,)
