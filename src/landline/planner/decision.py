"""Which of the candidates is taken, and what would fit where none is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from landline.errors import ErrorKind, LandlineError
from landline.planner.candidates import Candidate, Machine
from landline.planner.catalogue import Model, Precision

# The first request of Claude Code has about 19,000 tokens; below the first number no agent works, below the second
# it forgets its task (failure rows 5.11 and 5.12).
LEAST_TOKENS = 32_768
GOOD_TOKENS = 65_536
USUAL_TOKENS = 131_072
STEP = 1024
MORE_CARDS = (2, 4, 8, 16)


class Wish(Struct, frozen=True, kw_only=True):
    """What was asked for; 0 and None where it is left to the planner."""

    context: int = 0
    sessions: int = 0
    precision: Precision | None = None

    @property
    def least_sessions(self) -> int:
        return self.sessions or 1


class Choice(Struct, frozen=True, kw_only=True):
    candidate: Candidate
    context: int


class Refusal(Struct, frozen=True, kw_only=True):
    """Nothing fits. `offers` are whole sentences, the nearest to the wish first."""

    why: str
    offers: tuple[str, ...] = ()


Candidates = Callable[[Wish, Machine], Iterable[Candidate]]


def target_tokens(model: Model, wish: Wish) -> int:
    """Raises LandlineError for a wish that no card can grant."""
    if wish.context and wish.context < LEAST_TOKENS:
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"{wish.context:,} tokens are too few: the first request of a coding agent alone has about 19,000.",
            hint=f"Ask for --context {GOOD_TOKENS} or more; {LEAST_TOKENS:,} is the least.",
        )
    if model.context and max(wish.context, LEAST_TOKENS) > model.context:
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"{model.id} has a window of {model.context:,} tokens, and {max(wish.context, LEAST_TOKENS):,} are wanted.",
            hint="Ask for less with --context, or take another model: landline plan --list --vram GIB.",
        )
    return wish.context or min(model.context or USUAL_TOKENS, USUAL_TOKENS)


def choose(model: Model, machine: Machine, wish: Wish, candidates: Candidates) -> Choice | Refusal:
    """The first candidate that grants the wish; without a wished length also the one with the longest."""
    target, sessions = target_tokens(model, wish), wish.least_sessions
    every = list(candidates(wish, machine))
    if not every:
        have = ", ".join(one.precision.value for one in model.checkpoints)
        raise LandlineError(
            ErrorKind.NOT_FOUND,
            f"No {wish.precision} checkpoint of {model.id} is known.",
            hint=f"There are: {have}. Leave --quantization out, or name the checkpoint itself as MODEL.",
        )
    for one in every:
        if one.longest(sessions=sessions, limit=target) >= target:
            return Choice(candidate=one, context=target)
    lengths = [one.longest(sessions=sessions, limit=target) for one in every]
    best = max(lengths)
    if not wish.context and best >= LEAST_TOKENS:
        return Choice(candidate=every[lengths.index(best)], context=best // STEP * STEP)
    return Refusal(
        why=_why(model, machine, wish, every), offers=tuple(_offers(model, machine, wish, candidates, target))
    )


def _why(model: Model, machine: Machine, wish: Wish, every: Sequence[Candidate]) -> str:
    smallest = min(every, key=lambda one: one.room.weights)
    wanted = f"{target_tokens(model, wish) if wish.context else LEAST_TOKENS:,} tokens"
    if wish.least_sessions > 1:
        wanted = f"{wish.least_sessions} sessions of {wanted}"
    words = f"{model.id} does not fit on {machine.shown} with {wanted}"
    if smallest.room.cache <= 0:
        cards = smallest.terms.cards
        each = f" on each of {cards} cards" if cards > 1 else ""
        size = smallest.room.weights / 1024**3
        return f"{words}: its smallest weights ({smallest.checkpoint.precision}) take {size:,.1f} GiB{each}"
    return f"{words}: {smallest.room.cache / 1024**3:,.1f} GiB of a card are left for the cache"


def _offers(model: Model, machine: Machine, wish: Wish, candidates: Candidates, target: int) -> Iterable[str]:
    sessions = wish.least_sessions
    smaller = msgspec.structs.replace(wish, precision=None)
    if wish.precision and (one := _granting(candidates(smaller, machine), sessions, target)):
        yield f"smaller weights: --quantization {one.checkpoint.precision} holds {target:,} tokens"
    shorter = max((one.longest(sessions=sessions, limit=target) for one in candidates(smaller, machine)), default=0)
    if shorter >= LEAST_TOKENS and shorter < target:
        yield f"a shorter context: --context {shorter // STEP * STEP}"
    alone = max((one.longest(sessions=1, limit=target) for one in candidates(smaller, machine)), default=0)
    if sessions > 1 and alone >= target:
        fewer = max(int(one.sessions(target)) for one in candidates(smaller, machine))
        yield f"fewer sessions: --sessions {fewer}"
    for count in (count for count in MORE_CARDS if count > machine.count):
        more = msgspec.structs.replace(machine, count=count)
        if one := _granting(candidates(smaller, more), sessions, target):
            cards = f"{count} such cards" if machine.card.status == "given" else f"{count} x {machine.card.name}"
            yield f"more cards: {cards} hold it with {one.checkpoint.precision} weights"
            return


def _granting(every: Iterable[Candidate], sessions: int, target: int) -> Candidate | None:
    return next((one for one in every if one.longest(sessions=sessions, limit=target) >= target), None)
