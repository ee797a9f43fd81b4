"""MiniCPM5: `<function name="NAME">`, `<param name="KEY">`, with values that hold marks in a CDATA section.

No block stands around the calls. Values are taken as they are written: entities (`&lt;`) stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Part, Shapes, field, other_than, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_CALLS = ("<function name=", "<functionname=")  # the second where a tokenizer lost the space
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_KEY = (SPACE, "name=", field("key", r"[^<>\[\]\n=]"), ">")
_PARAM = Part("(?P<mark>param)", "(?:|p|pa|par|para)")  # the word is its mark: in a section, no other end counts

_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.CALL, "<function", SPACE, "name=", field("name", r"[^<>\[\]\n]"), ">"),
            shape(Kind.CALL_END, "</function>"),
            shape(Kind.PARAMETER, "<", _PARAM, *_KEY, _CDATA),
            shape(Kind.PARAMETER, "<param", *_KEY, other_than(_CDATA, spaced=False)),
            shape(Kind.PARAMETER_END, _CDATA_END, SPACE, "</", _PARAM, ">"),
            shape(Kind.PARAMETER_END, "</param>"),
        )
    ),
)


def _write(calls: Sequence[WrittenCall]) -> str:
    return "\n".join(
        f'{_CALLS[0]}"{call.name}">'
        + "".join(f'<param name="{m.name}">{_value(m.text)}</param>' for m in members(call.arguments))
        + "</function>"
        for call in calls
    )


def _value(text: str) -> str:
    """A section cannot hold its own end."""
    return text if _CDATA_END in text or not set("<>&").intersection(text) else f"{_CDATA}{text}{_CDATA_END}"


MINICPM5 = Syntax(
    name="minicpm5", parsers=("minicpm5",), openers=_CALLS, reader=partial(TagReader, _GRAMMAR), write=_write
)
