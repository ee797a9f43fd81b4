"""GLM's tags: `<tool_call>NAME`, then pairs of `<arg_key>` and `<arg_value>`. Values are taken as they are written.

Under load models leave tags out: the first `<arg_key>`, so that the tool's name runs into the argument's, or an
`<arg_value>`. A key without any value makes the call one that is not whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Shapes, ahead, field, other_than, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_CALL = "<tool_call>"
_NAME, _KEY = field("name", r"[^<>{]"), field("key", r"[^<>]")
_VALUE = "<arg_value>"

_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.CALL, _CALL, SPACE, field("name", r"[^<>{\s]"), SPACE, ahead("<arg_key>", "</tool_call>")),
            shape(Kind.GLUED, _CALL, SPACE, _NAME, "</arg_key>", SPACE, _VALUE),
            shape(Kind.CALL_END, "</tool_call>"),
            shape(Kind.PARAMETER, "<arg_key>", _KEY, "</arg_key>", SPACE, _VALUE),
            shape(Kind.LOOSE, "<arg_key>", _KEY, "</arg_key>", SPACE, other_than(_VALUE)),
            shape(Kind.PARAMETER_END, "</arg_value>"),
        )
    ),
)


def _write(calls: Sequence[WrittenCall], *, newline: str) -> str:
    return newline.join(
        f"{_CALL}{call.name}{newline}"
        + "".join(
            f"<arg_key>{m.name}</arg_key>{newline}{_VALUE}{m.text}</arg_value>{newline}"
            for m in members(call.arguments)
        )
        + "</tool_call>"
        for call in calls
    )


GLM = Syntax(
    name="glm",
    parsers=("glm45", "ling3", "poolside_v1"),
    openers=(_CALL,),
    reader=partial(TagReader, _GRAMMAR),
    write=partial(_write, newline="\n"),
)
GLM_COMPACT = Syntax(
    name="glm_compact",
    parsers=("glm47",),
    openers=(_CALL,),
    reader=partial(TagReader, _GRAMMAR),
    write=partial(_write, newline=""),
)
