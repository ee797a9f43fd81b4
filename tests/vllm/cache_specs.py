"""Runs in vLLM's interpreter: what its own cache specs say of layers, as JSON in and out. Imports nothing of ours.

A case is {"block", "tokens", "in_flight", "fp8", "cards", "layers": [...]} with layers as in models.toml. The answer
has, for each layer, the bytes of a page of one block, of one request, and of a state before it is padded.
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
from vllm.v1.kv_cache_interface import (  # pyright: ignore[reportMissingImports]
    FullAttentionSpec,
    MambaSpec,
    MLAAttentionSpec,
    SlidingWindowSpec,
)

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


def answer(case: dict[str, Any]) -> list[dict[str, int]]:
    config = SimpleNamespace(
        model_config=SimpleNamespace(max_model_len=case["tokens"]),
        parallel_config=SimpleNamespace(decode_context_parallel_size=1),
        cache_config=SimpleNamespace(mamba_cache_mode="align"),
        max_in_flight_tokens=case["in_flight"],
    )
    attention = [spec(one, case, None) for one in case["layers"] if one["kind"] in ("attention", "latent")]
    padded = min((one.page_size_bytes for one in attention), default=None)
    found: list[dict[str, int]] = []
    for layer in case["layers"]:
        one = spec(layer, case, padded)
        bare = one.real_page_size_bytes if isinstance(one, MambaSpec) else 0
        request = one.max_memory_usage_bytes(config)
        found.append({"page": one.page_size_bytes, "request": request, "state": bare})
    return found


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    sys.stdout.write("\n" + json.dumps({"version": __version__, "answers": [answer(case) for case in cases]}) + "\n")
