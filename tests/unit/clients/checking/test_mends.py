"""What is told to be changed, by cause and kind of server."""

from __future__ import annotations

import pytest

from landline.clients.checking.causes import Cause, Fault
from landline.clients.checking.mends import Parsers, family_parsers, mend
from landline.upstream.dialects import BackendKind
from landline.upstream.families import known_families

QWEN = Parsers("qwen3_coder", "qwen3")


@pytest.mark.parametrize("kind", list(BackendKind))
@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_mend_on_every_kind_of_server(cause: Cause, kind: BackendKind) -> None:
    for parsers in (QWEN, Parsers()):
        told = mend(Fault(cause, "", window=20_000), kind, parsers)
        assert told
        assert "{sglang" not in told
        assert "{tool}" not in told
        assert "{window}" not in told


@pytest.mark.parametrize(
    ("cause", "kind", "told"),
    [
        (
            Cause.NO_TOOL_PARSER,
            BackendKind.VLLM,
            "start vLLM with --enable-auto-tool-choice --tool-call-parser qwen3_coder",
        ),
        (Cause.NO_TOOL_PARSER, BackendKind.SGLANG, "start SGLang with --tool-call-parser qwen3_coder"),
        (Cause.THINKING_IN_TEXT, BackendKind.VLLM, "start vLLM with --reasoning-parser qwen3"),
        (Cause.CACHE_NOT_REPORTED, BackendKind.VLLM, "start vLLM with --enable-prompt-tokens-details"),
        (Cause.CACHE_NOT_REPORTED, BackendKind.SGLANG, "start SGLang with --enable-cache-report"),
        (Cause.WINDOW_TOO_SMALL, BackendKind.OLLAMA, "start Ollama with OLLAMA_CONTEXT_LENGTH=65536"),
    ],
)
def test_the_exact_flag(cause: Cause, kind: BackendKind, told: str) -> None:
    assert mend(Fault(cause, ""), kind, QWEN) == told


def test_the_true_window_is_told() -> None:
    told = mend(Fault(Cause.WINDOW_SMALLER_THAN_SAID, "", window=20_000), BackendKind.VLLM, QWEN)
    assert "backend.window = 20000" in told
    assert "--max-model-len 65536" in told


def test_what_was_seen_names_the_parser_where_the_family_does_not() -> None:
    fault = Fault(Cause.WRONG_TOOL_PARSER, "", parser="kimi_k2")
    assert "--tool-call-parser kimi_k2" in mend(fault, BackendKind.VLLM, Parsers())
    assert "--tool-call-parser qwen3_coder" in mend(fault, BackendKind.VLLM, QWEN)


def test_sglang_is_not_told_vllm_s_names() -> None:
    told = mend(Fault(Cause.NO_TOOL_PARSER, ""), BackendKind.SGLANG, Parsers("deepseek_v31"))
    assert "--tool-call-parser deepseekv31" in told
    unknown = mend(Fault(Cause.NO_TOOL_PARSER, ""), BackendKind.SGLANG, Parsers("minimax_m3"))
    assert "minimax_m3" not in unknown


@pytest.mark.parametrize(
    ("model", "tool", "reasoning"),
    [
        ("Qwen3.6-27B", "qwen3_coder", "qwen3"),
        ("Qwen3.5-9B", "qwen3_coder", "qwen3"),
        ("Qwen3-32B", "hermes", "qwen3"),
        ("nobody-knows", "", ""),
    ],
)
def test_the_parsers_of_a_family(model: str, tool: str, reasoning: str) -> None:
    assert family_parsers(known_families().family(model)) == Parsers(tool, reasoning)
