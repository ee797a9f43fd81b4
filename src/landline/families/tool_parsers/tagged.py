"""Reads calls whose arguments stand between tags, whatever the tags look like.

A value may hold anything, also the tags themselves, and nothing is escaped. So a closing tag ends a value only where
what follows it can follow: a parameter, the end of the call (which in its turn must be followed by the end of the
block), another call, the end of the output. Tags that were opened inside the value are counted and closed first, unless
a parameter follows that the tool has, the call has not yet, and the inner call's tool has not. What stays ambiguous: a
value that holds a closing tag, and then just what follows it in a call, without having opened it; a value that opens
a call of a tool with the same parameters and does not close it; a new parameter's tag on a line of its own.

A value whose closing tag is missing ends at a parameter that the tool has and the call has not yet, at the beginning of
a line, or at the end of the call if the end of its block or of the output is right behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from landline.families.tool_parsers.arguments import ArgumentWriter, Reads
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Piece, State, Toolbox
from landline.families.tool_parsers.tag_shapes import Kind, Shapes, Tag

_SPACE = re.compile(r"\s{0,256}")
_QUOTES = "\"' \t\r\n="
_RANKS = {Kind.PARAMETER_END: 0, Kind.CALL_END: 1, Kind.CLOSE: 2}
_OPENERS = {Kind.PARAMETER: 0, Kind.CALL: 1, Kind.OPEN: 2}
_PARAMETERS = (Kind.PARAMETER, Kind.LOOSE, Kind.BROKEN)
_CALL_OVER = (Kind.PARAMETER_END, Kind.CALL_END)
_BLOCK_OVER = (*_CALL_OVER, Kind.CLOSE)


def _by_schema(tag: Tag, schema: object) -> Reads | None:
    """Values are texts, of the type that the schema says."""
    return None


class Grammar(Struct, frozen=True, kw_only=True):
    """`trims`: one newline at each end of a value is not part of it. `broken`: how a parameter begins that no shape
    fits. `loose_needs_key`: a loose tag counts only with the name of a parameter that the tool has. `nests`: a value
    may consist of further parameters, and closing tags name what they close. `reads`: how a parameter's tag says that
    its value is to be read. `tailed`: a Kind.TAIL may follow the block, and belongs to it.

    Where tags may be spelled differently, their field `mark` says how: in a value only those count that are spelled
    like the parameter's own.
    """

    shapes: Shapes
    trims: bool = False
    broken: str = "(?!)"
    loose_needs_key: bool = False
    nests: bool = False
    reads: Callable[[Tag, object], Reads | None] = _by_schema
    tailed: bool = False
    unescape: Callable[[str], str] = str


class TagReader:
    """A Reader; `opener` is read again as the tag, or the beginning of one, that it is."""

    def __init__(self, grammar: Grammar, opener: str, toolbox: Toolbox) -> None:
        self.state = State.READING
        self.rest = ""
        self._grammar = grammar
        self._toolbox = toolbox
        self._broken_head = re.compile(grammar.broken)
        self._text = opener
        self._at = 0
        self._closed = False
        self._step = self._outside
        self._out: list[Piece] = []
        self._arguments: list[str] = []
        self._wrapped = False
        self._called = False  # ever
        self._tool = ""
        self._tag = Tag(Kind.TEXT, 0, 0)  # of the call that may begin
        self._broken = False  # the call has a parameter without a name
        self._given: set[str] = set()
        self._writer = ArgumentWriter({})
        self._key = ""
        self._mark = ""
        self._discards = False
        self._loose = False
        self._fresh = True  # nothing of the value was there yet
        self._last = ""  # character of the value
        self._newline = ""  # at the end of the value so far, if it is part of it
        self._nested = [0, 0, 0]  # tags opened in the value and not closed, by rank
        self._inner: Mapping[str, Any] = {}  # the parameters of the last call that was opened in the value

    def feed(self, text: str) -> list[Piece]:
        self._text = self._text[self._at :] + text
        self._tag = Tag(self._tag.kind, self._tag.start - self._at, self._tag.end - self._at, self._tag.fields)
        self._at = 0
        return self._run()

    def close(self) -> list[Piece]:
        self._closed = True
        return self._run()

    def _run(self) -> list[Piece]:
        self._out = []
        while self.state is State.READING and self._step():
            pass
        self._flush()
        return self._out

    # ---------------------------------------------------------------------------------------- around the calls

    def _outside(self) -> bool:
        tag = self._peek(self._at)
        if tag is None:
            return False
        if tag.kind is Kind.OPEN and not self._wrapped and not self._called:
            self._wrapped = True
            self._at = tag.end
        elif tag.kind in (Kind.CALL, Kind.GLUED):
            self._name(tag)
        else:
            if tag.kind is Kind.CLOSE and self._called:
                return self._close_block(tag)
            self._leave()
        return True

    def _close_block(self, tag: Tag) -> bool:
        self._at = tag.end
        self._step = self._behind
        return True

    def _behind(self) -> bool:
        """Behind the block."""
        if self._grammar.tailed:
            tag = self._peek(self._at)
            if tag is None:
                return False
            if tag.kind is Kind.TAIL:
                self._at = tag.end
        self._leave()
        return True

    def _name(self, tag: Tag) -> None:
        written = self._grammar.unescape(tag.field("name").strip())
        if tag.kind is Kind.GLUED:
            split = self._toolbox.split(written)
            if split is None:
                return self._leave()
            self._begin(split[0], tag)
            return self._start_value(split[1], tag)
        tool = self._toolbox.find(written)
        if tool is None:
            return self._leave()
        self._tool, self._tag = tool, tag
        self._writer = ArgumentWriter(self._toolbox.properties(tool))
        self._step = self._named
        return None

    def _named(self) -> bool:
        """Whether it is a call at all: only what stands in a call may follow the name."""
        tag = self._peek(self._tag.end)
        if tag is None:
            return False
        cut = tag.kind is Kind.END and self._wrapped  # no prose looks like that
        if cut or tag.kind in (*_PARAMETERS, Kind.CALL_END, Kind.CLOSE):
            self._begin(self._tool, self._tag)
        else:
            self._leave()
        return True

    def _begin(self, tool: str, tag: Tag) -> None:
        self._flush()
        self._out.append(Called(tool))
        self._called, self._broken = True, False
        self._tool, self._given = tool, set()
        self._writer = ArgumentWriter(self._toolbox.properties(tool))
        self._at = tag.end
        self._step = self._inside

    def _leave(self) -> None:
        """No further call here."""
        self.state = State.DONE if self._called else State.REFUSED
        self.rest = self._text[self._at :]

    # ------------------------------------------------------------------------------------------------ in a call

    def _inside(self) -> bool:
        tag = self._peek(self._at)
        if tag is None:
            return False
        if tag.kind in _PARAMETERS:
            self._start_value(self._name_of(tag), tag)
            return True
        self._end(tag.kind in (Kind.CALL_END, Kind.CLOSE, Kind.CALL, Kind.OPEN, Kind.GLUED))
        if tag.kind is Kind.CLOSE:
            return self._close_block(tag)
        if tag.kind in (Kind.CALL_END, Kind.END):
            self._at = tag.end if tag.kind is Kind.CALL_END else len(self._text)
        self._step = self._outside
        return True

    def _end(self, whole: bool) -> None:
        whole = whole and not self._broken
        if whole:
            self._arguments.append(self._writer.finish())
        self._flush()
        self._out.append(Ended(whole))

    def _start_value(self, key: str, tag: Tag) -> None:
        self._key, self._at, self._mark = key, tag.end, tag.field("mark").strip()
        self._discards = tag.kind is Kind.BROKEN
        self._broken |= self._discards
        self._loose = tag.kind in (Kind.LOOSE, Kind.BROKEN)
        self._fresh, self._newline, self._last = True, "", "\n"
        self._nested, self._inner = [0, 0, 0], {}
        self._step = self._value
        if not self._discards:
            self._given.add(key)
            self._arguments.append(
                self._writer.parameter(key, self._grammar.reads(tag, self._writer.properties.get(key)))
            )

    # ------------------------------------------------------------------------------------------------ in a value

    def _value(self) -> bool:
        text, shapes = self._text, self._grammar.shapes
        tag = shapes.next(text, self._at)
        if tag is None:
            self._grow(shapes.begun(text, self._at))
            if self._closed:
                self._end(False)
                self._at = len(text)
                self._leave()
            return False
        self._grow(tag.start)
        if tag.field("mark").strip() != self._mark:
            self._grow(tag.end)
            return True
        ends = self._ends(tag)
        if ends is None:
            return False
        if ends:
            self._end_value(tag)
        else:
            self._count(tag)
            self._grow(tag.end)
        return True

    def _grow(self, end: int) -> None:
        """What stands before `end` belongs to the value."""
        piece = self._text[self._at : end]
        self._at = end
        if not piece:
            return
        self._last = piece[-1]
        if self._fresh:
            self._fresh = False
            if self._trims():
                piece = piece.removeprefix("\n")
        piece = self._newline + piece
        self._newline = "\n" if piece.endswith("\n") else ""
        if not self._discards:
            self._arguments.append(self._writer.text(piece.removesuffix("\n")))

    def _trims(self) -> bool:
        return self._grammar.trims or self._loose

    def _end_value(self, tag: Tag) -> None:
        closed = tag.kind is Kind.PARAMETER_END
        if not self._discards:
            if self._newline and closed and not self._trims():
                self._arguments.append(self._writer.text(self._newline))
            self._arguments.append(self._writer.end())
        if self._loose and self._fresh:
            self._broken = True  # a name, and no value
        if closed:
            self._at = tag.end
        self._step = self._inside

    def _count(self, tag: Tag) -> None:
        if tag.kind in _OPENERS:
            self._nested[_OPENERS[tag.kind]] += 1
            if tag.kind is Kind.CALL:
                self._inner = self._toolbox.properties(tag.field("name").strip(_QUOTES))
        elif tag.kind in _RANKS:
            rank = _RANKS[tag.kind]
            if self._nested[rank]:
                self._nested[rank] -= 1
                self._nested[:rank] = [0] * rank

    def _ends(self, tag: Tag) -> bool | None:
        """Whether the value ends at this tag; None: more has to be seen."""
        if tag.kind in (Kind.PARAMETER, Kind.LOOSE):
            tag = self._resolved(tag)
            if self._grammar.nests:
                return False
            if self._last != "\n" and not self._loose:
                return False
            return not any(self._nested) and tag.kind is not Kind.BROKEN and self._is_new(tag)
        if tag.kind not in _RANKS or self._closes_other(tag):
            return False
        chain, following = [tag.kind], self._peek(tag.end)
        while following is not None and _RANKS.get(following.kind, -1) > _RANKS[chain[-1]]:
            chain.append(following.kind)
            following = self._peek(following.end)
        return None if following is None else self._fits(tuple(chain), following)

    def _fits(self, chain: tuple[Kind, ...], following: Tag) -> bool:
        """Whether closing tags, together with what follows them, end the value."""
        ours = any(not self._nested[_RANKS[kind]] for kind in chain)
        if following.kind is Kind.END:
            return ours or chain[0] is Kind.PARAMETER_END
        if following.kind in _PARAMETERS:
            known = not self._grammar.nests and self._is_new(following) and self._name_of(following) not in self._inner
            return chain == (Kind.PARAMETER_END,) and (ours or known)
        if following.kind in (Kind.CALL, Kind.OPEN, Kind.TAIL):
            return ours and chain != (Kind.CLOSE,)
        if following.kind is Kind.TEXT:
            return ours and (
                chain == _BLOCK_OVER or (chain == _CALL_OVER and not self._wrapped) or self._loose_end(chain)
            )
        return False

    def _loose_end(self, chain: tuple[Kind, ...]) -> bool:
        """A value without its opening tag may be without its closing tag."""
        return self._loose and chain == (_BLOCK_OVER if self._wrapped else _CALL_OVER)[1:]

    def _closes_other(self, tag: Tag) -> bool:
        return self._grammar.nests and tag.kind is Kind.PARAMETER_END and tag.field("key") != self._key

    def _is_new(self, tag: Tag) -> bool:
        key = self._name_of(tag)
        return key in self._writer.properties and key not in self._given

    # ------------------------------------------------------------------------------------------------ tags

    def _peek(self, at: int) -> Tag | None:
        """What follows, white space aside; None where more has to be seen."""
        text, shapes = self._text, self._grammar.shapes
        found = _SPACE.match(text, at)
        assert found is not None
        start = found.end()
        nothing = Tag(Kind.END, start, start)
        if start == len(text):
            return nothing if self._closed else None
        tag = shapes.here(text, start)
        if tag is not None:
            return self._resolved(tag)
        if shapes.begun_here(text, start):
            return nothing if self._closed else None
        return self._broken_tag(start) or Tag(Kind.TEXT, start, start)

    def _resolved(self, tag: Tag) -> Tag:
        if tag.kind is Kind.LOOSE and self._grammar.loose_needs_key:
            properties = self._writer.properties
            if properties and self._name_of(tag) not in properties:
                return self._broken_tag(tag.start) or tag
        return tag

    def _broken_tag(self, at: int) -> Tag | None:
        found = self._broken_head.match(self._text, at)
        return Tag(Kind.BROKEN, at, found.end()) if found else None

    def _name_of(self, tag: Tag) -> str:
        key = self._grammar.unescape(tag.field("key"))
        return key if key in self._writer.properties else key.strip(_QUOTES) or key

    def _flush(self) -> None:
        text = "".join(self._arguments)
        self._arguments.clear()
        if text:
            self._out.append(Argued(text))
