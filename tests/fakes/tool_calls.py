"""Tools, texts and cuts for the tests of tool-call syntaxes: what a TextReader gives, joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from msgspec import Raw

from landline.core.model import Tool, Tools
from landline.families.tool_parsers import (
    bare_json,
    deepseek,
    harmony,
    inkling,
    kimi,
    llama,
    mistral,
    plamo,
    pythonic,
    tagged_json,
)
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Piece, Said, Syntax, Toolbox, WrittenCall
from landline.families.tool_parsers.text import Openers, TextReader
from landline.families.tool_parsers.toolbox import RequestTools

WRITE = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "text": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["path", "text"],
}
ARGUMENTS = {"path": "a.txt", "text": 'say "hi"\nbye', "n": 3}
JSON = json.dumps(ARGUMENTS)
JSON_SYNTAXES: tuple[Syntax, ...] = (
    *tagged_json.SYNTAXES,
    *kimi.SYNTAXES,
    *deepseek.SYNTAXES,
    *plamo.SYNTAXES,
    *mistral.SYNTAXES,
    *harmony.SYNTAXES,
    *inkling.SYNTAXES,
    *llama.SYNTAXES,
    *bare_json.SYNTAXES,
    *pythonic.SYNTAXES,
)


def toolbox(**schemas: dict[str, Any]) -> RequestTools:
    """Tools of these names; without any, `write` as the examples call it, and `read`."""
    read = {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"]}
    given = schemas or {"write": WRITE, "read": read}
    tools = (Tool(name, Raw(b'""'), Raw(json.dumps(schema).encode())) for name, schema in given.items())
    return RequestTools(Tools(tools))


@cache
def openers(syntaxes: tuple[Syntax, ...]) -> Openers:
    return Openers(syntaxes)


def pieces(text: str, cuts: int | Iterable[int]) -> list[str]:
    """The text in pieces of one size, or cut at some places."""
    places = range(cuts, len(text), cuts) if isinstance(cuts, int) else sorted(set(cuts))
    ends = [place for place in places if 0 < place < len(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def joined(found: Iterable[Piece]) -> list[Piece]:
    """Neighbours that could as well be one are one."""
    whole: list[Piece] = []
    for kind, group in groupby(found, type):
        if kind in (Said, Argued):
            whole.append(kind("".join(piece.text for piece in group)))
        else:
            whole += group
    return whole


def read(
    text: str,
    syntaxes: Sequence[Syntax] = JSON_SYNTAXES,
    *,
    tools: Toolbox | None = None,
    cuts: int | Iterable[int] = 10**9,
    alone: bool = True,
) -> list[Piece]:
    """What a TextReader makes of the text."""
    reader = TextReader(openers(tuple(syntaxes)), tools or toolbox(), alone=alone)
    found: list[Piece] = []
    for piece in pieces(text, cuts):
        found += reader.feed(piece)
    return joined([*found, *reader.close()])


def read_in_every_cut(text: str, syntaxes: Sequence[Syntax] = JSON_SYNTAXES, **options: Any) -> list[Piece]:
    """The same, after making sure that no cut changes it."""
    whole = read(text, syntaxes, **options)
    for size in (1, 2, 3, 7):
        assert read(text, syntaxes, cuts=size, **options) == whole, f"in pieces of {size}"
    for place in range(1, min(len(text), 400)):
        assert read(text, syntaxes, cuts=[place], **options) == whole, f"cut at {place}"
    return whole


def call(name: str = "write", arguments: str = JSON, ident: str = "", *, whole: bool = True) -> list[Piece]:
    """The pieces of one call."""
    return [Called(name, ident), *([Argued(arguments)] if arguments else []), Ended(whole)]


def said(found: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in found if isinstance(piece, Said))


def calls_in(found: Iterable[Piece]) -> list[tuple[str, str, bool]]:
    """Name, arguments and wholeness of each call. Fails on pieces in an order that is none."""
    calls: list[tuple[str, str, bool]] = []
    name, arguments = None, ""
    for piece in found:
        match piece:
            case Called():
                assert name is None, "a call in a call"
                name, arguments = piece.name, ""
            case Argued(text):
                assert name is not None, "arguments of no call"
                arguments += text
            case Ended(whole):
                assert name is not None, "an end of no call"
                calls.append((name, arguments, whole))
                name = None
            case Said():
                assert name is None, "text in a call"
    assert name is None, "a call that does not end"
    return calls


def values_in(found: Iterable[Piece]) -> list[tuple[str, Any]]:
    """Names and decoded arguments of calls that are all whole."""
    calls = calls_in(found)
    assert all(whole for _, _, whole in calls)
    return [(name, json.loads(arguments)) for name, arguments, _ in calls]


def written(*calls: tuple[str, Any]) -> list[WrittenCall]:
    return [WrittenCall(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in calls]
