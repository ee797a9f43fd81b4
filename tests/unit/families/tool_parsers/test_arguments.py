"""JSON arguments out of parameters that come one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.families.tool_parsers.arguments import ArgumentWriter

PROPERTIES = {"text": {"type": "string"}, "n": {"type": "integer"}, "any": {"type": ["string", "null"]}}


def written(parameters: list[tuple[str, list[str]]], properties: Any = PROPERTIES) -> list[str]:
    writer = ArgumentWriter(properties)
    pieces: list[str] = []
    for name, texts in parameters:
        pieces += [writer.parameter(name), *(writer.text(text) for text in texts), writer.end()]
    return [*pieces, writer.finish()]


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ([], {}),
        ([("text", [])], {"text": ""}),
        ([("text", ['a"', "\n\\b"])], {"text": 'a"\n\\b'}),
        ([("n", ["1", "2"]), ("text", ["12"])], {"n": 12, "text": "12"}),
        ([("any", ["null"]), ("other", ["5"])], {"any": None, "other": "5"}),
        ([("n", ["x"]), ('k"', ["v"])], {"n": "x", 'k"': "v"}),
    ],
)
def test_objects(parameters: list[tuple[str, list[str]]], value: object) -> None:
    assert json.loads("".join(written(parameters))) == value


def test_a_string_leaves_as_it_grows_and_nothing_else_does() -> None:
    assert written([("text", ["ab", "c"])]) == ['{"text":"', "ab", "c", '"', "}"]
    assert written([("n", ["1", "2"])]) == ['{"n":', "", "", "12", "}"]


@given(st.dictionaries(st.text(), st.lists(st.text(), max_size=3), max_size=4))
def test_texts_come_back_as_they_were(parameters: dict[str, list[str]]) -> None:
    text = "".join(written(list(parameters.items()), {}))
    assert json.loads(text) == {name: "".join(texts) for name, texts in parameters.items()}
