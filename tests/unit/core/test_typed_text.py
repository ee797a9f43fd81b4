"""What a text means where a schema says which types are allowed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.typed_text import STRING_ONLY, read_as, types_of


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "integer"}, {"integer"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"type": "Int"}, {"integer"}),
        ({"type": "dict"}, {"object"}),
        (
            {"enum": ["a", 1, None, True, 1.5, [], {}]},
            {"string", "integer", "null", "boolean", "number", "array", "object"},
        ),
        ({"anyOf": [{"type": "integer"}, {"oneOf": [{"type": "null"}]}]}, {"integer", "null"}),
        ({"anyOf": []}, {"string"}),
        ({"$ref": "#/x"}, {"string"}),
        ({}, {"string"}),
        (None, {"string"}),
        ({"type": [{"a": 1}, "array"]}, {"array"}),
        ({"type": 5}, {"string"}),
    ],
)
def test_types(schema: Any, types: set[str]) -> None:
    assert types_of(schema) == types


def test_a_schema_in_itself_ends() -> None:
    schema: dict[str, Any] = {}
    schema["anyOf"] = [schema]
    assert types_of(schema) == STRING_ONLY


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        (" 7 ", "integer", 7),
        ("+07", "integer", 7),
        ("3.5", "integer", 3.5),
        ("seven", "integer", "seven"),
        ("1e3", "number", 1000),
        ("3.0", "number", 3),
        ("NaN", "number", "NaN"),
        ("1e999", "number", "1e999"),
        ("True", "boolean", True),
        ("1", "boolean", 1),
        ("yes", "boolean", "yes"),
        ("None", ["integer", "null"], None),
        ("007", ["string", "integer"], 7),
        ("x", ["string", "integer"], "x"),
        ("null", ["string", "null"], None),
        ("null", "string", "null"),
        ("5", "string", "5"),
        (" [1, 2] ", "array", [1, 2]),
        ('{"a": 1}', "array", {"a": 1}),
        ('{"a": 1}', ["array", "object"], {"a": 1}),
        ("{'a': 1}", "object", "{'a': 1}"),
        ("[" * 100_000, "array", "[" * 100_000),
    ],
)
def test_values(text: str, types: Any, value: object) -> None:
    found = read_as(text, {"type": types})
    assert found == value
    assert type(found) is type(value)


@given(st.text(), st.sampled_from(["null", "integer", "number", "boolean", "object", "array", "string"]))
def test_any_text_gives_a_value_that_can_be_written(text: str, kind: str) -> None:
    value = read_as(text, {"type": kind})
    assert msgspec.json.decode(msgspec.json.encode(value)) == value
    assert kind != "string" or value == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_comes_back_where_its_type_is_asked_for(value: object) -> None:
    kinds = ["null", "integer", "boolean", "object", "array"]
    assert read_as(msgspec.json.encode(value).decode(), {"type": kinds}) == value
