"""A plan in words: the numbers, the flags with their reasons, the notes. Lines without marks; a format adds its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from landline.planner.decision import Refusal
from landline.planner.outcome import Plan


def summary(plan: Plan) -> Iterator[str]:
    """What and how, in three lines."""
    yield f"{plan.model} on {plan.machine}: {plan.context_tokens:,} tokens, {_sessions(plan.sessions)}"
    parts = [plan.checkpoint] if plan.checkpoint != plan.model else []
    parts += [f"weights {plan.precision}", f"cache {plan.kv_type}", f"for {plan.engine} {plan.release}"]
    parts += [f"family {plan.family}"] if plan.family else []
    parts += [f"tensor parallel over {plan.cards}"] if plan.engine == "vllm" and plan.cards > 1 else []
    yield ", ".join(parts)
    yield f"the longest context for one session: {plan.longest_tokens:,} tokens"


def numbers(plan: Plan, *, explain: bool) -> Iterator[str]:
    width = max(len(one.name) for one in plan.numbers)
    values = max(len(one.shown) for one in plan.numbers)
    for one in plan.numbers:
        yield f"{one.name:<{width}}  {one.shown:>{values}}  {'exact' if one.exact else 'estimated'}"
        if explain:
            yield f"    = {one.formula}"


def reasons(plan: Plan) -> Iterator[str]:
    rows = [(" ".join(flag.words), flag.why) for flag in plan.flags]
    rows += [(f"{one.name}={one.value}", one.why) for one in plan.environment]
    return _aligned(rows)


def described(plan: Plan, *, explain: bool) -> Iterator[str]:
    """All of it, with empty lines between the parts."""
    yield from summary(plan)
    yield ""
    yield from numbers(plan, explain=explain)
    yield ""
    yield from reasons(plan)
    if plan.notes:
        yield ""
        yield from (f"! {note}" for note in plan.notes)


def refused(refusal: Refusal) -> Iterator[str]:
    yield f"{refusal.why}."
    if refusal.offers:
        yield "What would fit:"
        yield from (f"  {offer}" for offer in refusal.offers)


def commented(lines: Iterator[str]) -> str:
    return "\n".join(f"# {line}".rstrip() for line in lines)


def _sessions(count: float) -> str:
    return f"{count:,.1f} sessions of that length at once"


def _aligned(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = min(max((len(name) for name, _ in rows), default=0), 44)
    for name, why in rows:
        yield f"{name:<{width}}  {why}"
