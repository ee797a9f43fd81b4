"""Golden cases of tool calls: what a model wrote, and the calls and the text that must come out of it.

One file per syntax in tool_calls/, written from the syntax's grammar. The same cases go to vLLM's parser (tests/vllm).
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from landline.families.tool_parsers.every import EVERY, OF_THEIR_FAMILY, openers
from landline.families.tool_parsers.syntax import Piece, Syntax
from landline.families.tool_parsers.text import TextReader
from tests.fakes.tool_calls import calls_in, joined, pieces, said, toolbox

FOLDER = Path(__file__).parent / "tool_calls"
CUTS = (10**9, 1, 3)  # whole, by characters, in pieces of three
SYNTAXES: dict[str, Syntax] = {syntax.name: syntax for syntax in (*EVERY, *OF_THEIR_FAMILY)}
Half = Literal["whole", "streamed"]


def _tool(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}
TOOLS = {
    "write": _tool(("path", "text"), path=_TEXT, text=_TEXT, n={"type": "integer"}),
    "read": _tool(("file",), file=_TEXT),
    "status": _tool(),
    "todo": _tool(
        ("todos",),
        todos={"type": "array", "items": {"type": "object", "properties": {"content": _TEXT, "done": _FLAG}}},
        options={"type": "object"},
    ),
    "settings": _tool(
        count={"type": "integer"},
        ratio={"type": "number"},
        flag=_FLAG,
        items={"type": "array", "items": _TEXT},
        maybe={"type": ["integer", "null"]},
        word=_TEXT,
    ),
}
TOOLBOX = toolbox(**TOOLS)


class Differs(Struct, frozen=True, forbid_unknown_fields=True):
    """Why vLLM gives something else: in the answer as a whole, in the stream, or in both."""

    both: str = ""
    whole: str = ""
    streamed: str = ""

    def why(self, half: Half) -> str:
        return self.both or (self.whole if half == "whole" else self.streamed)


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """`calls` are `NAME ARGUMENTS`, the arguments as JSON. `cut` is a last one that the end of the output cut."""

    raw: str
    text: str = ""
    calls: tuple[str, ...] = ()
    cut: str = ""
    vllm_differs: Differs = Differs()


class Golden(Struct, frozen=True, forbid_unknown_fields=True):
    """`parser`: vLLM's name of the one that the cases are sent to.

    `streams_differ` says why no stream of this parser is compared, `atoms` which markers are tokens of their own where
    it matters.
    """

    parser: str
    cases: dict[str, Case]
    streams_differ: str = ""
    atoms: tuple[str, ...] | None = None


def golden(name: str) -> Golden:
    return msgspec.convert(tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")), Golden)


def same(arguments: str) -> str:
    """Equal for arguments of equal value and type, in whatever way they are written as JSON."""
    try:
        return json.dumps(json.loads(arguments or "{}"), sort_keys=True)
    except ValueError:
        return f"no JSON: {arguments}"


def troubles(name: str, case: Case) -> list[str]:
    """What comes out wrong, every syntax read side by side in the order of the family; empty if nothing does."""
    wanted = [(*told.partition(" ")[::2], True) for told in case.calls]
    wanted = [(tool, same(arguments), whole) for tool, arguments, whole in wanted]
    if case.cut:
        wanted.append((*case.cut.partition(" ")[::2], False))
    told: list[str] = []
    for size in CUTS:
        found = _read(name, case.raw, size)
        calls = [(tool, same(text) if whole else text, whole) for tool, text, whole in calls_in(found)]
        if (calls, said(found)) != (wanted, case.text):
            told.append(f"in pieces of {size}: {calls} and {said(found)!r}, wanted {wanted} and {case.text!r}")
    return told


def _read(name: str, raw: str, size: int) -> list[Piece]:
    reader = TextReader(openers(SYNTAXES[name].parsers), TOOLBOX, alone=True)
    found: list[Piece] = []
    for piece in pieces(raw, size):
        found += reader.feed(piece)
    return joined([*found, *reader.close()])
