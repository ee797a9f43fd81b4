"""How many parameters a model has, counted from its config.json: for weights whose files are not there. Estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landline.planner.model_config import Config


def count_parameters(config: Config) -> int:
    """Matrices alone: norms, biases and what looks at pictures are left out."""
    hidden, layers = config.hidden_size, config.num_hidden_layers
    embedding = (config.vocab_size or 0) * hidden * (1 if config.tie_word_embeddings else 2)
    dense = min(config.first_k_dense_replace or 0, layers) if _experts(config) else layers
    feeds = dense * 3 * hidden * (config.intermediate_size or 4 * hidden) + (layers - dense) * _expert_layer(config)
    return embedding + layers * _attention(config) + feeds


def _experts(config: Config) -> int:
    return config.num_experts or config.n_routed_experts or config.num_local_experts or 0


def _expert_layer(config: Config) -> int:
    width = config.moe_intermediate_size or config.intermediate_size or 4 * config.hidden_size
    shared = config.shared_expert_intermediate_size or (config.n_shared_experts or 0) * width
    return 3 * config.hidden_size * (_experts(config) * width + shared) + config.hidden_size * _experts(config)


def _attention(config: Config) -> int:
    hidden, heads = config.hidden_size, config.num_attention_heads
    if config.kv_lora_rank:
        rope, nope = config.qk_rope_head_dim or 64, config.qk_nope_head_dim or 128
        value = config.v_head_dim or 128
        queries = heads * (rope + nope)
        asked = config.q_lora_rank * (hidden + queries) if config.q_lora_rank else hidden * queries
        held = hidden * (config.kv_lora_rank + rope) + config.kv_lora_rank * heads * (nope + value)
        return asked + held + heads * value * hidden
    return 2 * hidden * config.width * (heads + config.kv_heads)
