"""The table of families as a whole: its parsers exist, every row is found, and the known checkpoints find theirs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import landline.families
from landline.families.registry import Family, SamplingStatus, syntaxes_of
from tests.property.requests import families

FOLDER = Path(landline.families.__file__).parent
PARSERS = tomllib.loads((FOLDER / "vllm_parsers.toml").read_text(encoding="utf-8"))
REGISTRY = families()
ROWS = REGISTRY.families

# Checkpoint: tool parser, reasoning parser, lowest vLLM, window. vllm-project/recipes at 8959cf6 (2026-08-21), with
# parser names of vLLM 0.33.0; Qwen3-Coder-Next and Devstral-Small-2 by their model cards.
CHECKPOINTS = {
    "Qwen/Qwen3.8-27B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3.8-2.4T-A95B": ("qwen3_coder", "qwen3", "nightly", 262_144),
    "Qwen/Qwen3.6-27B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3.6-35B-A3B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3.5-9B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3.5-27B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3.5-35B-A3B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3.5-122B-A10B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3.5-397B-A17B": ("qwen3_coder", "qwen3", "0.17.0", 262_144),
    "Qwen/Qwen3-Coder-480B-A35B-Instruct": ("qwen3_coder", "", "0.10.0", 262_144),
    "Qwen/Qwen3-Next-80B-A3B-Instruct": ("hermes", "", "0.10.0", 262_144),
    "zai-org/GLM-4.7": ("glm47", "glm45", "0.11.0", 202_752),
    "zai-org/GLM-5": ("glm47", "glm45", "0.16.0", 202_752),
    "zai-org/GLM-5.1": ("glm47", "glm45", "0.19.1", 202_752),
    "zai-org/GLM-5.2": ("glm47", "glm45", "0.23.0", 1_048_576),
    "MiniMaxAI/MiniMax-M2": ("minimax_m2", "minimax_m2", "0.11.0", 196_608),
    "MiniMaxAI/MiniMax-M2.1": ("minimax_m2", "minimax_m2", "0.11.0", 196_608),
    "MiniMaxAI/MiniMax-M2.5": ("minimax_m2", "minimax_m2", "0.20.2", 196_608),
    "MiniMaxAI/MiniMax-M2.7": ("minimax_m2", "minimax_m2", "0.20.0", 196_608),
    "MiniMaxAI/MiniMax-M3": ("minimax_m3", "minimax_m3", "0.24.0", 1_048_576),
    "moonshotai/Kimi-K2-Instruct": ("kimi_k2", "", "0.12.0", 131_072),
    "moonshotai/Kimi-K2-Thinking": ("kimi_k2", "kimi_k2", "0.12.0", 262_144),
    "moonshotai/Kimi-K2.5": ("kimi_k2", "kimi_k2", "0.19.1", 262_144),
    "moonshotai/Kimi-K2.6": ("kimi_k2", "kimi_k2", "0.25.0", 262_144),
    "moonshotai/Kimi-K2.7-Code": ("kimi_k2", "kimi_k2", "0.19.1", 262_144),
    "moonshotai/Kimi-K3": ("kimi_k3", "kimi_k3", "0.27.1", 1_048_576),
    "deepseek-ai/DeepSeek-V3.1": ("deepseek_v31", "deepseek_v3", "0.12.0", 163_840),
    "deepseek-ai/DeepSeek-V3.2": ("deepseek_v32", "deepseek_v3", "0.18.0", 163_840),
    "deepseek-ai/DeepSeek-V4-Flash": ("deepseek_v4", "deepseek_v4", "0.20.0", 1_048_576),
    "deepseek-ai/DeepSeek-V4-Pro": ("deepseek_v4", "deepseek_v4", "0.20.0", 1_048_576),
    "openai/gpt-oss-20b": ("openai", "openai_gptoss", "0.10.0", 131_072),
    "openai/gpt-oss-120b": ("openai", "openai_gptoss", "0.10.0", 131_072),
    "mistralai/Ministral-3-14B-Instruct-2512": ("mistral", "", "0.11.0", 262_144),
    "mistralai/Mistral-Small-4-119B-2603": ("mistral", "mistral", "0.20.0", 262_144),
    "mistralai/Mistral-Medium-3.5-128B": ("mistral", "mistral", "0.18.0", 262_144),
    "mistralai/Mistral-Large-3-675B-Instruct-2512": ("mistral", "", "0.11.0", 294_912),
    "google/gemma-4-12B-it": ("gemma4", "gemma4", "0.23.0", 131_072),
    "google/gemma-4-26B-A4B-it": ("gemma4", "gemma4", "0.19.1", 131_072),
    "google/gemma-4-31B-it": ("gemma4", "gemma4", "0.19.1", 262_144),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": ("qwen3_coder", "nemotron_v3", "0.11.2", 262_144),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": ("qwen3_xml", "nemotron_v3", "0.17.1", 262_144),
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": ("qwen3_coder", "nemotron_v3", "0.22.0", 262_144),
    "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16": ("qwen3_xml", "nemotron_v3", "0.27.1", 1_048_576),
    "ByteDance-Seed/Seed-OSS-36B-Instruct": ("seed_oss", "seed_oss", "0.11.0", 524_288),
    "stepfun-ai/Step-3.5-Flash": ("step3p5", "step3p5", "0.11.0", 262_144),
    "stepfun-ai/Step-3.7-Flash": ("step3p5", "step3p5", "0.23.0", 262_144),
    "poolside/Laguna-XS-2.1": ("poolside_v1", "poolside_v1", "0.21.0", 262_144),
    "poolside/Laguna-S-2.1": ("poolside_v1", "poolside_v1", "0.25.0", 262_144),
    "poolside/Laguna-M.1": ("poolside_v1", "poolside_v1", "0.21.0", 262_144),
    "tencent/Hy3": ("hy_v3", "hy_v3", "0.26.0", 262_144),
    "XiaomiMiMo/MiMo-V2-Flash": ("mimo", "mimo", "0.11.0", 262_144),
    "XiaomiMiMo/MiMo-V2.5": ("mimo", "mimo", "0.21.0", 1_048_576),
    "XiaomiMiMo/MiMo-V2.5-Pro": ("mimo", "mimo", "0.21.0", 1_048_576),
    "inclusionAI/Ling-3.0-flash": ("ling3", "ling3", "0.25.0", 262_144),
    "meta-models/Muse-Glimmer-30B": ("muse_glimmer", "muse_glimmer", "0.27.0", 131_072),
    "thinkingmachines/Inkling-Small-NVFP4": ("inkling", "inkling", "0.26.0", 1_048_576),
    "arcee-ai/Trinity-Large-Thinking": ("qwen3_coder", "deepseek_r1", "0.11.1", 262_144),
    "Qwen/Qwen3-Coder-Next": ("qwen3_coder", "", "0.15.0", 262_144),
    "mistralai/Devstral-Small-2-24B-Instruct-2512": ("mistral", "", "", 262_144),
}
# Whose sampling the same source gives, and how well it is founded; of all others nothing may be sent.
SAMPLING: dict[str, tuple[str, dict[str, float]]] = {
    "Qwen/Qwen3.8-27B": ("recipe", {"temperature": 1.0, "top_p": 0.95, "top_k": 20}),
    "Qwen/Qwen3.8-2.4T-A95B": ("recipe", {"temperature": 1.0, "top_p": 0.95, "top_k": 20}),
    "Qwen/Qwen3.6-27B": ("inferred", {"temperature": 0.6, "top_p": 0.95, "top_k": 20}),
    "Qwen/Qwen3.6-35B-A3B": ("inferred", {"temperature": 0.6, "top_p": 0.95, "top_k": 20}),
    "Qwen/Qwen3.5-27B": ("card", {"temperature": 0.6, "top_p": 0.95, "top_k": 20}),
    "Qwen/Qwen3.5-35B-A3B": ("inferred", {"temperature": 0.6, "top_p": 0.95, "top_k": 20}),
    "Qwen/Qwen3.5-122B-A10B": ("inferred", {"temperature": 0.6, "top_p": 0.95, "top_k": 20}),
    "Qwen/Qwen3.5-397B-A17B": ("inferred", {"temperature": 0.6, "top_p": 0.95, "top_k": 20}),
    "zai-org/GLM-5": ("recipe", {"temperature": 1.0}),
    "zai-org/GLM-5.1": ("recipe", {"temperature": 1.0}),
    "zai-org/GLM-5.2": ("recipe", {"temperature": 1.0}),
    "MiniMaxAI/MiniMax-M2": ("card", {"temperature": 1.0, "top_p": 0.95, "top_k": 20}),
    "MiniMaxAI/MiniMax-M2.5": ("card", {"temperature": 1.0, "top_p": 0.95, "top_k": 40}),
    "MiniMaxAI/MiniMax-M2.7": ("inferred", {"temperature": 1.0, "top_p": 0.95, "top_k": 40}),
    "MiniMaxAI/MiniMax-M3": ("recipe", {"temperature": 1.0, "top_p": 0.95}),
    "moonshotai/Kimi-K2.6": ("recipe", {"temperature": 1.0, "top_p": 0.95}),
    "moonshotai/Kimi-K2.7-Code": ("recipe", {"temperature": 1.0, "top_p": 0.95}),
    "deepseek-ai/DeepSeek-V4-Flash": ("recipe", {"temperature": 1.0, "top_p": 0.95}),
    "deepseek-ai/DeepSeek-V4-Pro": ("recipe", {"temperature": 1.0, "top_p": 0.95}),
    "mistralai/Mistral-Small-4-119B-2603": ("recipe", {"temperature": 0.7}),
    "mistralai/Mistral-Medium-3.5-128B": ("recipe", {"temperature": 0.7}),
    "google/gemma-4-26B-A4B-it": ("third-party", {"temperature": 1.0, "top_p": 0.95, "top_k": 64}),
    "google/gemma-4-31B-it": ("third-party", {"temperature": 1.0, "top_p": 0.95, "top_k": 64}),
    "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16": ("recipe", {"temperature": 1.0, "top_p": 0.95}),
    "poolside/Laguna-XS-2.1": ("recipe", {"temperature": 0.7, "top_p": 1.0}),
    "poolside/Laguna-S-2.1": ("recipe", {"temperature": 0.7, "top_p": 1.0}),
    "poolside/Laguna-M.1": ("recipe", {"temperature": 1.0}),
    "tencent/Hy3": ("recipe", {"temperature": 0.9, "top_p": 1.0}),
    "Qwen/Qwen3-Coder-Next": ("unverified", {"temperature": 1.0, "top_p": 0.95, "top_k": 40}),
    "mistralai/Devstral-Small-2-24B-Instruct-2512": ("third-party", {"temperature": 0.15}),
}


def found(model: str) -> Family:
    match = REGISTRY.match(model)
    assert match is not None, model
    return match.family


def test_the_names_of_vllms_parsers_are_all_there() -> None:
    assert (len(PARSERS["tool"]), len(PARSERS["reasoning"])) == (58, 42)
    for names in (PARSERS["tool"], PARSERS["reasoning"]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("family", ROWS, ids=lambda family: family.name)
def test_every_parser_is_one_of_vllms(family: Family) -> None:
    assert set(syntaxes_of(family)) <= set(PARSERS["tool"])
    assert {family.reasoning_parser} - {""} <= set(PARSERS["reasoning"])


@pytest.mark.parametrize("family", ROWS, ids=lambda family: family.name)
def test_every_row_is_found_and_founded(family: Family) -> None:
    assert family.evidence
    assert family.examples
    assert {example: found(example).name for example in family.examples} == dict.fromkeys(family.examples, family.name)


@pytest.mark.parametrize("family", [family for family in ROWS if family.template_has], ids=lambda family: family.name)
def test_every_template_is_found(family: Family) -> None:
    match = REGISTRY.match("served", template=" ".join(family.template_has))
    assert match is not None
    assert match.family.name == family.name


@pytest.mark.parametrize("model", CHECKPOINTS)
def test_the_known_checkpoints_find_their_row(model: str) -> None:
    family = found(model)
    assert (family.tool_parser, family.reasoning_parser, family.min_version, family.context) == CHECKPOINTS[model]


@pytest.mark.parametrize("model", CHECKPOINTS)
def test_sampling_is_sent_only_where_a_recipe_or_a_card_gives_it(model: str) -> None:
    family = found(model)
    status, values = SAMPLING.get(model, ("", {}))
    sent = family.sent_sampling
    told = {name: getattr(sent, name) for name in ("temperature", "top_p", "top_k") if getattr(sent, name) is not None}
    assert told == (values if status in ("recipe", "card") else {})
    if status:
        assert family.sampling is not None
        assert family.sampling.status is SamplingStatus(status)


def test_all_checkpoints_are_there() -> None:
    assert len(CHECKPOINTS) == 59


def test_no_two_rows_have_a_pattern_in_common() -> None:
    seen: dict[str, Any] = {}
    for family in ROWS:
        for glob in family.match:
            assert seen.setdefault(glob, family.name) == family.name
