"""MiniMax M2: `<minimax:tool_call>`, `<invoke name="NAME">`, `<parameter name="KEY">`. Values as they are written.

dots writes the same in a block of its own, with a newline or none around values; its JSON form is not read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Shapes, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_INVOKE = "<invoke name="
_KEY = ("<", SPACE, "parameter name", SPACE, "=", SPACE, field("key", r"[^<>\n=]"), SPACE, ">")


def _grammar(block: str, *, trims: bool) -> Grammar:
    return Grammar(
        shapes=Shapes(
            (
                shape(Kind.OPEN, f"<{block}>"),
                shape(Kind.CLOSE, f"</{block}>"),
                shape(Kind.CALL, _INVOKE, field("name", r"[^<>\n]"), ">"),
                shape(Kind.CALL_END, "</invoke>"),
                shape(Kind.PARAMETER, *_KEY),
                shape(Kind.PARAMETER_END, "<", SPACE, "/", SPACE, "parameter", SPACE, ">"),
            )
        ),
        trims=trims,
    )


def _write(block: str, calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f'{_INVOKE}"{call.name}">\n'
        + "".join(f'<parameter name="{m.name}">{m.text}</parameter>\n' for m in members(call.arguments))
        + "</invoke>\n"
        for call in calls
    )
    return f"<{block}>\n{written}</{block}>"


def _syntax(name: str, block: str, *, trims: bool) -> Syntax:
    return Syntax(
        name=name,
        parsers=(name,),
        openers=(f"<{block}>", _INVOKE),
        reader=partial(TagReader, _grammar(block, trims=trims)),
        write=partial(_write, block),
    )


MINIMAX_M2 = _syntax("minimax_m2", "minimax:tool_call", trims=False)
DOTS = _syntax("dots", "dots_function_call", trims=True)
