"""Settings of VS Code are edited where they must be, and every other byte stays: comments, commas, line ends."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.clients.doctor.commented_json import decoded, plain, with_member, with_variables

NAME = "claudeCode.environmentVariables"
WANTED = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000", "ANTHROPIC_AUTH_TOKEN": "landline"}
BASE, TOKEN = (
    '{"name": "ANTHROPIC_BASE_URL", "value": "http://127.0.0.1:4000"}',
    ('{"name": "ANTHROPIC_AUTH_TOKEN", "value": "landline"}'),
)
NONE: frozenset[str] = frozenset()


def test_comments_and_trailing_commas_leave_blanks_and_strings_stay() -> None:
    text = '{ // "a": 1,\n  "b//c": "/* no */", /* , */\n  "d": [1, 2, /* x\ny */ ],\n}'
    assert len(plain(text)) == len(text)
    assert plain(text).count("\n") == text.count("\n")
    assert decoded(text) == {"b//c": "/* no */", "d": [1, 2]}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": /* no end }', "{'a': 1}", '{"a": 1,,}'])
def test_what_is_no_such_document(text: str) -> None:
    with pytest.raises(ValueError):
        decoded(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{\n}\n", f'{{\n  "{NAME}": [\n    {BASE},\n    {TOKEN}\n  ]\n}}\n'),
        ("{}", f'{{\n  "{NAME}": [\n    {BASE},\n    {TOKEN}\n  ]\n}}'),
        (
            '{\n    // x\n    "a": 1 // one\n    // y\n}\n',
            f'{{\n    // x\n    "a": 1, // one\n    "{NAME}": [\n      {BASE},\n      {TOKEN}\n    ]\n    // y\n}}\n',
        ),
        (
            '{\n\t"a": 1, // one, and its comma\n}\n',
            f'{{\n\t"a": 1, // one, and its comma\n\t"{NAME}": [\n\t  {BASE},\n\t  {TOKEN}\n\t],\n}}\n',
        ),
        (
            '{\r\n  "a": 1\r\n}\r\n',
            f'{{\r\n  "a": 1,\r\n  "{NAME}": [\r\n    {BASE},\r\n    {TOKEN}\r\n  ]\r\n}}\r\n',
        ),
        ('{"a": 1}', f'{{"a": 1,\n  "{NAME}": [\n    {BASE},\n    {TOKEN}\n  ]}}'),
        (f'{{\n  "{NAME}": [],\n}}', f'{{\n  "{NAME}": [\n    {BASE},\n    {TOKEN}\n  ],\n}}'),
    ],
)
def test_a_list_that_is_not_there_yet(before: str, after: str) -> None:
    assert with_variables(before, NAME, WANTED, NONE) == after
    assert with_variables(after, NAME, WANTED, NONE) == after
    assert decoded(after)[NAME] == [{"name": name, "value": value} for name, value in WANTED.items()]


def test_a_list_that_is_there_keeps_what_is_not_ours() -> None:
    before = (
        "{\n"
        f'  "{NAME}": [ // for the gateway\n'
        '    { "name": "MINE", "value": "1" }, // stays\n'
        '    { "value": "http://old" /* was */, "name": "ANTHROPIC_BASE_URL" },\n'
        '    { "name": "ANTHROPIC_API_KEY", "value": "sk-old" }, /* last, with a comma */\n'
        "  ],\n"
        '  "z": {"name": "ANTHROPIC_BASE_URL", "value": "not this one"},\n'
        "}\n"
    )
    after = before.replace("http://old", WANTED["ANTHROPIC_BASE_URL"]).replace("sk-old", "")
    after = after.replace("with a comma */\n", f"with a comma */\n    {TOKEN},\n")
    assert with_variables(before, NAME, WANTED, frozenset({"ANTHROPIC_API_KEY"})) == after
    assert decoded(after)[NAME][-1]["name"] == "ANTHROPIC_AUTH_TOKEN"


def test_a_value_of_the_wrong_kind_is_written_anew() -> None:
    wrong = [{"name": "ANTHROPIC_BASE_URL"}, "junk", {"name": 5}, {"name": "ANTHROPIC_AUTH_TOKEN", "value": 7}]
    before = json.dumps({NAME: wrong})
    after = decoded(with_variables(before, NAME, WANTED, NONE))[NAME]
    assert after == [json.loads(BASE), "junk", {"name": 5}, json.loads(TOKEN)]


@pytest.mark.parametrize("value", ['"x"', "5", '{"ANTHROPIC_BASE_URL": "http://x"}'])
def test_something_else_in_its_place_is_not_overwritten(value: str) -> None:
    with pytest.raises(ValueError, match="no list"):
        with_variables(f'{{"{NAME}": {value}}}', NAME, WANTED, NONE)


def test_a_member_is_set_where_it_stands() -> None:
    assert with_member('{"a": false, // no\n}', ("a",), value=True) == '{"a": true, // no\n}'


SPACE = st.sampled_from(["", " ", "\n", "\n    ", ' // a, "b": {\n', " /* } ] , */ ", "\n\t// x\n"])
VALUES = st.sampled_from(
    ["1", "true", '"// no comment"', '"a, }"', '{"x": [1, 2]}', "[]", '[{"name": "N", "value": "v"}]']
)
ENTRIES = st.sampled_from(
    [
        '{"name": "MINE", "value": "1"}',
        '{"value": "http://old", "name": "ANTHROPIC_BASE_URL"}',
        '{"name": "ANTHROPIC_API_KEY", "value": "k"}',
        '{"name": "ANTHROPIC_BASE_URL", "value": "http://127.0.0.1:4000"}',
    ]
)


@st.composite
def documents(draw: Any) -> str:
    def joined(parts: list[str]) -> str:
        spaced = [draw(SPACE) + part + draw(SPACE) for part in parts]
        trailing = "," + draw(SPACE) if parts and draw(st.booleans()) else ""
        return ",".join(spaced) + trailing

    members = [f'"k{at}"{draw(SPACE)}:{draw(SPACE)}{draw(VALUES)}' for at in range(draw(st.integers(0, 3)))]
    if draw(st.booleans()):
        entries = joined(draw(st.lists(ENTRIES, max_size=3)))
        members.insert(draw(st.integers(0, len(members))), f'"{NAME}":{draw(SPACE)}[{draw(SPACE)}{entries}]')
    return draw(SPACE) + "{" + draw(SPACE) + joined(members) + draw(SPACE) + "}" + draw(SPACE)


def comments(text: str) -> list[str]:
    parts = re.findall(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|//[^\n]*|/\*.*?\*/', text, re.DOTALL)
    return [part for part in parts if part[0] == "/"]


@given(text=documents())
def test_any_layout_keeps_its_comments_and_gets_what_is_wanted(text: str) -> None:
    before = decoded(text)
    edited = with_variables(text, NAME, WANTED, frozenset({"ANTHROPIC_API_KEY"}))
    after = decoded(edited)
    assert {name: value for name, value in after.items() if name != NAME} == {
        name: value for name, value in before.items() if name != NAME
    }
    told = {entry["name"]: entry["value"] for entry in after[NAME]}
    assert told.items() >= WANTED.items()
    assert told.get("ANTHROPIC_API_KEY", "") == ""
    kept = [entry["name"] for entry in before.get(NAME, [])]
    assert [entry["name"] for entry in after[NAME]][: len(kept)] == kept
    assert comments(edited) == comments(text)
    assert with_variables(edited, NAME, WANTED, frozenset({"ANTHROPIC_API_KEY"})) == edited
