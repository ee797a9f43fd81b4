"""The numbers of a plan, each with its formula and whether it is exact."""

from __future__ import annotations

from landline.planner.candidates import Candidate, Machine
from landline.planner.memory import BLOCK_TOKENS, block_tokens, fixed_bytes, growing_bytes, request_bytes
from landline.planner.numbers import GIB, KIB, MIB, Number
from landline.planner.shape import AttentionLayers, GatedDeltaLayers, LatentLayers, Layers, MambaLayers, Shape


def figures(taken: Candidate, machine: Machine, context: int) -> tuple[Number, ...]:
    """For one card, as vLLM counts."""
    shape, terms, room = taken.shape, taken.terms, taken.room
    exact = shape.status.is_exact
    growing = growing_bytes(shape, terms)
    per_request = request_bytes(shape, terms, context)
    found = [
        _gib("weights per card", room.weights, exact=taken.weights.exact and terms.cards == 1, formula=_split(taken)),
        _gib("left for the cache", room.cache, exact=False, formula=_left(taken, machine)),
        Number(name="cache per token", value=growing / KIB, unit="KiB", exact=exact, formula=_growing_formula(taken)),
    ]
    if shape.has_state:
        fixed = fixed_bytes(shape, terms)
        block = block_tokens(shape, terms)
        kept = "each request keeps two (align)" if terms.aligned else "each request keeps one"
        formula = " + ".join(
            _state_formula(one) for one in shape.layers if isinstance(one, GatedDeltaLayers | MambaLayers)
        )
        found.append(Number(name="state", value=fixed / MIB, unit="MiB", exact=exact, formula=f"{formula}; {kept}"))
        if block > BLOCK_TOKENS:
            words = "the fewest blocks of 16 tokens whose page of one layer holds a state of one layer"
            found.append(Number(name="step of reuse", value=block, unit="tokens", exact=exact, formula=words))
    if shape.has_window and not terms.whole_windows:
        found.append(_windows(taken))
    found += [
        _gib(
            f"one session of {context:,} tokens",
            per_request,
            exact=False,
            formula=_session_formula(shape),
        ),
        Number(
            name="cache in all",
            value=max(room.cache, 0) // growing if growing else 0,
            unit="tokens",
            exact=False,
            formula="left for the cache / cache per token",
        ),
        Number(
            name="sessions of that length",
            value=taken.sessions(context),
            unit="at once",
            exact=False,
            formula="left for the cache / one session; more where sessions are shorter",
        ),
    ]
    return tuple(found)


def _gib(name: str, size: float, *, exact: bool, formula: str) -> Number:
    return Number(name=name, value=size / GIB, unit="GiB", exact=exact, formula=formula)


def _split(taken: Candidate) -> str:
    cards = taken.terms.cards
    return taken.weights.formula + (f", spread evenly over {cards} cards" if cards > 1 else "")


def _left(taken: Candidate, machine: Machine) -> str:
    room = taken.room
    graphs = f" - {room.graphs / GIB:g} GiB CUDA graphs (assumed)" if room.graphs else ""
    size = f"{machine.card.gib:g} GiB" + (" (nominal)" if machine.card.status == "nominal" else "")
    return f"{size} x {room.utilization:g} - weights - {room.activations / GIB:g} GiB activations (assumed){graphs}"


def _growing_formula(taken: Candidate) -> str:
    parts = [_token_formula(one, taken) for one in taken.shape.layers if _counts(one, taken)]
    source = "" if taken.shape.status.is_exact else f" (shape {taken.shape.status.value}: {taken.shape.source})"
    return " + ".join(parts) + source


def _counts(layer: Layers, taken: Candidate) -> bool:
    if isinstance(layer, AttentionLayers):
        return not layer.window or taken.terms.whole_windows
    return isinstance(layer, LatentLayers)


def _token_formula(layer: Layers, taken: Candidate) -> str:
    element = taken.terms.kv.element_bytes
    if isinstance(layer, AttentionLayers):
        heads = f"ceil({layer.kv_heads} / {taken.terms.cards})" if taken.terms.cards > 1 else f"{layer.kv_heads}"
        return f"{layer.layers} layers x 2 x {heads} KV heads x {layer.head_dim} x {element:g} bytes"
    if isinstance(layer, LatentLayers):
        index = f" + {layer.index_dim} + 4 of the index" if layer.index_dim else ""
        if layer.sparse and element == 1:
            return f"{layer.layers} layers x (656 bytes of fp8_ds_mla{index}), on each card"
        return f"{layer.layers} layers x ({layer.rank} + {layer.rope_dim}) x {element:g} bytes{index}, on each card"
    return ""


def _state_formula(layer: GatedDeltaLayers | MambaLayers) -> str:
    if isinstance(layer, GatedDeltaLayers):
        value = layer.value_dim or layer.head_dim
        return (
            f"{layer.layers} layers x ((2 x {layer.head_dim} x {layer.key_heads} + {value} x {layer.value_heads}) / TP "
            f"x {layer.kernel - 1} x 2 bytes + {layer.value_heads} / TP x {value} x {layer.head_dim} x 4 bytes)"
        )
    return (
        f"{layer.layers} layers x (({layer.heads} x {layer.head_dim} + 2 x {layer.groups} x {layer.state}) / TP "
        f"x {layer.kernel - 1} x 2 bytes + {layer.heads} / TP x {layer.head_dim} x {layer.state} x 4 bytes)"
    )


def _windows(taken: Candidate) -> Number:
    """What the layers with windows hold of one request that is longer than they are."""
    windowed = tuple(one for one in taken.shape.layers if isinstance(one, AttentionLayers) and one.window)
    windows = type(taken.shape)(
        attention_heads=taken.shape.attention_heads,
        layers=windowed,
        status=taken.shape.status,
        source=taken.shape.source,
    )
    far = max(one.window for one in windowed) + taken.terms.in_flight_tokens + 10 * BLOCK_TOKENS
    size = request_bytes(windows, taken.terms, far)
    flight = f"{taken.terms.in_flight_tokens:,} tokens in flight (two batches)"
    return Number(
        name="windows of one request",
        value=size / MIB,
        unit="MiB",
        exact=taken.shape.status.is_exact,
        formula=f"(ceil((W - 1 + {flight}) / block) + 1) x block x bytes of a token in those layers",
    )


def _session_formula(shape: Shape) -> str:
    parts = ["tokens x cache per token, in whole blocks"]
    parts += ["its states"] if shape.has_state else []
    parts += ["its windows"] if shape.has_window else []
    return " + ".join(parts)
