"""Muse's ATEM: `<atem:function_calls>`, `<atem:invoke name="NAME">`, `<atem:parameter name="KEY">`.

Values are read by the tool's schema, as JSON where it says nothing. The header of the message
(`to=NAME<|message|>`) is not read here; the mark at its end is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.arguments import Reads, read_json
from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Shapes, Tag, field, literal, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_BLOCK = "atem:function_calls"
_NAME, _KEY = field("name", r'[^<>"]'), field("key", r'[^<>"]')


def _reads(tag: Tag, schema: object) -> Reads | None:
    return read_json if schema is None else None


_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.OPEN, f"<{_BLOCK}>"),
            shape(Kind.CLOSE, f"</{_BLOCK}>"),
            shape(Kind.TAIL, literal("<|eom|>", "<|eot|>")),
            shape(Kind.CALL, '<atem:invoke name="', _NAME, '"', SPACE, ">"),
            shape(Kind.CALL_END, "</atem:invoke>"),
            shape(Kind.PARAMETER, '<atem:parameter name="', _KEY, '"', SPACE, ">"),
            shape(Kind.PARAMETER_END, "</atem:parameter>"),
        )
    ),
    tailed=True,
    reads=_reads,
)


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f'<atem:invoke name="{call.name}">\n'
        + "".join(f'<atem:parameter name="{m.name}">{m.text}</atem:parameter>\n' for m in members(call.arguments))
        + "</atem:invoke>\n"
        for call in calls
    )
    return f"<{_BLOCK}>\n{written}</{_BLOCK}>"


MUSE = Syntax(
    name="muse",
    parsers=("muse", "musespark1x", "muse_glimmer"),
    openers=(f"<{_BLOCK}>", "<atem:invoke "),
    reader=partial(TagReader, _GRAMMAR),
    write=_write,
)
