"""Tencent's Hy: GLM's pairs in a `<tool_calls>` block. Every tag may carry the checkpoint's suffix, `<tool_calls:X>`.

Hy 3 puts a `<tool_sep>` behind the tool's name, Hy 4 nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Part, Shapes, ahead, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_END = Part(r"(?::[\w.-]{1,64})?>", r"(?::[\w.-]{0,64})?")
_CALL = ("<tool_call", _END, SPACE, field("name", r"[^<>{\s]"), SPACE)
_AHEAD = ahead("<arg_key", "</tool_call>", "</tool_call:")

_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.OPEN, "<tool_calls", _END),
            shape(Kind.CLOSE, "</tool_calls", _END),
            shape(Kind.CALL, *_CALL, "<tool_sep", _END),
            shape(Kind.CALL, *_CALL, _AHEAD),
            shape(Kind.CALL_END, "</tool_call", _END),
            shape(
                Kind.PARAMETER,
                *("<arg_key", _END, field("key", r"[^<>]"), "</arg_key", _END, SPACE, "<arg_value", _END),
            ),
            shape(Kind.PARAMETER_END, "</arg_value", _END),
        )
    ),
)


def _write(calls: Sequence[WrittenCall], *, newline: str, separator: str) -> str:
    written = "".join(
        f"<tool_call>{call.name}{separator}{newline}"
        + "".join(
            f"<arg_key>{m.name}</arg_key>{newline}<arg_value>{m.text}</arg_value>{newline}"
            for m in members(call.arguments)
        )
        + f"</tool_call>{newline}"
        for call in calls
    )
    return f"<tool_calls>{newline}{written}</tool_calls>"


HY_V3 = Syntax(
    name="hy_v3",
    parsers=("hy_v3",),
    openers=("<tool_calls>", "<tool_calls:"),
    reader=partial(TagReader, _GRAMMAR),
    write=partial(_write, newline="\n", separator="<tool_sep>"),
)
HY_V4 = Syntax(
    name="hy_v4",
    parsers=("hy_v4",),
    openers=("<tool_calls>", "<tool_calls:"),
    reader=partial(TagReader, _GRAMMAR),
    write=partial(_write, newline="", separator=""),
)
