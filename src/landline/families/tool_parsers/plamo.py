"""PLaMo 3: every part of a call stands between marks of its own."""

from __future__ import annotations

from collections.abc import Sequence

from landline.families.tool_parsers.marked import Marks, marked_calls
from landline.families.tool_parsers.syntax import Syntax, WrittenCall


def _mark(name: str) -> str:
    return f"<|plamo:{name}:plamo|>"


_SECTION, _OVER = _mark("begin_tool_requests"), _mark("end_tool_requests")
_BEGIN, _END = _mark("begin_tool_request"), _mark("end_tool_request")
_NAME, _NAME_END = _mark("begin_tool_name"), _mark("end_tool_name")
_ARGUMENTS, _ARGUMENTS_END = _mark("begin_tool_arguments"), _mark("end_tool_arguments")
_JSON = ("<|plamo:constrain|>json", "<|plamo:msg|>")


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f"{_BEGIN}{_NAME}{call.name}{_NAME_END}{_ARGUMENTS}{''.join(_JSON)}{call.arguments}{_ARGUMENTS_END}{_END}"
        for call in calls
    )
    return f"{_SECTION}{written}{_OVER}" if calls else ""


PLAMO3 = Syntax(
    name="plamo3",
    parsers=("plamo3",),
    openers=(_SECTION, _BEGIN),
    reader=marked_calls(
        Marks(
            sections=(_SECTION,),
            begins=(_BEGIN,),
            kind=_NAME,
            head_ends=(_NAME_END,),
            skipped=(_ARGUMENTS, *_JSON),
            ends=(_ARGUMENTS_END, _END),
            overs=(_OVER,),
        )
    ),
    write=_write,
)
SYNTAXES = (PLAMO3,)
