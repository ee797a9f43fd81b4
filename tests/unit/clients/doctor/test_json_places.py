"""Lines of keys, and edits that change nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.clients.doctor.json_places import changed_document, members, with_value, without

FILE = """{
  "model": "a",
  "env": {
    "ONE": "1",  "TWO": "2",
    "TEXT": "a \\"quoted\\" {brace} [and, a] : colon",
    "ONE": "again"
  },
  "hooks": {"deep": {"model": [1, {"env": 2}]}},
  "permissions": { "allow": ["Bash"], "defaultMode": "plan" }
}
"""


def line_of(text: str, *keys: str) -> int:
    return members(text)[keys].line


def test_lines() -> None:
    assert line_of(FILE, "model") == 2
    assert line_of(FILE, "env") == 3
    assert line_of(FILE, "env", "TWO") == 4
    assert line_of(FILE, "env", "ONE") == 6  # the last one counts
    assert line_of(FILE, "permissions", "defaultMode") == 9
    assert ("hooks", "deep", "model") not in members(FILE)


def test_values_are_found_whole() -> None:
    for keys, place in members(FILE).items():
        value: Any = json.loads(FILE)
        for key in keys:
            value = value[key]
        assert json.loads(FILE[place.value_start : place.value_end]) == value


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ('{"a": 1}\n', ("a",), '{"a": "x"}\n'),
        ('{"a": 1}', ("b",), '{"a": 1, "b": "x"}'),
        ("{}", ("b",), '{\n  "b": "x"\n}'),
        ('{\n\t"a": 1\n}', ("b",), '{\n\t"a": 1,\n\t"b": "x"\n}'),
        ('{\r\n  "a": 1\r\n}\r\n', ("b",), '{\r\n  "a": 1,\r\n  "b": "x"\r\n}\r\n'),
        ('{\n  "env": {}\n}', ("env", "B"), '{\n  "env": {\n    "B": "x"\n  }\n}'),
        ('{\n  "env": 5\n}', ("env", "B"), '{\n  "env": {"B": "x"}\n}'),
        ('{\n  "a": 1\n}', ("env", "B"), '{\n  "a": 1,\n  "env": {"B": "x"}\n}'),
    ],
)
def test_setting(before: str, keys: tuple[str, ...], after: str) -> None:
    assert with_value(before, keys, "x") == after


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ('{"a": 1, "b": 2}', ("a",), '{"b": 2}'),
        ('{"a": 1, "b": 2}', ("b",), '{"a": 1}'),
        ('{"a": 1}', ("a",), "{}"),
        ('{\n  "a": 1,\n  "b": 2\n}', ("a",), '{\n  "b": 2\n}'),
        ('{\n  "a": 1,\n  "b": 2\n}', ("b",), '{\n  "a": 1\n}'),
        ('{\n  "a": 1\n}', ("c",), '{\n  "a": 1\n}'),
        ('{"env": {"A": "1"}}', ("env", "A"), '{"env": {}}'),
    ],
)
def test_removing(before: str, keys: tuple[str, ...], after: str) -> None:
    assert without(before, keys) == after


NAMES = st.sampled_from(["env", "A", "B", "model", 'quoted"', "é\\", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
KEYS = st.lists(NAMES, min_size=1, max_size=2).map(tuple)


@given(DOCUMENTS, KEYS, st.text(max_size=6), st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_an_edit_is_that_of_the_document(
    document: dict[str, Any], keys: tuple[str, ...], value: str, indent: Any, remove: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    edited = without(text, keys) if remove else with_value(text, keys, value)
    assert json.loads(edited) == changed_document(document, keys, value, remove=remove)
    if remove and edited != text:
        assert with_value(edited, keys, value) != edited


@given(DOCUMENTS, st.sampled_from([None, 0, 2]))
def test_every_line_holds_its_key(document: dict[str, Any], indent: Any) -> None:
    text = json.dumps(document, indent=indent)
    lines = text.split("\n")
    for keys, place in members(text).items():
        assert json.dumps(keys[-1]) in lines[place.line - 1]
