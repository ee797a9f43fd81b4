"""The marks around thinking, as data. Source: the reasoning parsers of vLLM 0.33.0, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct


class Delimiters(Struct, frozen=True):
    """Pairs of marks; `implied`: the chat template writes the opening one, so that an answer begins in thinking."""

    pairs: tuple[tuple[str, str], ...]
    implied: bool = False


_THINK = ("<think>", "</think>")
_IMPLIED = Delimiters((_THINK,), implied=True)

# Where nothing is known about the model: the marks of most.
UNKNOWN = Delimiters((_THINK,))
NONE = Delimiters(())

DELIMITERS: Mapping[str, Delimiters] = MappingProxyType(
    {
        **dict.fromkeys(("deepseek_r1", "holo2", "step3", "step3p5", "step5", "qwen3", "mimo", "minicpmv"), _IMPLIED),
        **dict.fromkeys(("nemotron_v3", "granite_thinking_parser", "glm45", "glm47", "ling3", "kimi_k2"), _IMPLIED),
        **dict.fromkeys(("minimax_m2", "minimax_m2_append_think", "olmo3", "deepseek_v4", "deepseek_v41"), _IMPLIED),
        **dict.fromkeys(("deepseek_v3", "poolside_v1"), UNKNOWN),
        "ernie45": Delimiters((_THINK,), implied=True),
        "hunyuan_a13b": Delimiters((_THINK,)),
        "hy_v3": Delimiters((_THINK,)),
        "hy_v4": Delimiters((_THINK,), implied=True),
        "minimax_m3": Delimiters((("<mm:think>", "</mm:think>"), _THINK)),
        "seed_oss": Delimiters((("<seed:think>", "</seed:think>"),), implied=True),
        "mistral": Delimiters((("[THINK]", "[/THINK]"), _THINK)),
        "gemma4": Delimiters((("<|channel>thought\n", "<channel|>"), ("<|channel>", "<channel|>"))),
        "openai_gptoss": Delimiters(
            (
                ("<|channel|>analysis<|message|>", "<|end|>"),
                ("<|start|>assistant<|channel|>analysis<|message|>", "<|end|>"),
            )
        ),
        "kimi_k3": Delimiters((("<|open|>think<|sep|>", "<|close|>think<|sep|>"),)),
        "k2_horizon": Delimiters(
            (
                ("<ifm|think>", "</ifm|think>"),
                ("<ifm|think_fast>", "</ifm|think_fast>"),
                ("<ifm|think_faster>", "</ifm|think_faster>"),
            )
        ),
        "cohere_command3": Delimiters((("<|START_THINKING|>", "<|END_THINKING|>"),)),
        "cohere_command4": Delimiters((("<|START_THINKING|>", "<|END_THINKING|>"),)),
        "plamo3": Delimiters((("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),), implied=True),
        "inkling": Delimiters((("<|content_thinking|>", "<|end_message|>"),)),
        **dict.fromkeys(
            ("muse", "musespark1x", "muse_glimmer"),
            Delimiters((("to=self<|message|>", "<|eom|>"), ("<|start|>assistant to=self<|message|>", "<|eom|>"))),
        ),
        "granite": Delimiters(
            (
                ("Here is my thought process:", "Here is my response:"),
                ("Here's my thought process:", "Here's my response:"),
            )
        ),
    }
)


def delimiters(parser: str) -> Delimiters:
    """Of a reasoning parser; the marks of most models for a name that is not known, or for none."""
    return DELIMITERS.get(parser, UNKNOWN)
