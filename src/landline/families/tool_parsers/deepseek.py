"""DeepSeek V3 and R1 (a kind, the name, JSON in a fence) and V3.1 (the name and JSON), between the same tokens."""

from __future__ import annotations

from collections.abc import Sequence

from landline.families.tool_parsers.marked import Marks, marked_calls
from landline.families.tool_parsers.syntax import Syntax, WrittenCall

_SECTION, _OVER = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
_BEGIN, _SEPARATOR, _END = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
_FENCE = "```"


def _write_v3(calls: Sequence[WrittenCall]) -> str:
    written = "\n".join(
        f"{_BEGIN}function{_SEPARATOR}{call.name}\n{_FENCE}json\n{call.arguments}\n{_FENCE}{_END}" for call in calls
    )
    return f"{_SECTION}{written}{_OVER}" if calls else ""


def _write_v31(calls: Sequence[WrittenCall]) -> str:
    written = "".join(f"{_BEGIN}{call.name}{_SEPARATOR}{call.arguments}{_END}" for call in calls)
    return f"{_SECTION}{written}{_OVER}" if calls else ""


DEEPSEEK_V3 = Syntax(
    name="deepseek_v3",
    parsers=("deepseek_v3",),
    openers=(_SECTION, _BEGIN),
    reader=marked_calls(
        Marks(
            sections=(_SECTION,),
            begins=(_BEGIN,),
            kind=f"function{_SEPARATOR}",
            head_ends=("\n", "{", _FENCE),
            skipped=(f"{_FENCE}json", _FENCE, "json\n"),
            ends=(_FENCE, _END),
            overs=(_OVER,),
        )
    ),
    write=_write_v3,
)
DEEPSEEK_V31 = Syntax(
    name="deepseek_v31",
    parsers=("deepseek_v31",),
    openers=(_SECTION, _BEGIN),
    reader=marked_calls(
        Marks(
            sections=(_SECTION,),
            begins=(_BEGIN,),
            head_ends=(_SEPARATOR,),
            skipped=(f"{_FENCE}json", _FENCE),
            ends=(_FENCE, _END),
            overs=(_OVER,),
        )
    ),
    write=_write_v31,
)
SYNTAXES = (DEEPSEEK_V3, DEEPSEEK_V31)
