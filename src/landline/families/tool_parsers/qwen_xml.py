"""Qwen's XML: `<tool_call>`, `<function=NAME>`, `<parameter=KEY>`; Step, Nemotron, Seed-OSS and MiMo write it too.

A newline at each end of a value belongs to the layout, with MiMo to the value. Models write the parameter's tag wrongly
now and then: with a newline in it, with `=` twice, without `>`. A parameter without a name that can be read makes the
call one that is not whole: what is missing cannot be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Part, Shapes, field, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_FUNCTION = "<function="
_UNCLOSED = Part(r"[ \t]{0,8}\n(?=\s{0,32}[^\s>])", r"[ \t]{0,8}(?:\n\s{0,32})?")


def _grammar(block: str, *, trims: bool) -> Grammar:
    parameter = ("<", SPACE, "parameter", SPACE, "=", SPACE)
    return Grammar(
        shapes=Shapes(
            (
                shape(Kind.OPEN, f"<{block}>"),
                shape(Kind.CLOSE, f"</{block}>"),
                shape(Kind.CALL, _FUNCTION, SPACE, field("name", r"[^<>\s]"), SPACE, ">"),
                shape(Kind.CALL_END, "</function>"),
                shape(Kind.PARAMETER, *parameter, field("key", r"[^<>\n]"), SPACE, ">"),
                shape(Kind.PARAMETER, "<parameter name=", field("key", r"[^<>\n]"), ">"),
                shape(Kind.LOOSE, *parameter, field("key", r"[^<>\n]"), _UNCLOSED),
                shape(Kind.PARAMETER_END, "<", SPACE, "/", SPACE, "parameter", SPACE, ">"),
            )
        ),
        trims=trims,
        broken=r"<\s{0,32}parameter\s{0,32}=",
        loose_needs_key=True,
    )


def _write(calls: Sequence[WrittenCall], *, block: str, margin: str) -> str:
    return "\n".join(
        f"<{block}>\n{_FUNCTION}{call.name}>\n"
        + "".join(f"<parameter={m.name}>{margin}{m.text}{margin}</parameter>\n" for m in members(call.arguments))
        + f"</function>\n</{block}>"
        for call in calls
    )


QWEN_XML = Syntax(
    name="qwen_xml",
    parsers=("qwen3_coder", "qwen3_xml", "step3p5", "step5"),
    openers=("<tool_call>", _FUNCTION),
    reader=partial(TagReader, _grammar("tool_call", trims=True)),
    write=partial(_write, block="tool_call", margin="\n"),
)
MIMO = Syntax(
    name="mimo",
    parsers=("mimo",),
    openers=("<tool_call>", _FUNCTION),
    reader=partial(TagReader, _grammar("tool_call", trims=False)),
    write=partial(_write, block="tool_call", margin=""),
)
SEED_OSS = Syntax(
    name="seed_oss",
    parsers=("seed_oss",),
    openers=("<seed:tool_call>", _FUNCTION),
    reader=partial(TagReader, _grammar("seed:tool_call", trims=True)),
    write=partial(_write, block="seed:tool_call", margin="\n"),
)
