"""What fits a schema, and what is meant by what does not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from landline.core.schema_fit import Fitter

NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}
ROOT = {"$defs": {"node": NODE, "loop": {"anyOf": [{"$ref": "#/$defs/loop"}, {"$ref": "#/$defs/loop"}]}}}


@pytest.mark.parametrize(
    ("value", "schema", "meant"),
    [
        ("5", {"type": "integer"}, 5),
        ("5", {"type": ["integer", "string"]}, "5"),
        ("5", {}, "5"),
        ("x", {"type": "integer"}, "x"),
        ("True", {"type": "boolean"}, True),
        ("null", {"type": ["integer", "null"]}, None),
        ("[1]", {"type": "array"}, [1]),
        ("[1", {"type": "array", "items": {"type": "integer"}}, "[1"),
        ("a", {"type": "array", "items": {"type": "string"}}, ["a"]),
        (1, {"type": "array", "items": {"type": "string"}}, 1),
        ({"n": "1"}, {"type": "array", "items": {"$ref": "#/$defs/node"}}, [{"n": 1}]),
        ({"next": {"next": {"n": "1"}}}, {"$ref": "#/$defs/node"}, {"next": {"next": {"n": 1}}}),
        ('{"n": "1"}', {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}, {"n": 1}),
        ("7", {"enum": [7, 8]}, 7),
        ("9", {"enum": [7, 8]}, "9"),
        (5, {"type": "string"}, 5),
        (True, {"type": "integer"}, True),
        (5.0, {"type": "integer"}, 5.0),
        ("1", {"$ref": "#/$defs/loop"}, "1"),
    ],
)
def test_what_is_meant(value: Any, schema: dict[str, Any], meant: Any) -> None:
    found = Fitter(ROOT).meant(value, schema)
    assert (found, type(found)) == (meant, type(meant))


def test_what_cannot_be_read_allows_everything() -> None:
    for schema in (None, 5, {"type": 5}, {"$ref": "#/nowhere"}, {"$ref": "http://x"}, {"anyOf": 3}, {"properties": []}):
        for value in (None, 1, "x", [], {}):
            assert Fitter({}).meant(value, schema) is value
            assert Fitter({}).fits(value, schema)


def test_hostile_schemas_and_values_are_looked_at_for_a_while_only() -> None:
    deep: Any = {}
    for _ in range(200):
        deep = {"next": deep, "other": deep}
    twice = {"anyOf": [NODE | {"properties": {name: {"$ref": "#/$defs/b"} for name in ("next", "other")}}] * 3}
    began = time.process_time()
    Fitter({"$defs": {"b": twice}}).meant({"x": deep}, {"properties": {"x": {"$ref": "#/$defs/b"}}})
    Fitter({}).meant(["1"] * 500_000, {"type": "array", "items": {"type": "integer"}})
    assert time.process_time() - began < 5
