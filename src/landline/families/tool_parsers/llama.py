"""Llama 3 and 4: JSON objects behind `<|python_tag|>`, or bare; several are separated by semicolons."""

from __future__ import annotations

from collections.abc import Sequence

from landline.families.tool_parsers.bare_json import bare_json
from landline.families.tool_parsers.json_calls import Form, call_object, json_calls
from landline.families.tool_parsers.syntax import Syntax, WrittenCall

TAG = "<|python_tag|>"


def _bare(calls: Sequence[WrittenCall]) -> str:
    return "; ".join(call_object(call, "parameters") for call in calls)


def _tagged(calls: Sequence[WrittenCall]) -> str:
    return TAG + _bare(calls) if calls else ""


_PARSERS = ("llama3_json", "llama4_json")
PYTHON_TAG = Syntax(
    name="llama_python_tag",
    parsers=_PARSERS,
    openers=(TAG,),
    reader=json_calls(Form(closers=("<|eom_id|>", "<|eot_id|>", "<|eot|>", "<|eom|>"))),
    write=_tagged,
)
LLAMA_JSON = Syntax(name="llama_json", parsers=_PARSERS, openers=("{",), reader=bare_json, write=_bare, sole=True)
SYNTAXES = (LLAMA_JSON, PYTHON_TAG)
