"""Step 3: `<steptml:invoke name="NAME">` and `<steptml:parameter name="KEY">` in a block of special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Shapes, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_OPEN, _CLOSE = "<｜tool_calls_begin｜>", "<｜tool_calls_end｜>"
_BEGIN, _SEPARATOR, _END = "<｜tool_call_begin｜>", "<｜tool_sep｜>", "<｜tool_call_end｜>"
_INVOKE, _PARAMETER = "steptml:invoke", "steptml:parameter"
_NAME, _KEY = field("name", r'[^<>"]'), field("key", r'[^<>"]')

_GRAMMAR = Grammar(
    shapes=Shapes(
        (
            shape(Kind.OPEN, _OPEN),
            shape(Kind.CLOSE, _CLOSE),
            shape(
                Kind.CALL,
                *(_BEGIN, SPACE, "function", SPACE, _SEPARATOR, SPACE, f'<{_INVOKE} name="', _NAME, '">'),
            ),
            shape(Kind.CALL_END, f"</{_INVOKE}>", SPACE, _END),
            shape(Kind.PARAMETER, f'<{_PARAMETER} name="', _KEY, '">'),
            shape(Kind.PARAMETER_END, f"</{_PARAMETER}>"),
        )
    ),
    trims=True,
)


def _write(calls: Sequence[WrittenCall]) -> str:
    written = "".join(
        f'{_BEGIN}function{_SEPARATOR}<{_INVOKE} name="{call.name}">'
        + "".join(f'<{_PARAMETER} name="{m.name}">{m.text}</{_PARAMETER}>' for m in members(call.arguments))
        + f"</{_INVOKE}>{_END}\n"
        for call in calls
    )
    return f"{_OPEN}\n{written}{_CLOSE}"


STEP3 = Syntax(
    name="step3",
    parsers=("step3",),
    openers=(_OPEN, _BEGIN),
    reader=partial(TagReader, _GRAMMAR),
    write=_write,
)
