"""Gemma's calls: `<|tool_call>call:NAME{key:<|"|>text<|"|>,n:42}<tool_call|>`; FunctionGemma has other words for it.

A text stands between two delimiters, everything else bare or in brackets; nothing is escaped. A delimiter ends a text
only where what follows it can follow: a further key, or the end of the call; and calls that the text itself opened are
closed first. A text at the top level leaves as it grows, other values when they are complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from landline.families.tool_parsers.arguments import ArgumentWriter, Reads, read_json
from landline.families.tool_parsers.gemma_values import read_nested, write_nested
from landline.families.tool_parsers.syntax import (
    LONGEST_NAME,
    Argued,
    Called,
    Ended,
    Piece,
    State,
    Syntax,
    Toolbox,
    WrittenCall,
)
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Part, Shapes, Tag, field, shape
from landline.families.tool_parsers.written import members

_HEAD = re.compile(r"\s{0,32}(?:call)?:\s{0,8}([^\s{}()<>,]{1,256}?)\s{0,8}[{(]")
_HEAD_BEGUN = re.compile(r"\s{0,32}(?:c(?:a(?:ll?)?)?|(?:call)?:\s{0,8}[^\s{}()<>,]{0,256}\s{0,8})?\Z")
_BARE_END = re.compile(r"[,})\]]")
_BETWEEN = re.compile(r"[\s,]*")
_SURPLUS = re.compile(r"[\s})]{0,32}")
_KEY = Part(rf"[^\s:,{{}}\[\]()<>]{{1,{LONGEST_NAME}}}", rf"[^\s:,{{}}\[\]()<>]{{0,{LONGEST_NAME}}}")
_BRACE = Part(r"[,\s]{0,32}[})][\s})]{0,32}", r"[,\s]{0,32}(?:[})][\s})]{0,32})?")


class Words(Struct, frozen=True):
    opener: str
    closer: str
    delimiter: str
    in_text: Shapes


def _words(opener: str, closer: str, delimiter: str) -> Words:
    ends = (
        shape(Kind.PARAMETER_END, delimiter, SPACE, ",", SPACE, _KEY, SPACE, ":"),
        shape(Kind.PARAMETER_END, delimiter, SPACE, ",", SPACE, delimiter, _KEY, delimiter, SPACE, ":"),
        shape(Kind.CALL_END, delimiter, _BRACE, closer),
        shape(Kind.CALL, opener, "call:", field("name", r"[^\s{}()<>,:]"), "{"),
        shape(Kind.CLOSE, closer),
    )
    return Words(opener, closer, delimiter, Shapes(ends))


class GemmaReader:
    """A Reader."""

    def __init__(self, words: Words, opener: str, toolbox: Toolbox) -> None:
        self.state = State.READING
        self.rest = ""
        self._words = words
        self._toolbox = toolbox
        self._text = ""
        self._at = 0
        self._seen = 0  # how far a value that is not complete was looked through
        self._depth = 0
        self._inner = 0  # calls opened in a text and not closed
        self._quoted = False
        self._closed = False
        self._step: Callable[[], bool] = self._head
        self._out: list[Piece] = []
        self._arguments: list[str] = []
        self._writer = ArgumentWriter({})
        self._key = ""
        delimiter = re.escape(words.delimiter)
        self._mark = re.compile(rf"{delimiter}|[{{}}\[\]]")
        self._quote_end = re.compile(rf"{delimiter}(?=\s{{0,32}}[,:}}\])])")

    def feed(self, text: str) -> list[Piece]:
        self._text = self._text[self._at :] + text
        self._seen -= self._at
        self._at = 0
        return self._run()

    def close(self) -> list[Piece]:
        self._closed = True
        out = self._run()
        if self.state is State.READING:
            begun = self._step != self._head
            self.state = State.DONE if begun else State.REFUSED
            out += [Ended(self._step == self._behind)] if begun else []
        return out

    def _run(self) -> list[Piece]:
        self._out = []
        while self.state is State.READING and self._step():
            pass
        self._flush()
        return self._out

    def _head(self) -> bool:
        found = _HEAD.match(self._text)
        tool = self._toolbox.find(found[1]) if found else None
        if found is None or tool is None:
            if found or not _HEAD_BEGUN.match(self._text):
                self.state = State.REFUSED
            return False
        self._out.append(Called(tool))
        self._writer = ArgumentWriter(self._toolbox.properties(tool))
        return self._go(found.end(), self._field)

    def _field(self) -> bool:
        """A key and its colon, or the end of the arguments."""
        between = _BETWEEN.match(self._text, self._at)
        assert between is not None
        self._at = at = between.end()
        if at == len(self._text):
            return False
        if self._text[at] in "})":
            self._arguments.append(self._writer.finish())
            return self._go(at + 1, self._behind)
        colon = self._text.find(":", at, at + LONGEST_NAME)
        if colon < 0:
            return self._broken() if len(self._text) - at > LONGEST_NAME else False
        key = self._text[at:colon].strip()
        delimiter = self._words.delimiter
        self._key = key.removeprefix(delimiter).removesuffix(delimiter)
        return self._go(colon + 1, self._value_head)

    def _value_head(self) -> bool:
        text, delimiter = self._text, self._words.delimiter
        while self._at < len(text) and text[self._at].isspace():
            self._at += 1
        if text.startswith(delimiter, self._at):
            self._inner = 0
            self._begin_value(None)
            return self._go(self._at + len(delimiter), self._quoted_text)
        if delimiter.startswith(text[self._at :]):
            return False
        if text[self._at] in "{[":
            self._seen, self._depth, self._quoted = self._at, 0, False
            self._begin_value(partial(read_nested, delimiter))
            return self._go(self._at, self._nested)
        self._seen = self._at
        self._begin_value(read_json)
        return self._go(self._at, self._bare)

    def _begin_value(self, reads: Reads | None) -> None:
        self._arguments.append(self._writer.parameter(self._key, reads))

    def _quoted_text(self) -> bool:
        tag = self._words.in_text.next(self._text, self._at)
        if tag is None:
            end = self._words.in_text.begun(self._text, self._at)
            self._grow(end)
            return self._closed and self._text.startswith(self._words.delimiter, end) and self._end_text()
        self._grow(tag.start)
        ends = self._ends(tag)
        if ends is None:
            return False
        if ends:
            return self._end_text()
        self._inner += 1 if tag.kind is Kind.CALL else -1 if self._inner and tag.kind is not Kind.PARAMETER_END else 0
        self._grow(tag.start + len(self._words.delimiter) if tag.kind is Kind.PARAMETER_END else tag.end)
        return True

    def _ends(self, tag: Tag) -> bool | None:
        """Whether a text ends here; None: more has to be seen. A call that was opened in it is closed first."""
        if tag.kind not in (Kind.PARAMETER_END, Kind.CALL_END) or not self._inner:
            return tag.kind in (Kind.PARAMETER_END, Kind.CALL_END)
        if tag.kind is Kind.PARAMETER_END or self._text[tag.end : tag.end + 33].strip():
            return False
        return self._closed or None

    def _grow(self, end: int) -> None:
        self._arguments.append(self._writer.text(self._text[self._at : end]))
        self._at = end

    def _end_text(self) -> bool:
        self._arguments.append(self._writer.end())
        return self._go(self._at + len(self._words.delimiter), self._field)

    def _bare(self) -> bool:
        found = _BARE_END.search(self._text, max(self._seen, self._at))
        if found is None:
            self._seen = len(self._text)
            return False
        return self._complete(found.start())

    def _nested(self) -> bool:
        """Looks for the bracket that closes the first one, outside of texts."""
        while (found := (self._quote_end if self._quoted else self._mark).search(self._text, self._seen)) is not None:
            self._seen = found.end()
            if found[0] == self._words.delimiter:
                self._quoted = not self._quoted
                continue
            self._depth += 1 if found[0] in "{[" else -1
            if not self._depth:
                return self._complete(found.end())
        waits = len(self._words.delimiter) + (33 if self._quoted else 0)
        self._seen = max(self._seen, len(self._text) - waits)
        return False

    def _complete(self, end: int) -> bool:
        self._arguments += (self._writer.text(self._text[self._at : end].strip()), self._writer.end())
        return self._go(end, self._field)

    def _behind(self) -> bool:
        """The arguments are over; surplus brackets may follow, and the closing word."""
        surplus = _SURPLUS.match(self._text, self._at)
        assert surplus is not None
        at, closer = surplus.end(), self._words.closer
        if not self._text.startswith(closer, at):
            if not self._closed and closer.startswith(self._text[at:]):
                return False
            at = self._at
        else:
            at += len(closer)
        self._flush()
        self._out.append(Ended(True))
        self.state, self.rest = State.DONE, self._text[at:]
        return True

    def _broken(self) -> bool:
        """No key where one has to be."""
        self._flush()
        self._out.append(Ended(False))
        self.state, self.rest = State.DONE, self._text[self._at :]
        return False

    def _go(self, at: int, step: Callable[[], bool]) -> bool:
        self._at = at
        self._step = step
        return True

    def _flush(self) -> None:
        text = "".join(self._arguments)
        self._arguments.clear()
        if text:
            self._out.append(Argued(text))


_GEMMA = _words("<|tool_call>", "<tool_call|>", '<|"|>')
_FUNCTION_GEMMA = _words("<start_function_call>", "<end_function_call>", "<escape>")


def _write_gemma(calls: Sequence[WrittenCall]) -> str:
    return "".join(
        f"{_GEMMA.opener}call:{call.name}{{"
        + ",".join(
            f"{m.name}:{write_nested(_GEMMA.delimiter, msgspec.json.decode(m.json))}" for m in members(call.arguments)
        )
        + f"}}{_GEMMA.closer}"
        for call in calls
    )


def _write_function_gemma(calls: Sequence[WrittenCall]) -> str:
    words = _FUNCTION_GEMMA
    return "".join(
        f"{words.opener}call:{call.name}{{"
        + ",".join(f"{m.name}:{words.delimiter}{m.text}{words.delimiter}" for m in members(call.arguments))
        + f"}}{words.closer}"
        for call in calls
    )


GEMMA4 = Syntax(
    name="gemma4",
    parsers=("gemma4",),
    openers=(_GEMMA.opener,),
    reader=partial(GemmaReader, _GEMMA),
    write=_write_gemma,
)
FUNCTION_GEMMA = Syntax(
    name="functiongemma",
    parsers=("functiongemma",),
    openers=(_FUNCTION_GEMMA.opener,),
    reader=partial(GemmaReader, _FUNCTION_GEMMA),
    write=_write_function_gemma,
)
