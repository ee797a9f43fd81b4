"""Runs in vLLM's interpreter: what its own cache specs say of layers, as JSON in and out. Imports nothing of ours.

A case is {"block", "tokens", "in_flight", "fp8", "cards", "pool", "layers": [...]} with layers as in models.toml. The
answer has, for each layer, the bytes of a page of one block, of one request, and of a state before it is padded; and
how many requests of that length a pool of so many bytes holds.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from vllm import __version__  # pyright: ignore[reportMissingImports]
from vllm.model_executor.layers.mamba.mamba_utils import (  # pyright: ignore[reportMissingImports]
    MambaStateShapeCalculator,
)
from vllm.v1.core.kv_cache_utils import (  # pyright: ignore[reportMissingImports]
    get_max_concurrency_for_kv_cache_config,
)
from vllm.v1.kv_cache_interface import (  # pyright: ignore[reportMissingImports]
    FullAttentionSpec,
    MambaSpec,
    MLAAttentionSpec,
    SlidingWindowSpec,
)
from vllm.v1.kv_cache_layout import KVCacheLayout  # pyright: ignore[reportMissingImports]

try:
    from vllm.v1.core.kv_cache_planning import (  # pyright: ignore[reportMissingImports]
        _get_kv_cache_bytes_per_block,
        get_kv_cache_groups,
    )
except ModuleNotFoundError:  # before 0.33
    from vllm.v1.core.kv_cache_utils import (  # pyright: ignore[reportMissingImports]
        _get_kv_cache_bytes_per_block,
        get_kv_cache_groups,
    )

LAYOUT = KVCacheLayout.LBHNC
STATE_TYPES = (torch.bfloat16, torch.float32)


def spec(layer: dict[str, Any], case: dict[str, Any], padded: int | None) -> Any:
    block, cards = case["block"], case["cards"]
    kind = torch.uint8 if case["fp8"] else torch.bfloat16
    if layer["kind"] == "gated_delta":
        shapes = MambaStateShapeCalculator.gated_delta_net_state_shape(
            cards,
            layer["key_heads"],
            layer["value_heads"],
            layer["head_dim"],
            layer["value_dim"] or layer["head_dim"],
            layer["kernel"],
        )
    elif layer["kind"] == "mamba2":
        shapes = MambaStateShapeCalculator.mamba2_state_shape(
            cards,
            layer["heads"] * layer["head_dim"],
            layer["groups"],
            layer["heads"],
            layer["head_dim"],
            layer["state"],
            layer["kernel"],
        )
    elif layer["kind"] == "latent":
        return MLAAttentionSpec(
            block_size=block, num_kv_heads=1, head_size=layer["rank"] + layer["rope_dim"], dtype=kind
        )
    else:
        heads = max(1, layer["kv_heads"] // cards)  # ModelConfig.get_num_kv_heads
        common = {"block_size": block, "num_kv_heads": heads, "head_size": layer["head_dim"], "dtype": kind}
        if layer["window"]:
            return SlidingWindowSpec(**common, sliding_window=layer["window"], dcp_sharded=False)
        return FullAttentionSpec(**common)
    return MambaSpec(
        block_size=block, shapes=shapes, dtypes=STATE_TYPES, mamba_cache_mode="align", page_size_padded=padded
    )


def stand_in(case: dict[str, Any]) -> Any:
    """As much of vLLM's configuration as these computations ask for."""
    return SimpleNamespace(
        model_config=SimpleNamespace(max_model_len=case["tokens"]),
        parallel_config=SimpleNamespace(decode_context_parallel_size=1, tensor_parallel_size=case["cards"]),
        cache_config=SimpleNamespace(mamba_cache_mode="align", get_resolved_kv_cache_layout=lambda: LAYOUT),
        scheduler_config=SimpleNamespace(disable_hybrid_kv_cache_manager=False),
        attention_config=SimpleNamespace(hisparse_config=None),
        speculative_config=None,
        max_in_flight_tokens=case["in_flight"],
    )


def answer(case: dict[str, Any]) -> dict[str, Any]:
    config = stand_in(case)
    attention = [spec(one, case, None) for one in case["layers"] if one["kind"] in ("attention", "latent")]
    padded = min((one.page_size_bytes for one in attention), default=None)
    specs = [spec(layer, case, padded) for layer in case["layers"]]
    layers = [
        {
            "page": one.page_size_bytes,
            "request": one.max_memory_usage_bytes(config),
            "state": one.real_page_size_bytes if isinstance(one, MambaSpec) else 0,
        }
        for one in specs
    ]
    named = [one for one, layer in zip(specs, case["layers"], strict=True) for _ in range(layer["layers"])]
    groups = get_kv_cache_groups(config, {f"layers.{number}.attn": one for number, one in enumerate(named)})
    blocks = case["pool"] // _get_kv_cache_bytes_per_block(groups, LAYOUT)
    pool = SimpleNamespace(num_blocks=blocks, kv_cache_groups=groups)
    return {"layers": layers, "requests": get_max_concurrency_for_kv_cache_config(config, pool)}


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    sys.stdout.write("\n" + json.dumps({"version": __version__, "answers": [answer(case) for case in cases]}) + "\n")
