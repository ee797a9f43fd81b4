"""Config files: those of known models give the shapes of the table, and what strangers wrote gives a clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import LandlineError
from landline.planner.catalogue import Precision
from landline.planner.memory import CacheTerms, growing_bytes
from landline.planner.model_config import MOST_BYTES, model_of_config
from landline.planner.shape import AttentionLayers, GatedDeltaLayers, LatentLayers, MambaLayers, Shape
from tests.unit.planner.models import model, shape

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
QWEN: dict[str, Any] = {
    "text_config": {
        "model_type": "qwen3_5",
        "hidden_size": 5120,
        "intermediate_size": 17408,
        "num_hidden_layers": 64,
        "num_attention_heads": 24,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "full_attention_interval": 4,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 48,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
        "attn_output_gate": True,
        "vocab_size": 248320,
        "max_position_embeddings": 262144,
    },
    "vision_config": {"num_hidden_layers": 27, "num_attention_heads": 16},
}
DEEPSEEK: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "first_k_dense_replace": 3,
    "vocab_size": 129280,
    "max_position_embeddings": 163840,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}
GPT_OSS: dict[str, Any] = {
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 32,
    "vocab_size": 201088,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "max_position_embeddings": 131072,
    "quantization_config": {"quant_method": "mxfp4"},
}


def read(config: dict[str, Any]) -> Shape:
    found = model_of_config(json.dumps(config).encode(), name="m").shape
    assert found is not None
    return found


def test_llama() -> None:
    found = model_of_config(json.dumps(LLAMA).encode(), name="m")
    assert found.shape is not None
    assert found.shape.status.is_exact
    assert growing_bytes(found.shape, CacheTerms()) == 128 * 1024
    assert found.context == 131072
    assert found.parameters_b == pytest.approx(8.03, abs=0.01)
    assert found.checkpoints[0].precision is Precision.BF16


@pytest.mark.parametrize(
    ("config", "name"),
    [(QWEN, "Qwen/Qwen3.6-27B"), (DEEPSEEK, "deepseek-ai/DeepSeek-V3.1"), (GPT_OSS, "openai/gpt-oss-20b")],
)
def test_a_config_gives_the_shape_of_the_table(config: dict[str, Any], name: str) -> None:
    def by_kind(one: Shape) -> list[Any]:
        return sorted(one.layers, key=repr)

    read_layers = [
        GatedDeltaLayers(**{**_fields(one), "value_dim": 0}) if isinstance(one, GatedDeltaLayers) else one
        for one in by_kind(read(config))
    ]
    assert sorted(read_layers, key=repr) == by_kind(shape(name))
    assert read(config).attention_heads == shape(name).attention_heads


def _fields(one: GatedDeltaLayers) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@pytest.mark.parametrize(("config", "billions"), [(QWEN, 27), (DEEPSEEK, 671), (GPT_OSS, 21)])
def test_parameters_are_counted_near_enough(config: dict[str, Any], billions: float) -> None:
    counted = model_of_config(json.dumps(config).encode(), name="m").parameters_b
    assert counted == pytest.approx(billions, rel=0.03)


def test_gemma_has_other_heads_in_its_full_layers() -> None:
    config = LLAMA | {
        "layer_types": ["sliding_attention"] * 27 + ["full_attention"] * 5,
        "sliding_window": 1024,
        "head_dim": 256,
        "num_key_value_heads": 16,
        "global_head_dim": 512,
        "num_global_key_value_heads": 4,
    }
    assert set(read(config).layers) == {
        AttentionLayers(layers=27, kv_heads=16, head_dim=256, window=1024),
        AttentionLayers(layers=5, kv_heads=4, head_dim=512),
    }


def test_nemotron_says_its_layers_in_letters() -> None:
    config = LLAMA | {
        "hybrid_override_pattern": "MEM*EM-*",
        "mamba_num_heads": 64,
        "mamba_head_dim": 64,
        "ssm_state_size": 128,
        "n_groups": 8,
        "conv_kernel": 4,
        "head_dim": 128,
        "num_key_value_heads": 2,
    }
    assert set(read(config).layers) == {
        MambaLayers(layers=3, heads=64, head_dim=64, groups=8, state=128, kernel=4),
        AttentionLayers(layers=2, kv_heads=2, head_dim=128),
    }


def test_sparse_layers_that_share_an_index_have_none() -> None:
    sparse = DEEPSEEK | {"index_head_dim": 128, "indexer_types": ["full", "shared", "shared", "shared"] * 15 + ["full"]}
    assert read(sparse).layers == (
        LatentLayers(layers=16, rank=512, rope_dim=64, sparse=True, index_dim=128),
        LatentLayers(layers=45, rank=512, rope_dim=64, sparse=True),
    )
    with pytest.raises(LandlineError, match="indexer_types"):
        read(sparse | {"indexer_types": ["full"]})


def test_a_window_that_is_not_used_is_none() -> None:
    (layer,) = read(LLAMA | {"sliding_window": 4096, "use_sliding_window": False, "model_type": "qwen2"}).layers
    assert isinstance(layer, AttentionLayers)
    assert layer.window == 0
    (layer,) = read(LLAMA | {"sliding_window": 4096, "model_type": "mistral"}).layers
    assert isinstance(layer, AttentionLayers)
    assert layer.window == 4096


@pytest.mark.parametrize(
    ("quantization", "precision"),
    [
        ({"quant_method": "fp8"}, Precision.FP8),
        ({"quant_method": "mxfp4"}, Precision.MXFP4),
        ({"quant_method": "gptq", "bits": 4}, Precision.INT4),
        ({"quant_method": "gptq", "bits": 8}, Precision.INT8),
        ({"quant_method": "awq", "bits": 4}, Precision.INT4),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, Precision.NVFP4),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "nvfp4-pack-quantized",
                "config_groups": {"group_0": {"weights": {"num_bits": 4}}},
            },
            Precision.NVFP4,
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "float-quantized",
                "config_groups": {"group_0": {"weights": {"num_bits": 8}}},
            },
            Precision.FP8,
        ),
        ({"quant_method": "compressed-tensors", "format": "int-quantized"}, Precision.INT8),
        ({"config_groups": [1], "bits": [4]}, Precision.BF16),
        ("fp8", Precision.BF16),
    ],
)
def test_what_the_weights_are(quantization: Any, precision: Precision) -> None:
    content = json.dumps(LLAMA | {"quantization_config": quantization}).encode()
    assert model_of_config(content, name="m").checkpoints[0].precision is precision


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"text_config":' * 50_000, "not valid JSON"),
        (b" " * (MOST_BYTES + 1), "larger than 4 MiB"),
        (b"{}", "num_hidden_layers"),
    ],
)
def test_what_is_no_config_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(LandlineError, match=words) as caught:
        model_of_config(content, name="m")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"num_hidden_layers": -1}, "num_hidden_layers"),
        ({"num_hidden_layers": 10**30}, "num_hidden_layers|JSON"),
        ({"num_hidden_layers": 1.5}, "num_hidden_layers"),
        ({"num_hidden_layers": "32"}, "num_hidden_layers"),
        ({"num_hidden_layers": True}, "num_hidden_layers"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"head_dim": 10**9}, "head_dim"),
        ({"num_key_value_heads": [8, 8]}, "num_key_value_heads"),
        ({"max_position_embeddings": -5}, "max_position_embeddings"),
        ({"layer_types": ["full_attention"] * 10_001}, "layer_types"),
        ({"layer_types": ["\x1b[31mevil"]}, "of the kind"),
        ({"layer_types": ["linear_attention"]}, "linear attention without"),
        ({"layer_types": ["mamba"]}, "Mamba layers without"),
        ({"hybrid_override_pattern": "----"}, "none of its layers keeps a cache"),
        ({"compress_ratios": [4, 128]}, "compress_ratios"),
        ({"text_config": {"block_configs": [{}]}}, "block_configs"),
    ],
)
def test_numbers_out_of_bounds_and_unknown_layers_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(LandlineError, match=words) as caught:
        model_of_config(json.dumps(LLAMA | change).encode(), name="m")
    assert "\x1b" not in caught.value.message
    assert caught.value.hint


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*QWEN, *LLAMA]), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.sampled_from([LLAMA, DEEPSEEK, GPT_OSS, QWEN]),
    st.dictionaries(
        st.sampled_from([*LLAMA, *DEEPSEEK, *QWEN["text_config"], "layer_types", "sliding_window", "text_config"]),
        json_values,
        max_size=3,
    ),
)
def test_any_value_in_any_field_is_read_or_refused(config: dict[str, Any], changes: dict[str, Any]) -> None:
    content = json.dumps(config | changes, allow_nan=False, default=str) if _finite(changes) else "nan"
    try:
        found = model_of_config(content.encode("utf-8", "replace"), name="m")
    except LandlineError as error:
        assert error.hint
    else:
        assert found.shape is not None
        assert growing_bytes(found.shape, CacheTerms()) >= 0


def _finite(changes: object) -> bool:
    try:
        json.dumps(changes, allow_nan=False)
    except ValueError:
        return False
    return True


def test_weights_that_are_there_are_exact() -> None:
    found = model_of_config(json.dumps(LLAMA).encode(), name="m", weights_bytes=16_060_522_496)
    assert found.checkpoints[0].weights_bytes == 16_060_522_496
    assert model("Qwen/Qwen3.6-27B").checkpoints[0].weights_bytes == 0
