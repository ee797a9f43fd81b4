"""Kimi K2: sections of calls between tokens, each with an id of the form `functions.NAME:IDX`, which it wants back.

Seen in the wild: no section around the calls, `tool_call_section` in the singular, white space in the id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from landline.families.tool_parsers.marked import Marks, marked_calls
from landline.families.tool_parsers.syntax import Syntax, WrittenCall

_SECTION = "<|tool_calls_section_begin|>"
_OVER = "<|tool_calls_section_end|>"
_BEGIN, _ARGUMENTS, _END = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
_ID = re.compile(r"(?:functions\.)?(?P<name>[^:]+):\d+")


def _head(head: str) -> tuple[str, str]:
    ident = "".join(head.split())
    found = _ID.fullmatch(ident)
    return (found["name"], ident) if found else (ident, "")


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f"{_BEGIN}{call.id or f'functions.{call.name}:{number}'}{_ARGUMENTS}{call.arguments}{_END}"
        for number, call in enumerate(calls)
    )
    return f"{_SECTION}{written}{_OVER}" if calls else ""


KIMI_K2 = Syntax(
    name="kimi_k2",
    parsers=("kimi_k2",),
    openers=(_SECTION, "<|tool_call_section_begin|>", _BEGIN),
    reader=marked_calls(
        Marks(
            sections=(_SECTION, "<|tool_call_section_begin|>"),
            begins=(_BEGIN,),
            head_ends=(_ARGUMENTS,),
            ends=(_END,),
            overs=(_OVER, "<|tool_call_section_end|>"),
            read_head=_head,
            spaced=True,
        )
    ),
    write=_write,
)
SYNTAXES = (KIMI_K2,)
