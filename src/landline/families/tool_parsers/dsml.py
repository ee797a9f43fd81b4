"""DeepSeek's DSML: a block of `invoke name="NAME"`, in it `parameter name="KEY" string="true"`, each tag with a token.

The token is the word DSML between two full-width bars. The block's name changes with the version, V4.1 puts a space
behind the token. The bars come as ASCII too, doubled or spaced, and some servers lose the whole token, so every tag is
read with and without it; the tags of one parameter are spelled alike. `string="true"` says that the value is a text,
`"false"` or nothing that it is JSON; the tool's schema has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.arguments import Reads, read_json
from landline.families.tool_parsers.syntax import Syntax, WrittenCall
from landline.families.tool_parsers.tag_shapes import SPACE, Kind, Part, Shapes, Tag, field, literal, shape
from landline.families.tool_parsers.tagged import Grammar, TagReader
from landline.families.tool_parsers.written import members

_MARK = "｜DSML｜"
_BLOCKS = ("tool_calls", "function_calls", "toolcalls", "tool_use", "calls", "tool")
_TOKEN = Part(
    r"(?P<mark>\s?(?:[｜|]{1,2}\s?DSML\s?[｜|]{1,2})?\s?)", r"\s?(?:[｜|]{0,2}\s?(?:D(?:S(?:ML?)?)?)?\s?[｜|]{0,2})?\s?"
)
_TOKENS = ("｜DSML｜", "|DSML|", "||DSML||", "｜｜DSML｜｜", " | DSML | ", " ｜ DSML ｜ ", " || DSML || ")


def _tag(kind: Kind, *parts: str | Part, end: bool = False) -> tuple[Kind, tuple[str | Part, ...]]:
    return kind, ("</" if end else "<", _TOKEN, *parts, SPACE, ">")


_NAME, _KEY = field("name", r'[^<>"]'), field("key", r'[^<>"]')
_TAGS = (
    _tag(Kind.OPEN, literal(*_BLOCKS)),
    _tag(Kind.CLOSE, literal(*_BLOCKS), end=True),
    _tag(Kind.CALL, 'invoke name="', _NAME, '"'),
    _tag(Kind.CALL_END, "invoke", end=True),
    _tag(Kind.PARAMETER, 'parameter name="', _KEY, '" string="', field("string", "[a-zA-Z]", 8), '"'),
    _tag(Kind.PARAMETER, 'parameter name="', _KEY, '"'),
    _tag(Kind.PARAMETER_END, "parameter", end=True),
)


def _reads(tag: Tag, schema: object) -> Reads | None:
    return None if tag.field("string").lower() == "true" else read_json


_GRAMMAR = Grammar(shapes=Shapes([shape(kind, *parts) for kind, parts in _TAGS]), reads=_reads)
_OPENERS = (
    *(f"<{token}" for token in _TOKENS),
    *("<function_calls>", "<tool_calls>", "< calls>", "<calls>", "<tool_use>", "<invoke name=", "< invoke name="),
)


def _write(calls: Sequence[WrittenCall], *, block: str, mark: str) -> str:
    written = "".join(
        f'<{mark}invoke name="{call.name}">\n'
        + "".join(
            f'<{mark}parameter name="{m.name}" string="{str(m.is_string).lower()}">{m.text}</{mark}parameter>\n'
            for m in members(call.arguments)
        )
        + f"</{mark}invoke>\n"
        for call in calls
    )
    return f"<{mark}{block}>\n{written}</{mark}{block}>"


def _syntax(parser: str, block: str, mark: str) -> Syntax:
    return Syntax(
        name=parser,
        parsers=(parser,),
        openers=_OPENERS,
        reader=partial(TagReader, _GRAMMAR),
        write=partial(_write, block=block, mark=mark),
    )


DEEPSEEK_V32 = _syntax("deepseek_v32", "function_calls", _MARK)
DEEPSEEK_V4 = _syntax("deepseek_v4", "tool_calls", _MARK)
DEEPSEEK_V41 = _syntax("deepseek_v41", "calls", f"{_MARK} ")
