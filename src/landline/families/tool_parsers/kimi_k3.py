"""Kimi K3's XTML: `<|open|>call tool="NAME" index="1"<|sep|>`, closed by `<|close|>call<|sep|>`.

An argument's tag says its type: a string stands as it is, everything else is JSON. The tool's schema has the last word.
Attributes are escaped as in XML, values are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.arguments import Reads, read_json
from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Part, Shapes, Tag, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import Member, members

_OPEN, _CLOSE, _SEP = "<|open|>", "<|close|>", "<|sep|>"
_INDEX = Part(r'(?: {0,4}index="\d{0,9}")?', r'(?: {0,4}(?:i(?:n(?:d(?:e(?:x(?:=(?:"\d{0,9}"?)?)?)?)?)?)?)?)?')
_TEXT = r'[^"<>]'


def _close(kind: Kind, word: str) -> tuple[Kind, tuple[str | Part, ...]]:
    return kind, (_CLOSE, SPACE, word, SPACE, _SEP)


_TAGS: tuple[tuple[Kind, tuple[str | Part, ...]], ...] = (
    (Kind.OPEN, (_OPEN, SPACE, "tools", SPACE, _SEP)),
    (Kind.OPEN, (_CLOSE, SPACE, "response", SPACE, _SEP, SPACE, _OPEN, SPACE, "tools", SPACE, _SEP)),
    _close(Kind.CLOSE, "tools"),
    _close(Kind.TAIL, "message"),
    (Kind.CALL, (_OPEN, SPACE, "call", _INDEX, ' tool="', field("name", _TEXT), '"', _INDEX, SPACE, _SEP)),
    _close(Kind.CALL_END, "call"),
    (
        Kind.PARAMETER,
        (_OPEN, SPACE, 'argument key="', field("key", _TEXT), '" type="', field("type", _TEXT, 64), '"', SPACE, _SEP),
    ),
    (
        Kind.PARAMETER,
        (_OPEN, SPACE, 'argument type="', field("type", _TEXT, 64), '" key="', field("key", _TEXT), '"', SPACE, _SEP),
    ),
    (Kind.PARAMETER, (_OPEN, SPACE, 'argument key="', field("key", _TEXT), '"', SPACE, _SEP)),
    _close(Kind.PARAMETER_END, "argument"),
)


def _reads(tag: Tag, schema: object) -> Reads | None:
    return None if (tag.field("type") or "string") == "string" else read_json


def _unescape(text: str) -> str:
    return text.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")


_GRAMMAR = Grammar(
    shapes=Shapes([shape(kind, *parts) for kind, parts in _TAGS]), reads=_reads, unescape=_unescape, tailed=True
)


def _type(member: Member) -> str:
    if member.is_string:
        return "string"
    first = member.json[0]
    return {"{": "object", "[": "array", "t": "boolean", "f": "boolean", "n": "null"}.get(first, "number")


def _argument(member: Member) -> str:
    head = f'{_OPEN}argument key="{_escape(member.name)}" type="{_type(member)}"{_SEP}'
    return f"{head}{member.text}{_CLOSE}argument{_SEP}"


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f'{_OPEN}call tool="{_escape(call.name)}" index="{index}"{_SEP}'
        + "".join(map(_argument, members(call.arguments)))
        + f"{_CLOSE}call{_SEP}"
        for index, call in enumerate(calls, 1)
    )
    return f"{_OPEN}tools{_SEP}{written}{_CLOSE}tools{_SEP}"


KIMI_K3 = Syntax(
    name="kimi_k3",
    parsers=("kimi_k3",),
    openers=(f"{_CLOSE}response{_SEP}", f"{_OPEN}tools{_SEP}", f"{_OPEN}call "),
    reader=partial(TagReader, _GRAMMAR),
    write=_write,
)
