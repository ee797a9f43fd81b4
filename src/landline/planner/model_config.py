"""A model's own config.json, as far as it decides memory. Whoever wrote it is not trusted: each number has bounds.

What says how the cache grows and is not understood here is an error, never a guess.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from landline.errors import ErrorKind, LandlineError
from landline.planner.catalogue import Checkpoint, Model, Precision
from landline.planner.parameters import count_parameters
from landline.planner.shape import (
    AttentionLayers,
    Count,
    GatedDeltaLayers,
    Known,
    LatentLayers,
    Layers,
    MambaLayers,
    Shape,
    Tokens,
)

MOST_BYTES = 4 * 1024 * 1024
MOST_LAYERS = 10_000
_INNER = ("text_config", "llm_config", "language_config")
# Keys of layouts that are not modelled: the cache of such a model is not that of any kind of layer known here.
_UNKNOWN = ("compress_ratios", "block_configs", "per_layer_config", "attn_config", "num_kv_shared_layers")


class Config(Struct, frozen=True, kw_only=True):
    """The names of transformers; null where a config says so."""

    num_hidden_layers: Annotated[int, Meta(ge=1, le=MOST_LAYERS)]
    num_attention_heads: Count
    hidden_size: Count
    num_key_value_heads: Count | None = None
    num_attention_groups: Count | None = None  # Step
    head_dim: Count | None = None
    max_position_embeddings: Tokens | None = None
    vocab_size: Count | None = None
    intermediate_size: Count | None = None
    tie_word_embeddings: bool | None = None
    model_type: str = ""

    layer_types: Annotated[tuple[str, ...], Meta(max_length=MOST_LAYERS)] | None = None
    full_attention_interval: Count | None = None
    sliding_window: Tokens | None = None
    use_sliding_window: bool | None = None
    sliding_window_pattern: Count | None = None
    global_head_dim: Count | None = None  # Gemma 4: of its full layers
    num_global_key_value_heads: Count | None = None

    attn_output_gate: bool | None = None  # Qwen3.5: as many parameters again as the queries have

    kv_lora_rank: Count | None = None
    q_lora_rank: Count | None = None
    qk_rope_head_dim: Count | None = None
    qk_nope_head_dim: Count | None = None
    v_head_dim: Count | None = None
    index_head_dim: Count | None = None
    indexer_types: Annotated[tuple[str, ...], Meta(max_length=MOST_LAYERS)] | None = None  # GLM-5.2

    linear_num_key_heads: Count | None = None
    linear_num_value_heads: Count | None = None
    linear_key_head_dim: Count | None = None
    linear_value_head_dim: Count | None = None
    linear_conv_kernel_dim: Annotated[int, Meta(ge=1, le=1_000)] | None = None

    hybrid_override_pattern: Annotated[str, Meta(max_length=MOST_LAYERS)] | None = None  # Nemotron-H
    mamba_num_heads: Count | None = None
    mamba_head_dim: Count | None = None
    ssm_state_size: Count | None = None
    n_groups: Count | None = None
    conv_kernel: Annotated[int, Meta(ge=1, le=1_000)] | None = None

    num_experts: Count | None = None
    n_routed_experts: Count | None = None
    num_local_experts: Count | None = None
    moe_intermediate_size: Count | None = None
    shared_expert_intermediate_size: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    n_shared_experts: Annotated[int, Meta(ge=0, le=1_000)] | None = None
    first_k_dense_replace: Annotated[int, Meta(ge=0, le=MOST_LAYERS)] | None = None

    @property
    def width(self) -> int:
        """Of one attention head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads or 1

    @property
    def kv_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_groups or self.num_attention_heads


def model_of_config(content: bytes, *, name: str, weights_bytes: int = 0) -> Model:
    """`name` is what vLLM is to be given: a folder or an id. Raises LandlineError for what is no known config."""
    outer = _object(content)
    inner = next((outer[key] for key in _INNER if isinstance(outer.get(key), dict)), outer)
    unknown = next((key for key in _UNKNOWN if inner.get(key)), None)
    if unknown is not None:
        raise _refused(f"it has {unknown}, a layout of the cache that landline does not know")
    config = _config({**outer, **inner})
    layers = layers_of(config)
    shape = Shape(attention_heads=config.num_attention_heads, layers=layers, status=Known.READ, source="config.json")
    precision = _precision(outer)
    return Model(
        id=name,
        parameters_b=count_parameters(config, layers) / 1e9,
        context=config.max_position_embeddings or 0,
        checkpoints=(Checkpoint(precision=precision, id=name, weights_bytes=weights_bytes),),
        shape=shape,
        counted=True,
    )


def _object(content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise _refused(f"it is larger than {MOST_BYTES // 1024**2} MiB")
    try:
        found: object = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refused("it is not valid JSON") from None
    if not isinstance(found, dict):
        raise _refused("it is not a JSON object")
    return cast("dict[str, Any]", found)


def _config(fields: dict[str, Any]) -> Config:
    try:
        return msgspec.convert(fields, Config)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _refused(str(error).replace(" - at `$.", ", in `")) from None


def _refused(why: str) -> LandlineError:
    return LandlineError(
        ErrorKind.INVALID_REQUEST,
        f"The config.json cannot be planned with: {why}.",
        hint="Give the config.json that lies beside the model's weights, as its publisher wrote it.",
    )


def layers_of(config: Config) -> tuple[Layers, ...]:
    """Layers by kind, in the order of their first."""
    if config.kv_lora_rank:
        return _latent(config, config.kv_lora_rank)
    counts: dict[str, int] = {}
    for kind in _kinds(config):
        counts[kind] = counts.get(kind, 0) + 1
    found = tuple(layer for kind, count in counts.items() if (layer := _layers(config, kind, count)) is not None)
    if not found:
        raise _refused("none of its layers keeps a cache")
    return found


def _latent(config: Config, rank: int) -> tuple[Layers, ...]:
    """All layers are latent; of sparse ones those with an index of their own are counted apart."""
    sparse, total = config.index_head_dim is not None, config.num_hidden_layers
    kinds = config.indexer_types or ("full",) * total
    if len(kinds) != total or set(kinds) - {"full", "shared"}:
        raise _refused("its indexer_types are not one of full and shared for each layer")
    counts = ((kinds.count("full"), config.index_head_dim or 0), (kinds.count("shared"), 0))
    rope = config.qk_rope_head_dim or 64
    return tuple(
        LatentLayers(layers=count, rank=rank, rope_dim=rope, sparse=sparse, index_dim=index)
        for count, index in counts
        if count
    )


def _kinds(config: Config) -> tuple[str, ...]:
    """Of each layer: full, window, gated_delta, mamba or none."""
    if config.hybrid_override_pattern:
        return tuple(_NEMOTRON.get(letter, letter) for letter in config.hybrid_override_pattern)
    if config.layer_types:
        kinds = tuple(_NAMES.get(name, name) for name in config.layer_types)
        return tuple("full" if kind == "window" and not config.sliding_window else kind for kind in kinds)
    every, total = config.full_attention_interval or config.sliding_window_pattern, config.num_hidden_layers
    if every and config.linear_num_value_heads:
        return tuple("full" if (at + 1) % every == 0 else "gated_delta" for at in range(total))
    if every and config.sliding_window:
        return tuple("full" if (at + 1) % every == 0 else "window" for at in range(total))
    windowed = config.sliding_window and config.use_sliding_window is None and config.model_type == "mistral"
    return ("window" if windowed else "full",) * total


_NEMOTRON = {"M": "mamba", "*": "full", "-": "none", "E": "none"}
_NAMES = {
    "full_attention": "full",
    "attention": "full",
    "sliding_attention": "window",
    "linear_attention": "gated_delta",
    "mamba": "mamba",
    "mamba2": "mamba",
    "mlp": "none",
    "moe": "none",
}


def _layers(config: Config, kind: str, count: int) -> Layers | None:
    match kind:
        case "full":
            heads = config.num_global_key_value_heads or config.kv_heads
            return AttentionLayers(layers=count, kv_heads=heads, head_dim=config.global_head_dim or config.width)
        case "window":
            window = config.sliding_window or 0
            return AttentionLayers(layers=count, kv_heads=config.kv_heads, head_dim=config.width, window=window)
        case "gated_delta":
            return _gated_delta(config, count)
        case "mamba":
            return _mamba(config, count)
        case "none":
            return None
        case _:
            shown = "".join(letter for letter in kind[:40] if letter.isprintable())
            raise _refused(f"it has layers of the kind {shown}, whose cache landline does not know")


def _gated_delta(config: Config, count: int) -> Layers:
    keys, values, dim = config.linear_num_key_heads, config.linear_num_value_heads, config.linear_key_head_dim
    if keys is None or values is None or dim is None:
        raise _refused(
            "it has linear attention without linear_num_key_heads, linear_num_value_heads, linear_key_head_dim"
        )
    return GatedDeltaLayers(
        layers=count,
        key_heads=keys,
        value_heads=values,
        head_dim=dim,
        value_dim=config.linear_value_head_dim or 0,
        kernel=config.linear_conv_kernel_dim or 4,
    )


def _mamba(config: Config, count: int) -> Layers:
    heads, dim, state = config.mamba_num_heads, config.mamba_head_dim, config.ssm_state_size
    if heads is None or dim is None or state is None:
        raise _refused("it has Mamba layers without mamba_num_heads, mamba_head_dim, ssm_state_size")
    kernel = config.conv_kernel or 4
    return MambaLayers(layers=count, heads=heads, head_dim=dim, groups=config.n_groups or 1, state=state, kernel=kernel)


_METHODS = {
    "fp8": Precision.FP8,
    "fbgemm_fp8": Precision.FP8,
    "modelopt": Precision.FP8,
    "modelopt_fp4": Precision.NVFP4,
    "mxfp4": Precision.MXFP4,
    "mxfp8": Precision.MXFP8,
    "gptq": Precision.INT4,
    "awq": Precision.INT4,
    "auto-round": Precision.INT4,
}


def _precision(outer: dict[str, Any]) -> Precision:
    told = outer.get("quantization_config")
    if not isinstance(told, dict):
        return Precision.BF16
    quantization = cast("dict[str, Any]", told)
    bits = _bits(quantization)
    if "NVFP4" in str(quantization.get("quant_algo", "")).upper():
        return Precision.NVFP4
    method = str(quantization.get("quant_method", "")).lower()
    if 4 in bits:
        return Precision.NVFP4 if "nvfp4" in str(quantization.get("format", "")).lower() else Precision.INT4
    if method == "compressed-tensors":
        return Precision.FP8 if "float" in str(quantization.get("format", "")).lower() else Precision.INT8
    return Precision.INT8 if 8 in bits else _METHODS.get(method, Precision.BF16)


def _bits(quantization: dict[str, Any]) -> set[int]:
    """Of the weights: as GPTQ and AWQ say it, and as compressed-tensors does for each of its groups."""
    told: list[object] = [quantization.get("bits")]
    groups: object = quantization.get("config_groups")
    for group in cast("dict[str, Any]", groups).values() if isinstance(groups, dict) else ():
        weights: object = cast("dict[str, Any]", group).get("weights") if isinstance(group, dict) else None
        told.append(cast("dict[str, Any]", weights).get("num_bits") if isinstance(weights, dict) else None)
    return {bits for bits in told if isinstance(bits, int)}
