"""Where a value ends: exactly, for valid JSON; sensibly, for what models write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.partial_json import ValueEnd
from tests.fakes.tool_calls import pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def end_of(text: str, cuts: int | Sequence[int] = 10**9, stops: str = "") -> int:
    value, before = ValueEnd(stops), 0
    for piece in pieces(text, cuts):
        end = value.feed(piece)
        if end >= 0:
            return before + end
        before += len(piece)
    return -1


@given(VALUES, st.text(st.sampled_from(' ,}]\n<"x')), st.lists(st.integers(0, 80)), st.booleans())
def test_valid_json_ends_where_it_ends(value: Any, behind: str, cuts: list[int], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2 if cuts else None)
    if not isinstance(value, str | list | dict):
        behind = "," + behind
    assert end_of(text + behind, cuts, "<") == len(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "say "hi", and left"}',
        '{"a": "5" pipe"}',
        '{"a": "f("x")", "b": 1}',
        '{"a": "x" "b": 1}',
        '{"a": "x",}',
        '{"a": ["x"}',
        '{"a": {"b": [1}}',
        '{"a": 1]}',
        "{'a': True, 'b': 'it's', 'c': 'say \"x\"'}",
        '{"a": don\'t}',
        '{"a": "x\ny"}',
        '{"a": "\\"}"}',
        '["a" , "b"]',
        "  12",
        "-1.5e3",
        "'a\\'b'",
    ],
)
def test_broken_json_ends_too(text: str) -> None:
    for behind in (" , x", "}", "\n"):
        whole = text + behind
        assert all(end_of(whole, size) == len(text) for size in (1, 2, 3, 10**9)), behind


@pytest.mark.parametrize("text", ["", " ", "{", '"a', '"a\\', '{"a": "b"', "12", '{"a": "}', "[[]"])
def test_what_goes_on_has_not_ended(text: str) -> None:
    assert end_of(text) == end_of(text, 1) == -1


def test_stops_count_outside_of_strings_only() -> None:
    value = ValueEnd("<")
    assert value.feed('{"a": "<", "b": 1 <') == 18
    assert value.stopped
    value.resume()
    assert not value.stopped
    assert value.feed("< x") == -1
    assert value.feed("}") == 1
    assert not value.stopped


def test_a_stop_before_the_value_and_behind_a_number() -> None:
    for text, end in ((" <", 1), ("12<", 2), ('"a"<', 3)):
        value = ValueEnd("<")
        assert value.feed(text) == end
        assert value.stopped == (text != '"a"<')


def test_many_brackets_take_linear_time() -> None:
    text = '{"a":[' * 100_000
    assert end_of(text + "}" * 99_999, 1000) == -1
    assert end_of(text + "}" * 100_000, 1000) == len(text) + 100_000
