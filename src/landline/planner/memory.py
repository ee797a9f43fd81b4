"""Bytes of weights and cache, by vLLM 0.33.0's own formulae (v1/kv_cache_interface.py, layers/mamba/mamba_utils.py).

All per card. Symbols in the formulae: TP cards that share the model, b bytes of an element, W window, L length.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from msgspec import Struct

from landline.planner.numbers import divided
from landline.planner.shape import (
    AttentionLayers,
    GatedDeltaLayers,
    LatentLayers,
    Layers,
    MambaLayers,
    Shape,
    StateLayers,
)

BLOCK_TOKENS = 16
CONVOLUTION_BYTES = 2  # bf16
STATE_BYTES = 4  # fp32
SPARSE_FP8_BYTES = 656  # fp8_ds_mla: 512 fp8 + 4 scales of fp32 + 64 bf16
INDEX_GROUP = 128  # elements of an index that share a scale of 4 bytes


class KvType(StrEnum):
    """What the cache's elements are: vLLM's --kv-cache-dtype, and llama.cpp's --cache-type-k and -v."""

    AUTO = "auto"
    FP8 = "fp8"
    F16 = "f16"
    Q8_0 = "q8_0"

    @property
    def element_bytes(self) -> float:
        match self:
            case KvType.AUTO | KvType.F16:
                return 2
            case KvType.FP8:
                return 1
            case KvType.Q8_0:
                return 34 / 32  # 32 values and a scale of 2 bytes


class CacheTerms(Struct, frozen=True, kw_only=True):
    """What the size of a cache depends on beside the model."""

    kv: KvType = KvType.AUTO
    cards: int = 1
    in_flight_tokens: int = 0
    """Tokens of one request that may be scheduled and not yet settled: windows are kept that much longer."""
    aligned: bool = True
    """Prefix caching of states (--mamba-cache-mode align): two states per request instead of one."""
    whole_windows: bool = False
    """Windows are kept whole (llama.cpp's --swa-full)."""


def token_bytes(layer: Layers, terms: CacheTerms) -> float:
    """Of one token in one layer; 0 for a state."""
    match layer:
        case AttentionLayers():
            return 2 * divided(layer.kv_heads, terms.cards) * layer.head_dim * terms.kv.element_bytes
        case LatentLayers():
            index = layer.index_dim + layer.index_dim // INDEX_GROUP * 4
            if layer.sparse and terms.kv is KvType.FP8:
                return SPARSE_FP8_BYTES + index
            return (layer.rank + layer.rope_dim) * terms.kv.element_bytes + index
        case GatedDeltaLayers() | MambaLayers():
            return 0
        case _:
            assert_never(layer)


def state_bytes(layer: StateLayers, cards: int) -> int:
    """Of one state of one request in one layer."""
    match layer:
        case GatedDeltaLayers():
            value_dim = layer.value_dim or layer.head_dim
            mixed = 2 * layer.head_dim * layer.key_heads + value_dim * layer.value_heads
            held = layer.value_heads // cards * value_dim * layer.head_dim
        case MambaLayers():
            # A group that is needed on several cards is there on each.
            groups = layer.groups if layer.groups % cards == 0 else cards
            mixed = layer.heads * layer.head_dim + 2 * groups * layer.state
            held = layer.heads // cards * layer.head_dim * layer.state
    return mixed // cards * (layer.kernel - 1) * CONVOLUTION_BYTES + held * STATE_BYTES


def growing_bytes(shape: Shape, terms: CacheTerms) -> float:
    """What one more token of a long request takes, over all layers that keep every token."""
    return sum(one.layers * token_bytes(one, terms) for one in shape.layers if _grows(one, terms))


def fixed_bytes(shape: Shape, terms: CacheTerms) -> float:
    """States of one request, one of each, without the padding of pages."""
    return sum(one.layers * state_bytes(one, terms.cards) for one in shape.layers if isinstance(one, StateLayers))


def block_tokens(shape: Shape, terms: CacheTerms) -> int:
    """Tokens of a block. With states it is made so large that a layer's page holds a state: the step of reuse."""
    states = [state_bytes(one, terms.cards) for one in shape.layers if isinstance(one, StateLayers)]
    pages = [token_bytes(one, terms) for one in shape.layers if _grows(one, terms)]
    if not states or not pages or not terms.aligned:
        return BLOCK_TOKENS
    return BLOCK_TOKENS * divided(max(states), int(BLOCK_TOKENS * min(pages)))


def request_bytes(shape: Shape, terms: CacheTerms, tokens: int) -> float:
    """What one request of `tokens` holds at its end, in whole blocks."""
    block = block_tokens(shape, terms)
    page = _state_page(shape, terms, block)
    return sum(one.layers * _layer_bytes(one, terms, tokens, block, page) for one in shape.layers)


def _state_page(shape: Shape, terms: CacheTerms, block: int) -> float:
    """Of one layer: all pages of a pool are alike, so that of a state is as large as that of a block."""
    states = [state_bytes(one, terms.cards) for one in shape.layers if isinstance(one, StateLayers)]
    pages = [block * token_bytes(one, terms) for one in shape.layers if _grows(one, terms)]
    return max(states, default=0) if not pages else max(*states, min(pages)) if states else 0


def _layer_bytes(layer: Layers, terms: CacheTerms, tokens: int, block: int, page: float) -> float:
    if isinstance(layer, StateLayers):
        return 2 * page if terms.aligned else state_bytes(layer, terms.cards)
    whole = divided(tokens, block) * block
    if not _grows(layer, terms) and isinstance(layer, AttentionLayers):
        kept = min(layer.window - 1 + terms.in_flight_tokens, tokens)
        whole = (divided(kept, block) + 1) * block
    return whole * token_bytes(layer, terms)


def _grows(layer: Layers, terms: CacheTerms) -> bool:
    if isinstance(layer, StateLayers):
        return False
    return not (isinstance(layer, AttentionLayers) and layer.window) or terms.whole_windows


class Room(Struct, frozen=True, kw_only=True):
    """The memory of one card. GiB as floats are for people; here it is all bytes."""

    total: float
    utilization: float
    weights: float
    activations: float
    graphs: float

    @property
    def cache(self) -> float:
        return self.total * self.utilization - self.weights - self.activations - self.graphs


def longest(shape: Shape, terms: CacheTerms, room_bytes: float, *, sessions: int, limit: int) -> int:
    """The most tokens that each of `sessions` requests can have at once, at most `limit`; 0 where none fit."""

    def fits(tokens: int) -> bool:
        return sessions * request_bytes(shape, terms, tokens) <= room_bytes

    if fits(limit):
        return limit
    low, high = 0, limit  # low fits or is 0, high does not fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
