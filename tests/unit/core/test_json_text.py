"""Halves of surrogate pairs in JSON."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.json_text import without_half_surrogates


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00x"', rb'"\ufffdx"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\u0041\n"', rb'"\u0041\n"'),
        (rb'{ "a" : 1.50, "a": 2 }', rb'{ "a" : 1.50, "a": 2 }'),
    ],
)
def test_only_the_half_is_replaced(text: bytes, whole: bytes) -> None:
    assert without_half_surrogates(text) == whole


@given(st.text(st.characters(categories=["L", "Cs", "So"]) | st.sampled_from('\\u"d83\n')))
def test_any_text_becomes_readable_and_keeps_what_was_whole(text: str) -> None:
    written = json.dumps({"a": text}).encode()
    read = msgspec.json.decode(without_half_surrogates(written))["a"]
    joined = json.loads(written)["a"]  # a high half before a low one is a pair
    assert read == "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in joined)
