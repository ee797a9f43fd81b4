"""A plan as a shell script that can be read: the reasons are its comments."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from landline.planner.outcome import Plan
from landline.planner.served import fetching
from landline.planner.text import commented, described


def as_command(plan: Plan, *, explain: bool) -> str:
    parts = [commented(described(plan, explain=explain)), ""]
    if plan.template is not None:
        first, then = fetching(plan.template)
        parts += [
            "# The chat template that the recipe wants; vLLM's wheel has none of it.",
            f"{first} &&",
            f"{then} &&",
        ]
    match plan.engine:
        case "vllm":
            lines = _line(plan, ("vllm", "serve", plan.checkpoint))
        case "llama.cpp":
            lines = _line(plan, ("llama-server", "--model", plan.checkpoint))
        case "ollama":
            parts.append(f"# then, in another shell: ollama pull {shlex.quote(plan.checkpoint)}")
            lines = _line(plan, ("ollama", "serve"))
    return "\n".join([*parts, *lines])


def command_words(plan: Plan) -> tuple[str, ...]:
    """The line alone, for JSON."""
    match plan.engine:
        case "vllm":
            return ("vllm", "serve", plan.checkpoint, *plan.arguments)
        case "llama.cpp":
            return ("llama-server", "--model", plan.checkpoint, *plan.arguments)
        case "ollama":
            return ("ollama", "serve")


def _line(plan: Plan, program: tuple[str, ...]) -> Iterator[str]:
    """One flag a line."""
    rows = [f"{one.name}={shlex.quote(one.value)}" for one in plan.environment]
    rows.append(shlex.join(program))
    rows += [f"  {shlex.join(flag.words)}" for flag in plan.flags]
    yield from (f"{row} \\" for row in rows[:-1])
    yield rows[-1]
