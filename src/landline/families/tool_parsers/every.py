"""All syntaxes, and their order for one family: its own first, then those that it is known to slip into, then the rest.

A model of an unknown family is read by what it writes; so is one whose server has another family's parser.
"""

from __future__ import annotations

from functools import cache

from landline.families.tool_parsers import dsml, gemma, glm, hy, kimi_k3, minimax, minimax_m3, muse, qwen_xml
from landline.families.tool_parsers.syntax import Syntax
from landline.families.tool_parsers.text import Openers

EVERY: tuple[Syntax, ...] = (
    qwen_xml.QWEN_XML,
    glm.GLM,
    glm.GLM_COMPACT,
    minimax.MINIMAX_M2,
    minimax_m3.MINIMAX_M3,
    dsml.DEEPSEEK_V4,
    dsml.DEEPSEEK_V32,
    kimi_k3.KIMI_K3,
    gemma.GEMMA4,
    gemma.FUNCTION_GEMMA,
    muse.MUSE,
    hy.HY_V3,
    hy.HY_V4,
    qwen_xml.SEED_OSS,
    qwen_xml.MIMO,
)


def in_order(parsers: tuple[str, ...]) -> tuple[Syntax, ...]:
    """Every syntax, those that vLLM's `parsers` read before the others, in their order."""
    own = [syntax for parser in parsers for syntax in EVERY if parser in syntax.parsers]
    return tuple({syntax.name: syntax for syntax in (*own, *EVERY)}.values())


@cache  # of constants: a pattern is compiled once for each family that is met
def openers(parsers: tuple[str, ...]) -> Openers:
    return Openers(in_order(parsers))
