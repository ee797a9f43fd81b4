"""A plan in the format that was asked for. Each format says all that the plan says, as comments of its language."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from landline.errors import ErrorKind, LandlineError
from landline.planner.command import as_command, command_words
from landline.planner.compose import as_compose
from landline.planner.decision import Refusal
from landline.planner.kubernetes import as_kubernetes
from landline.planner.outcome import Plan, PlanDocument
from landline.planner.systemd import as_systemd


class Format(StrEnum):
    COMMAND = "command"
    COMPOSE = "compose"
    SYSTEMD = "systemd"
    KUBERNETES = "kubernetes"
    JSON = "json"


class _Render(Protocol):
    def __call__(self, plan: Plan, *, explain: bool) -> str: ...


_RENDERS: dict[Format, _Render] = {
    Format.COMMAND: as_command,
    Format.COMPOSE: as_compose,
    Format.SYSTEMD: as_systemd,
    Format.KUBERNETES: as_kubernetes,
}
_ENGINES = {
    "vllm": tuple(Format),
    "llama.cpp": (Format.COMMAND, Format.SYSTEMD, Format.JSON),
    "ollama": (Format.COMMAND, Format.JSON),
}


def render(plan: Plan, form: Format, *, explain: bool) -> str:
    """Without a newline at its end. Raises LandlineError for a format that the server's line has not."""
    have = _ENGINES[plan.engine]
    if form not in have:
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"There is no {form.value} for {plan.engine}.",
            hint=f"Take one of: {', '.join(one.value for one in have)}.",
        )
    return _json(document(plan)) if form is Format.JSON else _RENDERS[form](plan, explain=explain)


def document(outcome: Plan | Refusal) -> PlanDocument:
    if isinstance(outcome, Refusal):
        return PlanDocument(fits=False, why=outcome.why, offers=outcome.offers)
    return PlanDocument(fits=True, plan=outcome, command=command_words(outcome))


def _json(told: PlanDocument) -> str:
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def refusal_json(refusal: Refusal) -> str:
    return _json(document(refusal))
