"""Reads texts with tool-call syntaxes as the gateway does, in any pieces, for tests of syntaxes that write tags."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from landline.core.model import Tool, Tools
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Piece, Said, Syntax, WrittenCall
from landline.families.tool_parsers.text import Openers, TextReader
from landline.families.tool_parsers.toolbox import RequestTools

WRITE = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "text": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["path", "text"],
}
ANY = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "command": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "flag": {"type": "boolean"},
        "items": {"type": "array", "items": {"type": "string"}},
        "options": {"type": "object"},
        "maybe": {"type": ["integer", "null"]},
    },
}
TOOLS: Mapping[str, Mapping[str, Any]] = {
    "write": WRITE,
    "everything": ANY,
    "grep_tool": {"type": "object", "properties": {"pattern": {"type": "string"}}},
    "grep": {"type": "object", "properties": {"tool": {"type": "string"}}},
    "mcp__files__list": {"type": "object", "properties": {}},
}
ARGUMENTS = {"path": "a.txt", "text": 'say "hi"\nbye', "n": 3}
HOSTILE = (
    "<tool_call>", "</tool_call>", "<function=write>", "</function>", "<parameter=path>", "</parameter>",
    "<arg_key>k</arg_key>", "<arg_value>", "</arg_value>", "<tool_calls>", "</tool_calls>",
    "<minimax:tool_call>", '<invoke name="write">', "</invoke>", '<parameter name="text">', "</minimax:tool_call>",
    "]<]minimax[>[<tool_call>", "]<]minimax[>[</tool_call>", "<｜DSML｜invoke>", "</｜DSML｜parameter>",
    "</｜DSML｜invoke>", "<|tool_call>call:", '<|"|>', "<tool_call|>", "<|close|>argument<|sep|>", "<|sep|>",
    "[TOOL_CALLS]", "<|python_tag|>", "<|tool_calls_section_begin|>", "</atem:parameter>", "```", "</seed:tool_call>",
)  # fmt: skip


def toolbox(schemas: Mapping[str, Mapping[str, Any]] = TOOLS) -> RequestTools:
    return RequestTools(
        Tools(
            Tool(name=name, description=msgspec.Raw(b'""'), schema=msgspec.Raw(json.dumps(s).encode()))
            for name, s in schemas.items()
        )
    )


ALL_TOOLS = toolbox()


@cache
def openers(syntaxes: tuple[Syntax, ...]) -> Openers:
    return Openers(syntaxes)


def read(
    syntax: Syntax | Sequence[Syntax], pieces: Iterable[str], schemas: Mapping[str, Mapping[str, Any]] = TOOLS
) -> list[Piece]:
    """What comes out, with neighbours of one kind joined."""
    syntaxes = (syntax,) if isinstance(syntax, Syntax) else tuple(syntax)
    reader = TextReader(openers(syntaxes), ALL_TOOLS if schemas is TOOLS else toolbox(schemas), alone=True)
    out: list[Piece] = []
    for piece in pieces:
        out += reader.feed(piece)
    return joined([*out, *reader.close()])


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    out: list[Piece] = []
    for piece in pieces:
        last = out[-1] if out else None
        if isinstance(piece, Said) and isinstance(last, Said):
            out[-1] = Said(last.text + piece.text)
        elif isinstance(piece, Argued) and isinstance(last, Argued):
            out[-1] = Argued(last.text + piece.text)
        else:
            out.append(piece)
    return out


def calls(pieces: Iterable[Piece]) -> list[tuple[str, Any]]:
    """Name and arguments of each call; the arguments of one that is not whole are its JSON text so far."""
    out: list[tuple[str, Any]] = []
    name, text = "", ""
    for piece in pieces:
        if isinstance(piece, Called):
            name, text = piece.name, ""
        elif isinstance(piece, Argued):
            text += piece.text
        elif isinstance(piece, Ended):
            out.append((name, json.loads(text) if piece.whole else text))
    return out


def said(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Said))


def written(*found: tuple[str, Any]) -> list[WrittenCall]:
    return [WrittenCall(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in found]
