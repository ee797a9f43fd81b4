"""The sizes of caches, against worked examples made with vLLM 0.33.0's formulae."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.planner.memory import (
    CacheTerms,
    KvType,
    Room,
    block_tokens,
    fixed_bytes,
    growing_bytes,
    longest,
    request_bytes,
    token_bytes,
)
from landline.planner.numbers import GIB, KIB, MIB
from landline.planner.shape import AttentionLayers, Known, LatentLayers, Layers, MambaLayers, Shape
from tests.unit.planner.models import CATALOGUE, shape

LLAMA = Shape(
    attention_heads=32,
    layers=(AttentionLayers(layers=32, kv_heads=8, head_dim=128),),
    status=Known.STATED,
    source="Llama-3.1-8B: 32 layers, 8 KV heads of 128",
)
FP8 = CacheTerms(kv=KvType.FP8)


@pytest.mark.parametrize(
    ("name", "terms", "kib"),
    [
        ("Qwen/Qwen3.6-27B", CacheTerms(), 64),
        ("Qwen/Qwen3.6-27B", FP8, 32),
        ("Qwen/Qwen3-Coder-Next", CacheTerms(), 24),
        ("MiniMaxAI/MiniMax-M2", CacheTerms(), 248),
        ("MiniMaxAI/MiniMax-M2", FP8, 124),
        ("zai-org/GLM-4.7", CacheTerms(), 368),
        ("deepseek-ai/DeepSeek-V3.1", CacheTerms(), 68.6),
        ("moonshotai/Kimi-K2-Instruct", CacheTerms(), 68.6),
        ("openai/gpt-oss-120b", CacheTerms(), 36),
    ],
)
def test_a_token_takes_what_the_worked_example_says(name: str, terms: CacheTerms, kib: float) -> None:
    assert growing_bytes(shape(name), terms) / KIB == pytest.approx(kib, abs=0.05)


def test_grouped_attention_of_llama() -> None:
    assert growing_bytes(LLAMA, CacheTerms()) == 128 * KIB


def test_sparse_latent_attention_has_656_bytes_a_layer_and_its_index() -> None:
    layer = LatentLayers(layers=61, rank=512, rope_dim=64, sparse=True, index_dim=128)
    assert token_bytes(layer, FP8) == 656 + 132
    assert pytest.approx(39.1, abs=0.05) == 61 * 656 / KIB
    assert token_bytes(layer, CacheTerms()) == 2 * 576 + 132


@pytest.mark.parametrize(("name", "mib"), [("Qwen/Qwen3.6-27B", 146.8), ("Qwen/Qwen3-Coder-Next", 73.7)])
def test_states_take_what_the_worked_example_says(name: str, mib: float) -> None:
    assert fixed_bytes(shape(name), CacheTerms()) / MIB == pytest.approx(mib, abs=0.05)


def test_a_mamba_state_is_that_of_vllm() -> None:
    """Nemotron-H's numbers: conv (64 x 64 + 2 x 8 x 128) x 3 in bf16, ssm 64 x 64 x 128 in fp32; halves on two."""
    layer = MambaLayers(layers=1, heads=64, head_dim=64, groups=8, state=128, kernel=4)
    one = Shape(attention_heads=32, layers=(layer,), status=Known.READ, source="")
    assert fixed_bytes(one, CacheTerms()) == 6144 * 3 * 2 + 64 * 64 * 128 * 4
    assert fixed_bytes(one, CacheTerms(cards=2)) == fixed_bytes(one, CacheTerms()) / 2


def test_windows_keep_what_is_in_flight_too() -> None:
    """The example has 292 MiB at 8,192 tokens, without the rounding to blocks that vLLM adds: 1 to 2 blocks of 16."""
    one = shape("openai/gpt-oss-120b")
    windowed = CacheTerms(in_flight_tokens=8192)
    grown = growing_bytes(one, windowed) * 131_072
    term = request_bytes(one, windowed, 131_072) - grown
    assert term == 18 * (-(-(127 + 8192) // 16) + 1) * 16 * 2048
    assert 292 <= term / MIB < 294


def test_windows_that_are_kept_whole_grow() -> None:
    one = shape("openai/gpt-oss-120b")
    assert growing_bytes(one, CacheTerms(whole_windows=True)) == 2 * growing_bytes(one, CacheTerms())


def test_blocks_of_hybrid_models_are_those_that_are_reported() -> None:
    """Public reports say 528 to 2,096 tokens; vLLM makes a layer's page as large as a state."""
    assert block_tokens(shape("Qwen/Qwen3.5-9B"), CacheTerms()) == 528
    assert block_tokens(shape("Qwen/Qwen3.6-27B"), CacheTerms()) == 784
    assert block_tokens(shape("Qwen/Qwen3.6-35B-A3B"), FP8) == 2096
    assert block_tokens(LLAMA, CacheTerms()) == 16


def test_a_card_more_halves_heads_but_never_latent_vectors() -> None:
    assert growing_bytes(LLAMA, CacheTerms(cards=2)) == 64 * KIB
    assert growing_bytes(LLAMA, CacheTerms(cards=16)) == growing_bytes(LLAMA, CacheTerms(cards=8)) == 16 * KIB
    latent = shape("deepseek-ai/DeepSeek-V3.1")
    assert growing_bytes(latent, CacheTerms(cards=8)) == growing_bytes(latent, CacheTerms())


@pytest.mark.parametrize(
    ("total", "weights", "free", "tokens", "sessions"),
    [(31.8, 22, 5.8, 188_612, 1.4), (95, 29, 56.9, 1_864_499, 13.7), (139.8, 29, 98.1, 3_215_065, 23.7)],
)
def test_the_worked_example_of_capacity(
    total: float, weights: float, free: float, tokens: int, sessions: float
) -> None:
    """Qwen3.6-27B, fp8 cache, 0.92 of the card, 1.5 GiB of activations, no CUDA graphs, one state a request."""
    room = Room(total=total * GIB, utilization=0.92, weights=weights * GIB, activations=1.5 * GIB, graphs=0)
    one, terms = shape("Qwen/Qwen3.6-27B"), CacheTerms(kv=KvType.FP8, aligned=False)
    assert room.cache / GIB == pytest.approx(free, abs=0.05)
    assert int(room.cache / growing_bytes(one, terms)) == pytest.approx(tokens, abs=1)
    assert room.cache / request_bytes(one, terms, 131_072) == pytest.approx(sessions, abs=0.05)


SHAPES = [one.shape for one in CATALOGUE.models if one.shape is not None]


@given(
    st.sampled_from(SHAPES),
    st.builds(
        CacheTerms,
        kv=st.sampled_from(KvType),
        cards=st.sampled_from([1, 2, 4, 8]),
        in_flight_tokens=st.integers(0, 20_000),
        aligned=st.booleans(),
        whole_windows=st.booleans(),
    ),
    st.integers(1, 300_000),
    st.integers(1, 8),
)
def test_the_longest_request_fits_and_one_token_more_does_not(
    one: Shape, terms: CacheTerms, tokens: int, sessions: int
) -> None:
    room = sessions * request_bytes(one, terms, tokens)
    most = longest(one, terms, room, sessions=sessions, limit=400_000)
    assert most >= tokens
    assert sessions * request_bytes(one, terms, most) <= room
    assert most == 400_000 or sessions * request_bytes(one, terms, most + 1) > room


@given(st.sampled_from(SHAPES), st.integers(1, 200_000), st.integers(0, 5_000))
def test_a_longer_request_never_takes_less(one: Shape, tokens: int, more: int) -> None:
    terms = CacheTerms(in_flight_tokens=8192)
    assert request_bytes(one, terms, tokens + more) >= request_bytes(one, terms, tokens)


def test_nothing_fits_into_nothing() -> None:
    assert longest(LLAMA, CacheTerms(), -1, sessions=1, limit=1000) == 0


def test_every_kind_of_layer_is_in_the_tests() -> None:
    seen = {type(layer) for one in SHAPES for layer in one.layers}
    assert seen == set(get_args(Layers))
