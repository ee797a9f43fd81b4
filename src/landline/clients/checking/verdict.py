"""From what the probes found to one word: ready, ready with limits, not ready.

Pure: a table of weights, and one rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Weight(StrEnum):
    MUST = "must"  # without it, an agent does not work
    LIMIT = "limit"  # without it, an agent works, with limits
    NOTE = "note"  # worth knowing; says nothing about the verdict


class Grade(StrEnum):
    READY = "READY"
    LIMITED = "LIMITED"
    NOT_READY = "NOT READY"

    def reaches(self, asked: Grade) -> bool:
        return _ORDER[self] >= _ORDER[asked]


_ORDER = {Grade.NOT_READY: 0, Grade.LIMITED: 1, Grade.READY: 2}

WEIGHTS: dict[str, Weight] = {
    "server": Weight.NOTE,
    "family": Weight.NOTE,
    "window": Weight.MUST,
    "window_room": Weight.LIMIT,
    "template_tools": Weight.LIMIT,
    "direct_call": Weight.LIMIT,
    "single_call": Weight.MUST,
    "parallel_calls": Weight.LIMIT,
    "nested_arguments": Weight.LIMIT,
    "verbatim_code": Weight.MUST,
    "verbatim_unicode": Weight.LIMIT,
    "no_needless_call": Weight.LIMIT,
    "loop": Weight.MUST,
    "choice_any": Weight.LIMIT,
    "choice_named": Weight.LIMIT,
    "choice_none": Weight.LIMIT,
    "thinking_on": Weight.LIMIT,
    "thinking_off": Weight.LIMIT,
    "stop_sequence": Weight.LIMIT,
    "json_schema": Weight.LIMIT,
    "image": Weight.NOTE,
    "cache": Weight.LIMIT,
    "context_25": Weight.MUST,
    "context_50": Weight.LIMIT,
    "context_90": Weight.LIMIT,
    "speed_1": Weight.LIMIT,
    "speed_4": Weight.NOTE,
    "speed_16": Weight.NOTE,
}


def grade(outcomes: Mapping[str, bool | None], weights: Mapping[str, Weight] = WEIGHTS) -> Grade:
    """`outcomes`: probe to passed; None, not tried, says nothing, except where nothing that must be was tried."""
    lost = {weights[probe] for probe, passed in outcomes.items() if passed is False}
    held = any(weights[probe] is Weight.MUST for probe, passed in outcomes.items() if passed)
    if Weight.MUST in lost or not held:
        return Grade.NOT_READY
    return Grade.LIMITED if Weight.LIMIT in lost else Grade.READY
