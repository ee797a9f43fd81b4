"""MiniMax M3: every tag has a prefix, and an argument is an element by its own name.

Elements hold elements: `<invoke name="NAME">`, `<path>a.txt</path>`, `<todos><item>one</item></todos>`, each
tag behind `]<]minimax[>[`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import msgspec

from landline.core.typed_text import STRING_ONLY, types_of
from landline.families.tool_parsers.arguments import Reads
from landline.families.tool_parsers.elements import PREFIX, read_elements
from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import Kind, Part, Shapes, Tag, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_KEY = Part(r"(?P<key>[^<>/\s][^<>\n]{0,255}?)", r"(?:[^<>/\s][^<>\n]{0,255})?")


def _reads(tag: Tag, schema: object) -> Reads | None:
    return None if schema is not None and types_of(schema) == STRING_ONLY else read_elements


_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.OPEN, f"{PREFIX}<tool_call>"),
            shape(Kind.CLOSE, f"{PREFIX}</tool_call>"),
            shape(Kind.CALL, f"{PREFIX}<invoke name=", field("name", r"[^<>\n]"), ">"),
            shape(Kind.CALL_END, f"{PREFIX}</invoke>"),
            shape(Kind.PARAMETER, f"{PREFIX}<", _KEY, ">"),
            shape(Kind.PARAMETER_END, f"{PREFIX}</", _KEY, ">"),
        )
    ),
    nests=True,
    reads=_reads,
)


def _element(name: str, value: object) -> str:
    return f"{PREFIX}<{name}>{_body(value)}{PREFIX}</{name}>"


def _body(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(_element(name, inner) for name, inner in cast("dict[str, Any]", value).items())
    if isinstance(value, list):
        return "".join(_element("item", inner) for inner in cast("list[Any]", value))
    return msgspec.json.encode(value).decode()


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f'{PREFIX}<invoke name="{call.name}">'
        + "".join(_element(m.name, msgspec.json.decode(m.json)) for m in members(call.arguments))
        + f"{PREFIX}</invoke>\n"
        for call in calls
    )
    return f"{PREFIX}<tool_call>\n{written}{PREFIX}</tool_call>"


MINIMAX_M3 = Syntax(
    name="minimax_m3",
    parsers=("minimax_m3",),
    openers=(f"{PREFIX}<tool_call>", f"{PREFIX}<invoke name="),
    reader=partial(TagReader, _GRAMMAR),
    write=_write,
)
