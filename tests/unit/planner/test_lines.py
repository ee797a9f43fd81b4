"""The flags of a plan: those that agents need, each once, each with a reason; and the lines of other servers."""

from __future__ import annotations

import msgspec
import pytest

from landline.planner.catalogue import Precision
from landline.planner.decision import Refusal, Wish
from landline.planner.templates import template_of
from tests.unit.planner.models import has, model, outcome, planned, shape, value

QWEN = "Qwen/Qwen3.6-27B"
GPT = "openai/gpt-oss-20b"


def test_what_an_agent_needs_is_there() -> None:
    found = planned(QWEN, "RTX 5090")
    assert value(found, "--tool-call-parser") == "qwen3_coder"
    assert value(found, "--reasoning-parser") == "qwen3"
    assert value(found, "--max-model-len") == "131072"
    for switch in ("--enable-auto-tool-choice", "--enable-prefix-caching", "--enable-prompt-tokens-details"):
        assert value(found, switch) is None
    assert value(found, "--host") == "127.0.0.1"
    assert ("VLLM_NO_USAGE_STATS", "1") in [(one.name, one.value) for one in found.environment]


@pytest.mark.parametrize("name", [QWEN, GPT, "deepseek-ai/DeepSeek-V3.1", "moonshotai/Kimi-K2.6", "zai-org/GLM-4.7"])
def test_every_flag_is_there_once_and_has_a_reason(name: str) -> None:
    found = planned(name, "B200x8", Wish(sessions=2))
    names = [flag.name for flag in found.flags]
    assert len(names) == len(set(names))
    assert all(flag.why for flag in found.flags)
    assert all(one.why for one in found.environment)


def test_row_6_03_states_are_cached_at_aligned_boundaries() -> None:
    found = planned(QWEN, "RTX 5090")
    assert has(found, "--enable-prefix-caching")
    assert value(found, "--mamba-cache-mode") == "align"
    assert "steps of 1,568 tokens" in next(flag.why for flag in found.flags if flag.name == "--mamba-cache-mode")
    assert int(value(found, "--max-num-batched-tokens") or 0) >= 1568
    assert any("must show hits" in note for note in found.notes)
    assert not has(planned(GPT, "RTX 5090"), "--mamba-cache-mode")


def test_a_step_of_a_batch_is_never_shorter_than_a_block() -> None:
    """vLLM refuses to align states at blocks that no step reaches."""
    wide = msgspec.structs.replace(
        model(QWEN), parameters_b=8, shape=shape("Qwen/Qwen3.8-2.4T-A95B"), checkpoints=model(QWEN).checkpoints[1:2]
    )
    light = msgspec.structs.replace(wide.checkpoints[0], weights_gib=0, recipe_gb=0)
    found = planned(msgspec.structs.replace(wide, checkpoints=(light,)), "RTX 5090", Wish(context=131_072, sessions=2))
    block = next(number.value for number in found.numbers if number.name == "step of reuse")
    assert block == 4160
    assert value(found, "--max-num-batched-tokens") == "4160"


def test_several_who_share_it_have_priorities() -> None:
    assert not has(planned(QWEN, "H200"), "--scheduling-policy")
    shared = planned(QWEN, "H200", Wish(sessions=4))
    assert value(shared, "--scheduling-policy") == "priority"
    assert int(value(shared, "--max-num-seqs") or 0) >= 8


def test_the_number_of_requests_is_bounded_on_both_sides() -> None:
    assert value(planned(QWEN, "RTX 5090"), "--max-num-seqs") == "4"
    assert value(planned(GPT, "B200x8"), "--max-num-seqs") == "256"


def test_the_recipe_adds_what_only_it_knows() -> None:
    found = planned("deepseek-ai/DeepSeek-V3.1", "H200x8")
    assert has(found, "--enable-expert-parallel")
    assert value(found, "--chat-template") == "tool_chat_template_deepseekv31.jinja"
    assert found.template is not None
    assert len(found.template.sha256) == 64
    assert found.template.url.startswith("https://raw.githubusercontent.com/vllm-project/vllm/v")


def test_recipe_flags_have_dashes_and_their_values() -> None:
    found = planned("mistralai/Devstral-Small-2-24B-Instruct-2512", "RTX PRO 6000")
    given = {flag.name: flag.value for flag in found.flags}
    assert not any("_" in name for name in given)
    glm = planned(msgspec.structs.replace(model("zai-org/GLM-5"), shape=shape("deepseek-ai/DeepSeek-V3.2")), "B200x8")
    assert value(glm, "--chat-template-content-format") == "string"


def test_a_family_that_fixes_the_cache_type_has_it_once() -> None:
    fixed = msgspec.structs.replace(model("zai-org/GLM-5.2"), shape=shape("deepseek-ai/DeepSeek-V3.2"))
    assert value(planned(fixed, "B200x8"), "--kv-cache-dtype") == "fp8"


def test_unknown_families_and_those_without_calls_are_told() -> None:
    strange = msgspec.structs.replace(model(QWEN), id="who/knows")
    found = planned(strange, "H100")
    assert not has(found, "--tool-call-parser")
    assert any("no family is known" in note for note in found.notes)


def test_large_weights_are_waited_for() -> None:
    def waits(name: str, gpu: str) -> list[str]:
        found = planned(name, gpu).environment
        return [one.value for one in found if one.name == "VLLM_ENGINE_READY_TIMEOUT_S"]

    assert waits(QWEN, "H200") == []
    assert waits("zai-org/GLM-4.7", "H200x8") == ["3600"]
    assert waits("Qwen/Qwen3.8-2.4T-A95B", "B200x16") == ["3600"]


def test_a_template_is_known_by_the_path_of_the_recipe() -> None:
    assert template_of("examples/tool_chat_template_gemma4.jinja") is not None
    assert template_of("tool_chat_template_gemma4.jinja") is None
    assert template_of("examples/other.jinja") is None


def test_row_6_09_llama_cpp_has_slots_for_side_calls() -> None:
    found = planned(GPT, "apple-64gb", engine="llama.cpp")
    assert int(value(found, "--parallel") or 0) >= 3
    assert value(found, "--cache-reuse") == "256"
    assert value(found, "--ctx-size") == "131072"
    assert has(found, "--kv-unified")
    several = planned(GPT, "apple-64gb", Wish(sessions=2), engine="llama.cpp")
    assert (value(several, "--parallel"), value(several, "--ctx-size")) == ("4", "262144")


def test_row_6_10_llama_cpp_keeps_whole_windows() -> None:
    assert has(planned(GPT, "apple-64gb", engine="llama.cpp"), "--swa-full")
    assert not has(planned("Qwen/Qwen3.5-9B", "apple-64gb", engine="llama.cpp"), "--swa-full")


def test_a_model_that_is_published_in_four_bits_stays_so() -> None:
    assert planned(GPT, "apple-36gb", engine="llama.cpp").precision == "mxfp4"
    assert planned("Qwen/Qwen3.6-27B", "apple-36gb", engine="llama.cpp").precision in ("q4_k_m", "q5_k_m", "q6_k")


def test_a_smaller_cache_of_llama_cpp_needs_flash_attention() -> None:
    found = planned("Qwen/Qwen3.6-27B", "apple-36gb", Wish(context=131_072), engine="llama.cpp")
    assert found.kv_type == "q8_0"
    assert value(found, "--flash-attn") == "on"


def test_ollama_is_told_its_window() -> None:
    found = planned(GPT, "apple-64gb", Wish(sessions=2), engine="ollama")
    given = {one.name: one.value for one in found.environment}
    assert given["OLLAMA_CONTEXT_LENGTH"] == "131072"
    assert given["OLLAMA_NUM_PARALLEL"] == "2"
    assert found.checkpoint == "gpt-oss:20b"
    assert planned(QWEN, "apple-64gb", engine="ollama").precision == "q4_k_m"


def test_a_mac_that_is_too_small_says_so() -> None:
    found = outcome("openai/gpt-oss-120b", "apple-24gb", engine="llama.cpp")
    assert isinstance(found, Refusal)
    with pytest.raises(Exception, match="No fp8 checkpoint"):
        outcome(QWEN, "apple-64gb", Wish(precision=Precision.FP8), engine="llama.cpp")
