"""What a model keeps in the cache: its layers by kind, as far as memory goes. Must not know servers or cards."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Tokens = Annotated[int, Meta(ge=1, le=100_000_000)]


class Known(StrEnum):
    """How well a shape is founded. Only `read` and `stated` make exact numbers."""

    READ = "read"  # from the config.json that was given
    STATED = "stated"  # a published source says it
    INFERRED = "inferred"  # from a related model
    UNCHECKED = "unchecked"  # known, but not read again for the table

    @property
    def is_exact(self) -> bool:
        return self in (Known.READ, Known.STATED)


class AttentionLayers(Struct, frozen=True, kw_only=True, tag_field="kind", tag="attention", forbid_unknown_fields=True):
    """Multi-head or grouped attention; with a `window` only its last tokens are kept."""

    layers: Count
    kv_heads: Count
    head_dim: Count
    window: Annotated[int, Meta(ge=0, le=100_000_000)] = 0  # tokens; 0: all


class LatentLayers(Struct, frozen=True, kw_only=True, tag_field="kind", tag="latent", forbid_unknown_fields=True):
    """Multi-head latent attention: one vector per token, the same on each card. Sparse attention finds its tokens by
    an index, which some layers have and others share."""

    layers: Count
    rank: Count
    rope_dim: Count
    sparse: bool = False
    index_dim: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class GatedDeltaLayers(
    Struct, frozen=True, kw_only=True, tag_field="kind", tag="gated_delta", forbid_unknown_fields=True
):
    """Linear attention with a state of fixed size per request."""

    layers: Count
    key_heads: Count
    value_heads: Count
    head_dim: Count
    value_dim: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # 0: as head_dim
    kernel: Annotated[int, Meta(ge=1, le=1_000)] = 4


class MambaLayers(Struct, frozen=True, kw_only=True, tag_field="kind", tag="mamba2", forbid_unknown_fields=True):
    layers: Count
    heads: Count
    head_dim: Count
    groups: Count
    state: Count
    kernel: Annotated[int, Meta(ge=1, le=1_000)] = 4


Layers = AttentionLayers | LatentLayers | GatedDeltaLayers | MambaLayers
StateLayers = GatedDeltaLayers | MambaLayers


class Shape(Struct, frozen=True, kw_only=True):
    attention_heads: Count
    layers: tuple[Layers, ...]
    status: Known
    source: str

    @property
    def has_state(self) -> bool:
        """Some layers keep a state of fixed size: what they read is cached at block boundaries only."""
        return any(isinstance(one, StateLayers) for one in self.layers)

    @property
    def has_window(self) -> bool:
        return any(isinstance(one, AttentionLayers) and one.window for one in self.layers)

    @property
    def is_latent(self) -> bool:
        return any(isinstance(one, LatentLayers) for one in self.layers)

    @property
    def is_sparse(self) -> bool:
        return any(isinstance(one, LatentLayers) and one.sparse for one in self.layers)

    def divides(self, cards: int) -> bool:
        """Whether its heads can be spread over that many cards; a KV head may be there more than once."""
        held = [one.kv_heads for one in self.layers if isinstance(one, AttentionLayers)]
        return all(heads % cards == 0 for heads in self._split_heads) and all(
            heads % cards == 0 or cards % heads == 0 for heads in held
        )

    @property
    def _split_heads(self) -> tuple[int, ...]:
        counts = [self.attention_heads]
        for one in self.layers:
            match one:
                case GatedDeltaLayers():
                    counts += [one.key_heads, one.value_heads]
                case MambaLayers():
                    counts.append(one.heads)
                case AttentionLayers() | LatentLayers():
                    pass
        return tuple(counts)
