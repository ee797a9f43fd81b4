"""Literal marks in text that comes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.marks import SHORT, Marks

MARKS = Marks(["<think>", "<tool_call>", "<tool", "[CALL]", "`"])


@pytest.mark.parametrize(
    ("text", "at", "unfinished"),
    [
        ("nothing of the kind", None, False),
        ("a < b and [c]", None, False),
        ("first <thi", 6, True),
        ("first <think", 6, True),
        ("first <think> then", 6, False),
        ("so `it` is", 3, False),
        ("ends in <tool", 8, False),  # a mark already, though a longer one may follow
        ("ends in <too", 8, True),
        ("<<tool_call>", 1, False),
        ("", None, False),
    ],
)
def test_where_a_mark_stands_or_has_begun(text: str, at: int | None, unfinished: bool) -> None:
    for before in ("", "x" * SHORT):
        found = MARKS.look(before + text)
        assert (None if found is None else found.start() - len(before)) == at
        assert MARKS.near(before + text) is (found is not None)
        assert found is None or ((before + text)[found.start() :] in MARKS.unfinished) is unfinished


def test_no_marks_stand_nowhere() -> None:
    assert not Marks([]).near("<think>")
    assert Marks([]).begun("<") == 0


@given(st.lists(st.text("ab<", min_size=1, max_size=5), max_size=6), st.text("ab<c", max_size=90))
def test_the_same_as_looking_everywhere(marks: list[str], text: str) -> None:
    known = Marks(marks)
    places = [
        at for at in range(len(text)) if any(text[at:].startswith(mark) or mark.startswith(text[at:]) for mark in marks)
    ]
    found = known.look(text)
    assert (None if found is None else found.start()) == (places[0] if places else None)
