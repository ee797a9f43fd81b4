"""Calls in Python's notation: `[f(a=1), g(b="x")]`, bare (Llama), between marks (LFM2, Llama 4) or lines (OLMo 3).

The arguments must be literals: the source is parsed, never run. A list of calls is read as one, so that a call whose
argument is an expression leaves all of it text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from landline.families.tool_parsers.python_calls import NotCalls, SourceEnd, calls_of, source_of
from landline.families.tool_parsers.sole import SoleReader
from landline.families.tool_parsers.stepwise import NEEDS_MORE, Step, StepReader, end_of_space, literal_at, read_so_far
from landline.families.tool_parsers.syntax import LONGEST_NAME, Argued, Piece, Reader, Syntax, Toolbox, WrittenCall

_NAME = re.compile(r"[^\W\d][\w.-]*\s*")


class Frame(Struct, frozen=True):
    """What stands around the calls. `lines`: they stand one per line, without brackets."""

    closers: tuple[str, ...] = ()
    lines: bool = False


class Pythonic(StepReader):
    """Reads one list of calls, or all lines up to the closer."""

    def __init__(self, opener: str, toolbox: Toolbox, frame: Frame) -> None:
        super().__init__(toolbox)
        self._frame = frame
        self._marks = frame.closers
        self._source: list[str] = []
        self._end = SourceEnd(frame.closers if frame.lines else ())
        self._step: Step = self._bracket
        if frame.lines:
            self._step = self._name
        elif opener.endswith("["):
            self._begin_source()

    def _bracket(self, text: str, at: int, out: list[Piece]) -> int:
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        if text[at] != "[":
            self._give_up(text)
            return at
        self._begin_source()
        return at + 1

    def _begin_source(self) -> None:
        self._source.append("[")
        self._end.feed("[", 0)
        self._step = self._name

    def _name(self, text: str, at: int, out: list[Piece]) -> int:
        """The first name: what is none of the tools' is refused early."""
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        found = _NAME.match(text, at)
        end = found.end() if found else at
        if end == len(text) and end - at <= LONGEST_NAME:
            return NEEDS_MORE
        if found is None or text[end : end + 1] != "(" or self._toolbox.find(found[0].strip()) is None:
            self._give_up(text)
            return at
        self._step = self._read_source
        return at

    def _read_source(self, text: str, at: int, out: list[Piece]) -> int:
        if at == len(text):
            return NEEDS_MORE
        end = self._end.feed(text, at)
        if self._end.wants_more:
            self._source.append(text[at:end])
            return end if end > at else NEEDS_MORE
        self._source.append(text[at : end if end >= 0 else len(text)])
        if end < 0:
            return len(text)
        return self._call(text, end, out)

    def _call(self, text: str, at: int, out: list[Piece]) -> int:
        try:
            calls = calls_of("".join(self._source), lines=self._frame.lines)
            named = [(self._toolbox.find(name), arguments) for name, arguments in calls]
        except NotCalls:
            named = [(None, "")]
        if self._holds_too_much(at) or any(name is None for name, _ in named):
            self._give_up(text)
            return at
        for name, arguments in named:
            self._begin_call(cast("str", name), "", out)
            out.append(Argued(arguments))
            self._end_call(at, out)
        self._step = self._closer
        return at

    def _closer(self, text: str, at: int, out: list[Piece]) -> int:
        if not self._frame.closers:
            return self._done(at)
        start, at = at, end_of_space(text, at)
        if at == len(text):
            return read_so_far(start, at)
        closer = literal_at(text, at, self._frame.closers)
        if closer == "":
            return NEEDS_MORE
        if closer is None:
            self._give_up(text)
            return at
        return self._done(at + len(closer))

    def _at_end(self, text: str, out: list[Piece]) -> None:
        if self._step == self._read_source and self._frame.lines and self._end.balanced:
            self._call(text, len(text), out)
        if self.state is not self.state.REFUSED:
            super()._at_end(text, out)


def _reader(frame: Frame) -> Callable[[str, Toolbox], Reader]:
    return lambda opener, toolbox: Pythonic(opener, toolbox, frame)


def _bare(opener: str, toolbox: Toolbox) -> Reader:
    return SoleReader(Pythonic(opener, toolbox, Frame()))


def _sources(calls: Sequence[WrittenCall]) -> list[str]:
    return [source_of(call.name, cast("dict[str, Any]", msgspec.json.decode(call.arguments))) for call in calls]


def _listed(before: str, after: str) -> Callable[[Sequence[WrittenCall]], str]:
    return lambda calls: f"{before}[{', '.join(_sources(calls))}]{after}" if calls else ""


def _in_lines(calls: Sequence[WrittenCall]) -> str:
    lines = "\n".join(_sources(calls))
    return f"<function_calls>\n{lines}\n</function_calls>" if calls else ""


PYTHONIC = Syntax(
    name="pythonic",
    parsers=("pythonic", "llama4_pythonic"),
    openers=("[",),
    reader=_bare,
    write=_listed("", ""),
    sole=True,
)
LLAMA4_PYTHONIC = Syntax(
    name="llama4_pythonic",
    parsers=("llama4_pythonic",),
    openers=("<|python_start|>",),
    reader=_reader(Frame(("<|python_end|>",))),
    write=_listed("<|python_start|>", "<|python_end|>"),
)
LFM2 = Syntax(
    name="lfm2",
    parsers=("lfm2",),
    openers=("<|tool_call_start|>",),
    reader=_reader(Frame(("<|tool_call_end|>",))),
    write=_listed("<|tool_call_start|>", "<|tool_call_end|>"),
)
OLMO3 = Syntax(
    name="olmo3",
    parsers=("olmo3",),
    openers=("<function_calls>",),
    reader=_reader(Frame(("</function_calls>",), lines=True)),
    write=_in_lines,
)
SYNTAXES = (PYTHONIC, LLAMA4_PYTHONIC, LFM2, OLMO3)
