"""Without these, a client's own connections are neither stopped nor explained."""

from __future__ import annotations

from typing import Any

from landline.clients.egress.destinations import Verdict
from landline.clients.egress.facts import UNKNOWN, Fact
from tests.failure_modes.ablation import Ablation


def _allowed(self: Any, asked: Any) -> Verdict:
    return Verdict.ALLOWED


def _refused(self: Any, asked: Any) -> Verdict:
    return Verdict.REFUSED


def _unknown(client: str, host: str) -> Fact:
    return Fact(host, UNKNOWN)


def _as_it_is(conversation: Any, notes: Any) -> Any:
    return conversation


def _model_alone() -> tuple[str, ...]:
    return ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_MODEL")


def _nothing(self: Any, to: Any, outcome: Any) -> str:
    return ""


ABLATIONS = (
    Ablation(
        "egress_refuses", "what is not allowed passes", "landline.clients.egress.destinations:Law.judge", _allowed
    ),
    Ablation("egress_allows", "the allow list holds", "landline.clients.egress.destinations:Law.judge", _refused),
    Ablation("egress_facts", "hosts are told what they are for", "landline.clients.egress.facts:fact", _unknown),
    Ablation("egress_counts", "attempts are counted", "landline.clients.egress.report:Tried.add", _nothing),
    Ablation(
        "quiet_switches", "launch keeps clients quiet", "landline.clients.claude_code:_chosen_names", _model_alone
    ),
    Ablation(
        "date_marks",
        "no marks in the date",
        "landline.transforms.date_marks:without_date_marks",
        _as_it_is,
    ),
)
