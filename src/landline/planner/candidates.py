"""The ways in which a model can lie on cards: which weights, which cache, how many cards. Sizes, no decision."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from landline.planner.catalogue import BYTES_PER_PARAMETER, GGUF, Card, Checkpoint, Model, Precision
from landline.planner.memory import CacheTerms, KvType, Room, longest, request_bytes
from landline.planner.numbers import GIB
from landline.planner.shape import Shape

UTILIZATION = 0.92  # vLLM's default
ACTIVATIONS_GIB = 1.5  # assumed; vLLM measures it when it starts
GRAPHS_GIB = 0.5  # CUDA graphs; assumed
# The recipes' minimum over the weights, and what stays in bf16 (embeddings, norms, vision, some attention): both are
# larger parts of a small model. From the checkpoints whose size is known, 27B in fp8 and nvfp4, 120B and 20B in mxfp4.
SMALL_B = 50
HEADROOM_SMALL, HEADROOM_LARGE = 1.1, 1.2
UNQUANTIZED_8_BITS, UNQUANTIZED_4_BITS, UNQUANTIZED_LARGE = 1.1, 1.25, 1.03
LARGE_CARD_GIB = 70
CONCURRENT_BATCHES = 2  # async scheduling, vLLM's default
# Weights that vLLM makes smaller itself while it loads a bf16 checkpoint.
ONLINE = (Precision.FP8,)


class Machine(Struct, frozen=True, kw_only=True):
    card: Card
    count: int = 1

    @property
    def total_gib(self) -> float:
        return self.card.gib * self.count

    @property
    def shown(self) -> str:
        return f"{self.count} x {self.card.name} ({self.card.gib:g} GiB{' each' if self.count > 1 else ''})"


class Weights(Struct, frozen=True, kw_only=True):
    gib: float
    exact: bool
    formula: str


class Candidate(Struct, frozen=True, kw_only=True):
    """One way. `room` and `terms` are those of one card; the cards are alike."""

    checkpoint: Checkpoint
    shape: Shape
    terms: CacheTerms
    room: Room
    weights: Weights
    batched_tokens: int
    online: bool = False

    def longest(self, *, sessions: int, limit: int) -> int:
        return longest(self.shape, self.terms, self.room.cache, sessions=sessions, limit=limit)

    def sessions(self, tokens: int) -> float:
        """How many requests of that length fit at once."""
        return max(self.room.cache, 0) / request_bytes(self.shape, self.terms, tokens)


def weights_of(model: Model, checkpoint: Checkpoint, precision: Precision) -> Weights:
    """`precision` differs from the checkpoint's where the weights are made smaller while they are loaded."""
    if precision is checkpoint.precision:
        if checkpoint.weights_bytes:
            size = checkpoint.weights_bytes / GIB
            return Weights(gib=size, exact=True, formula=f"{checkpoint.weights_bytes:,} bytes in its safetensors files")
        if checkpoint.weights_gib:
            return Weights(gib=checkpoint.weights_gib, exact=False, formula="size of its files as published, rounded")
    return _estimated(model, checkpoint, precision)


def _estimated(model: Model, checkpoint: Checkpoint, precision: Precision) -> Weights:
    small, per_parameter = model.parameters_b < SMALL_B, BYTES_PER_PARAMETER[precision]
    factor, headroom = _unquantized(precision, small=small), HEADROOM_SMALL if small else HEADROOM_LARGE
    counted = model.parameters_b * per_parameter * factor
    told = checkpoint.recipe_gb / headroom if precision is checkpoint.precision and factor > 1 else 0
    if told > counted:
        formula = f"{checkpoint.recipe_gb:g} GB, the recipe's minimum / {headroom:g}"
        return Weights(gib=told * 1e9 / GIB, exact=False, formula=formula)
    parameters = f"{model.parameters_b:,.4g}e9 parameters{' (counted from the config.json)' if model.counted else ''}"
    formula = f"{parameters} x {per_parameter:g} bytes" + (f" x {factor:g}, what stays in bf16" if factor > 1 else "")
    return Weights(gib=counted * 1e9 / GIB, exact=False, formula=formula)


def _unquantized(precision: Precision, *, small: bool) -> float:
    if precision is Precision.BF16 or precision in GGUF:
        return 1
    if not small:
        return UNQUANTIZED_LARGE
    return UNQUANTIZED_4_BITS if BYTES_PER_PARAMETER[precision] < 1 else UNQUANTIZED_8_BITS


def tensor_parallel(shape: Shape, machine: Machine) -> int:
    """The most of the cards that its heads can be spread over."""
    return next(cards for cards in range(machine.count, 0, -1) if shape.divides(cards))


def vllm_candidates(
    model: Model, shape: Shape, machine: Machine, *, precision: Precision | None, kv: KvType | None = None
) -> Iterator[Candidate]:
    """The best first: precision in the order of Precision, and the cache in bf16 before fp8. `kv` leaves one type."""
    kinds = (kv,) if kv else (KvType.AUTO, KvType.FP8) if machine.card.computes_fp8 else (KvType.AUTO,)
    for checkpoint, wanted in _weights(model, precision):
        for kind in kinds:
            yield _candidate(model, shape, machine, checkpoint, (wanted, kind))


def _weights(model: Model, precision: Precision | None) -> list[tuple[Checkpoint, Precision]]:
    """Each checkpoint as it is, and a bf16 one as what vLLM makes of it where that was asked for and is not there."""
    found = [(one, one.precision) for one in model.checkpoints if precision in (None, one.precision)]
    if not found and precision is not None and precision in ONLINE:
        found = [(one, precision) for one in model.checkpoints if one.precision is Precision.BF16]
    order = list(Precision)
    return sorted(found, key=lambda one: order.index(one[1]))


def _batched_tokens(shape: Shape, card: Card) -> int:
    """vLLM's default, doubled on small cards, where it makes long prompts slow; not where windows would hold more."""
    if card.gib >= LARGE_CARD_GIB:
        return 8192
    return 2048 if shape.has_window else 4096


def _candidate(
    model: Model, shape: Shape, machine: Machine, checkpoint: Checkpoint, kinds: tuple[Precision, KvType]
) -> Candidate:
    precision, kv = kinds
    cards, weights = tensor_parallel(shape, machine), weights_of(model, checkpoint, precision)
    batched = _batched_tokens(shape, machine.card)
    return Candidate(
        checkpoint=checkpoint,
        shape=shape,
        terms=CacheTerms(kv=kv, cards=cards, in_flight_tokens=CONCURRENT_BATCHES * batched),
        room=Room(
            total=machine.card.gib * GIB,
            utilization=UTILIZATION,
            weights=weights.gib * GIB / cards,
            activations=ACTIVATIONS_GIB * GIB,
            graphs=GRAPHS_GIB * GIB,
        ),
        weights=weights,
        batched_tokens=batched,
        online=precision is not checkpoint.precision,
    )
