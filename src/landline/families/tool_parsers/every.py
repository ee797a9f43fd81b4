"""All syntaxes, and their order for one family: its own first, then those that it is known to slip into, then the rest.

A model of an unknown family is read by what it writes; so is one whose server has another family's parser.
"""

from __future__ import annotations

from functools import cache

from landline.families.tool_parsers import (
    bare_json,
    deepseek,
    dsml,
    gemma,
    glm,
    harmony,
    hy,
    inkling,
    k2_horizon,
    kimi,
    kimi_k3,
    llama,
    message_marks,
    minicpm5,
    minimax,
    minimax_m3,
    mistral,
    muse,
    plamo,
    pythonic,
    qwen_xml,
    step3,
    tagged_json,
)
from landline.families.tool_parsers.syntax import Syntax
from landline.families.tool_parsers.text import Openers

# The first is that of a model nobody knows, where tools are told in words.
EVERY: tuple[Syntax, ...] = (
    *(syntax for syntax in tagged_json.SYNTAXES if syntax not in tagged_json.BY_WORDS),
    qwen_xml.QWEN_XML,
    glm.GLM,
    glm.GLM_COMPACT,
    minimax.MINIMAX_M2,
    minimax.DOTS,
    step3.STEP3,
    minicpm5.MINICPM5,
    k2_horizon.K2_HORIZON,
    minimax_m3.MINIMAX_M3,
    *kimi.SYNTAXES,
    kimi_k3.KIMI_K3,
    *deepseek.SYNTAXES,
    dsml.DEEPSEEK_V4,
    dsml.DEEPSEEK_V32,
    dsml.DEEPSEEK_V41,
    *mistral.SYNTAXES,
    gemma.GEMMA4,
    gemma.FUNCTION_GEMMA,
    muse.MUSE,
    hy.HY_V3,
    hy.HY_V4,
    qwen_xml.SEED_OSS,
    qwen_xml.MIMO,
    *plamo.SYNTAXES,
    *pythonic.SYNTAXES,
    *llama.SYNTAXES,
    *bare_json.SYNTAXES,
)


# Only for models of their family: the first two take marks out of the text even where no call stands, the others begin
# with ordinary letters, which every word of every answer would have to be held against.
OF_THEIR_FAMILY: tuple[Syntax, ...] = (*harmony.SYNTAXES, *inkling.SYNTAXES, *tagged_json.BY_WORDS)
MARKS: tuple[Syntax, ...] = message_marks.SYNTAXES  # the same, and no call among them


def in_order(parsers: tuple[str, ...]) -> tuple[Syntax, ...]:
    """Every syntax, those that vLLM's `parsers` read before the others, in their order."""
    known = (*EVERY, *OF_THEIR_FAMILY, *MARKS)
    own = [syntax for parser in parsers for syntax in known if parser in syntax.parsers]
    return tuple({syntax.name: syntax for syntax in (*own, *EVERY)}.values())


@cache  # of constants: a pattern is compiled once for each family that is met
def openers(parsers: tuple[str, ...]) -> Openers:
    return Openers(in_order(parsers))
