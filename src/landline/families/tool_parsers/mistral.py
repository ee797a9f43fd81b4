"""Mistral: `[TOOL_CALLS]name[ARGS]{..}` since tokenizer v11 (also without `[ARGS]`), a list of JSON objects before."""

from __future__ import annotations

from collections.abc import Sequence

from landline.families.tool_parsers.json_calls import Form, call_list, json_calls
from landline.families.tool_parsers.marked import Marks, marked_calls
from landline.families.tool_parsers.syntax import Syntax, WrittenCall

_OPENER = "[TOOL_CALLS]"


def _head(head: str) -> tuple[str, str]:
    name, _, ident = head.partition("[CALL_ID]")
    return name.strip(), ident.strip()


def _write(calls: Sequence[WrittenCall]) -> str:
    return "".join(f"{_OPENER}{call.name}[ARGS]{call.arguments}" for call in calls)


def _write_list(calls: Sequence[WrittenCall]) -> str:
    return f"{_OPENER} {call_list(calls)}" if calls else ""


MISTRAL = Syntax(
    name="mistral",
    parsers=("mistral",),
    openers=(_OPENER,),
    reader=marked_calls(Marks(begins=(_OPENER,), head_ends=("[ARGS]", "{"), read_head=_head)),
    write=_write,
)
MISTRAL_LIST = Syntax(
    name="mistral_list",
    parsers=("mistral", "xlam"),
    openers=(_OPENER,),
    reader=json_calls(Form()),
    write=_write_list,
)
SYNTAXES = (MISTRAL, MISTRAL_LIST)
