"""Without these, a call that cannot be run stays one, and a turn that ended in thinking is over."""

from __future__ import annotations

from typing import Any

from landline.core.events import ResponseEnd
from tests.failure_modes.ablation import Ablation


def _through(self: Any, events: list[Any]) -> list[Any]:
    return events


def _lost_only(self: Any, end: ResponseEnd) -> str:
    return ""


ABLATIONS = (
    Ablation(
        "unusable_calls_held",
        "the end of a call that cannot be run is held, to be completed",
        "landline.transforms.second_asking:HoldCall.push",
        _through,
    ),
    Ablation(
        "plans_followed_up",
        "a turn that ended in thinking is asked to go on",
        "landline.server.reading:Reading._plan",
        _lost_only,
    ),
)
