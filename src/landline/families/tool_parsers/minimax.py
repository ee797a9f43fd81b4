"""MiniMax M2: `<minimax:tool_call>`, `<invoke name="NAME">`, `<parameter name="KEY">`. Values as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Shapes, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_BLOCK = "minimax:tool_call"
_INVOKE = "<invoke name="

_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.OPEN, f"<{_BLOCK}>"),
            shape(Kind.CLOSE, f"</{_BLOCK}>"),
            shape(Kind.CALL, _INVOKE, field("name", r"[^<>\n]"), ">"),
            shape(Kind.CALL_END, "</invoke>"),
            shape(
                Kind.PARAMETER,
                *("<", SPACE, "parameter name", SPACE, "=", SPACE, field("key", r"[^<>\n=]"), SPACE, ">"),
            ),
            shape(Kind.PARAMETER_END, "<", SPACE, "/", SPACE, "parameter", SPACE, ">"),
        )
    ),
)


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f'{_INVOKE}"{call.name}">\n'
        + "".join(f'<parameter name="{m.name}">{m.text}</parameter>\n' for m in members(call.arguments))
        + "</invoke>\n"
        for call in calls
    )
    return f"<{_BLOCK}>\n{written}</{_BLOCK}>"


MINIMAX_M2 = Syntax(
    name="minimax_m2",
    parsers=("minimax_m2",),
    openers=(f"<{_BLOCK}>", _INVOKE),
    reader=partial(TagReader, _GRAMMAR),
    write=_write,
)
