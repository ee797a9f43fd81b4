"""Tool calls and thinking that stand in the text as the model wrote them, and which of vLLM's parsers reads each.

Only looks; recovers nothing. What is asked by a probe has none of these marks in its answer by right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

MOST_CHARACTERS = 200_000  # of an answer that are looked at


class Markup(Struct, frozen=True):
    """`parser` is vLLM's name for what reads it; empty where several do."""

    title: str
    parser: str = ""


_BAR, _BLOCK = "\uff5c", "\u2581"  # of DeepSeek's tokens

# The first that is found is named, so special ones stand before general ones.
_CALLS: tuple[tuple[str, Markup], ...] = (
    (r"<seed:tool_call>", Markup("Seed's XML", "seed_oss")),
    (r"<minimax:tool_call>", Markup("MiniMax's XML", "minimax_m2")),
    (r"\]<\]minimax\[>\[", Markup("MiniMax M3's XML", "minimax_m3")),
    (r"<atem:function_calls>", Markup("Muse's XML", "muse")),
    (r"<longcat_tool_call>", Markup("LongCat's tagged JSON", "longcat")),
    (r"<dots_function_call>", Markup("dots' XML", "dots")),
    (r"<arg_key>", Markup("GLM's tagged pairs", "glm47")),
    (r"<function=", Markup("Qwen's XML", "qwen3_coder")),
    (rf"<{_BAR}DSML{_BAR}function_calls>", Markup("DeepSeek V3.2's DSML", "deepseek_v32")),
    (rf"<{_BAR}DSML{_BAR}tool_calls>", Markup("DeepSeek V4's DSML", "deepseek_v4")),
    (rf"<{_BAR}DSML{_BAR} calls>", Markup("DeepSeek V4.1's DSML", "deepseek_v41")),
    (rf"<{_BAR}tool{_BLOCK}call{_BLOCK}begin{_BAR}>function<", Markup("DeepSeek V3's tokens", "deepseek_v3")),
    (rf"<{_BAR}tool{_BLOCK}call", Markup("DeepSeek V3.1's tokens", "deepseek_v31")),
    (rf"<{_BAR}tool_call", Markup("Step 3's tokens", "step3")),
    (r"<\|tool_calls?_(?:section_)?begin\|>", Markup("Kimi's tokens", "kimi_k2")),
    (r"<\|open\|>tools", Markup("Kimi K3's tokens", "kimi_k3")),
    (r"<\|tool_call_start\|>", Markup("LFM2's pythonic list", "lfm2")),
    (r"<\|tool_call>call:", Markup("Gemma 4's calls", "gemma4")),
    (r"<start_function_call>", Markup("FunctionGemma's calls", "functiongemma")),
    (r"<\|channel\|>|to=functions\.", Markup("harmony", "openai")),
    (r"\[TOOL_CALLS\]", Markup("Mistral's JSON", "mistral")),
    (r"<\|START_ACTION\|>", Markup("Command's JSON", "cohere_command3")),
    (r"<\|action_start\|>", Markup("InternLM's JSON", "internlm")),
    (r"<\|python_tag\|>", Markup("Llama's JSON", "llama3_json")),
    (r"<\|tool_call\|>", Markup("Granite's JSON", "granite")),
    (r"<\|tools_prefix\|>", Markup("Apertus' JSON", "apertus")),
    (r"functools\[", Markup("Phi's JSON", "phi4_mini_json")),
    (r"<tool_call>", Markup("tagged JSON", "hermes")),
    (r"<tool_calls>", Markup("a tagged JSON list")),
    (r"<function_call>|<\|function_call\|>", Markup("tagged JSON")),
    (r"<invoke name=|</invoke>", Markup("XML")),
    (r"</tool_call>|</function>|</parameter>", Markup("the ends of XML")),
)
_COMPILED = tuple((re.compile(pattern), found) for pattern, found in _CALLS)
_THINKING = re.compile(r"</?think>|</?mm:think>|</?seed:think>|\[/?THINK\]|<\|channel>thought|<channel\|>")


def call_markup(text: str, tools: Iterable[str] = ()) -> Markup | None:
    """The syntax of a call in a text; with `tools`, also bare JSON that names one of them."""
    looked = text[:MOST_CHARACTERS]
    for pattern, found in _COMPILED:
        if pattern.search(looked):
            return found
    begins = looked.lstrip().removeprefix("```json").removeprefix("```").lstrip()
    if begins[:1] in ("{", "[") and any(
        f'"name": "{name}"' in begins or f'"name":"{name}"' in begins for name in tools
    ):
        return Markup("bare JSON")
    pythonic = begins.removeprefix("[")
    if begins != pythonic and any(pythonic.startswith(f"{name}(") for name in tools):
        return Markup("a pythonic list", "pythonic")
    return None


def thinking_markup(text: str) -> str:
    """The first mark of thinking in a text, or nothing."""
    found = _THINKING.search(text[:MOST_CHARACTERS])
    return found.group() if found else ""
