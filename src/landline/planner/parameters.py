"""How many parameters a model has, counted from its config.json: for weights whose files are not there. Estimated.

Matrices alone: norms, biases, convolutions and what looks at pictures are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from landline.planner.shape import AttentionLayers, GatedDeltaLayers, LatentLayers, Layers, MambaLayers

if TYPE_CHECKING:
    from landline.planner.model_config import Config

_FEEDS = "-E"  # the layers of Nemotron-H's pattern that are no attention and no state


def count_parameters(config: Config, layers: Sequence[Layers]) -> int:
    embedding = (config.vocab_size or 0) * config.hidden_size * (1 if config.tie_word_embeddings else 2)
    return embedding + sum(one.layers * _mixing(config, one) for one in layers) + _feeds(config)


def _feeds(config: Config) -> int:
    """Behind each layer, or in layers of their own."""
    pattern = config.hybrid_override_pattern
    count = sum(letter in _FEEDS for letter in pattern) if pattern else config.num_hidden_layers
    dense = min(config.first_k_dense_replace or 0, count) if _experts(config) else count
    width = config.intermediate_size or 4 * config.hidden_size
    return dense * 3 * config.hidden_size * width + (count - dense) * _expert_layer(config)


def _experts(config: Config) -> int:
    return config.num_experts or config.n_routed_experts or config.num_local_experts or 0


def _expert_layer(config: Config) -> int:
    width = config.moe_intermediate_size or config.intermediate_size or 4 * config.hidden_size
    shared = config.shared_expert_intermediate_size or (config.n_shared_experts or 0) * width
    return 3 * config.hidden_size * (_experts(config) * width + shared) + config.hidden_size * _experts(config)


def _mixing(config: Config, layer: Layers) -> int:
    """What mixes the tokens, in one layer."""
    hidden, heads = config.hidden_size, config.num_attention_heads
    match layer:
        case AttentionLayers():
            gates = heads if config.attn_output_gate else 0
            return hidden * layer.head_dim * (2 * heads + 2 * layer.kv_heads + gates)
        case LatentLayers():
            return _latent(config)
        case GatedDeltaLayers():
            keys, values = layer.key_heads * layer.head_dim, layer.value_heads * (layer.value_dim or layer.head_dim)
            return hidden * (2 * keys + 3 * values + 2 * layer.value_heads)
        case MambaLayers():
            inner = layer.heads * layer.head_dim
            return hidden * (3 * inner + 2 * layer.groups * layer.state + layer.heads)


def _latent(config: Config) -> int:
    hidden, heads = config.hidden_size, config.num_attention_heads
    rank, rope = config.kv_lora_rank or 0, config.qk_rope_head_dim or 64
    nope, value = config.qk_nope_head_dim or 128, config.v_head_dim or 128
    queries = heads * (rope + nope)
    asked = config.q_lora_rank * (hidden + queries) if config.q_lora_rank else hidden * queries
    return asked + hidden * (rank + rope) + rank * heads * (nope + value) + heads * value * hidden
