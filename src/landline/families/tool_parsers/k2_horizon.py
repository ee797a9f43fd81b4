"""K2 Horizon (IFM): `<ifm|tool_call>NAME`, then `<ifm|arg_key>`, maybe `<ifm|arg_type>`, `<ifm|arg_value>`.

The type that a model writes is not read: the tool's schema says it. The third form of the template, JSON in a call, is
not read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Shapes, ahead, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_CALLS, _CALL, _VALUE = "ifm|tool_calls>", "ifm|tool_call>", "ifm|arg_value>"
_KEY = ("<ifm|arg_key>", field("key", r"[^<>]"), "</ifm|arg_key>", SPACE)
_TYPE = ("<ifm|arg_type>", field("type", r"[^<>]"), "</ifm|arg_type>", SPACE)
_NAME = field("name", r"[^<>{\s]")

_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.OPEN, f"<{_CALLS}"),
            shape(Kind.CLOSE, f"</{_CALLS}"),
            shape(Kind.CALL, f"<{_CALL}", SPACE, _NAME, SPACE, ahead("<ifm|arg_key>", f"</{_CALL}")),
            shape(Kind.CALL_END, f"</{_CALL}"),
            shape(Kind.PARAMETER, *_KEY, f"<{_VALUE}"),
            shape(Kind.PARAMETER, *_KEY, *_TYPE, f"<{_VALUE}"),
            shape(Kind.PARAMETER_END, f"</{_VALUE}"),
        )
    ),
)


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f"<{_CALL}{call.name}\n"
        + "".join(
            f"<ifm|arg_key>{m.name}</ifm|arg_key>\n<{_VALUE}{m.text}</{_VALUE}\n" for m in members(call.arguments)
        )
        + f"</{_CALL}\n"
        for call in calls
    )
    return f"<{_CALLS}\n{written}</{_CALLS}"


K2_HORIZON = Syntax(
    name="k2_horizon",
    parsers=("k2_horizon",),
    openers=(f"<{_CALLS}",),
    reader=partial(TagReader, _GRAMMAR),
    write=_write,
)
