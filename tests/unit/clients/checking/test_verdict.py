"""The verdict is a table and one rule."""

from __future__ import annotations

import pytest

from landline.clients.checking.running import PROBES, chosen
from landline.clients.checking.verdict import WEIGHTS, Grade, Weight, grade

ALL = dict.fromkeys(WEIGHTS, True)


def test_every_probe_has_a_weight_and_every_weight_a_probe() -> None:
    ids = [probe.id for probe in PROBES]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(WEIGHTS)


def test_all_that_passes_is_ready() -> None:
    assert grade(ALL) is Grade.READY


@pytest.mark.parametrize("probe", sorted(WEIGHTS))
def test_one_failure_counts_by_its_weight(probe: str) -> None:
    wanted = {Weight.MUST: Grade.NOT_READY, Weight.LIMIT: Grade.LIMITED, Weight.NOTE: Grade.READY}
    assert grade(ALL | {probe: False}) is wanted[WEIGHTS[probe]]


def test_what_was_not_tried_says_nothing() -> None:
    assert grade(ALL | {"image": None, "context_90": None, "loop": None}) is Grade.READY


@pytest.mark.parametrize("outcomes", [{}, dict.fromkeys(WEIGHTS), {"server": True, "speed_1": True}])
def test_nothing_essential_tried_is_not_ready(outcomes: dict[str, bool | None]) -> None:
    assert grade(outcomes) is Grade.NOT_READY


@pytest.mark.parametrize(
    ("got", "asked", "reached"),
    [
        (Grade.READY, Grade.READY, True),
        (Grade.READY, Grade.LIMITED, True),
        (Grade.LIMITED, Grade.READY, False),
        (Grade.LIMITED, Grade.LIMITED, True),
        (Grade.NOT_READY, Grade.LIMITED, False),
    ],
)
def test_grades_are_in_order(got: Grade, asked: Grade, reached: bool) -> None:
    assert got.reaches(asked) is reached


def test_a_quick_check_leaves_out_long_prompts_and_load() -> None:
    left = {probe.id for probe in chosen(quick=False)} - {probe.id for probe in chosen(quick=True)}
    assert left == {"context_25", "context_50", "context_90", "speed_4", "speed_16"}
