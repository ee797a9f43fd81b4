"""Harmony that leaked: rows 4.28 and 4.30."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers.harmony import SYNTAXES
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said
from tests.fakes.tool_calls import JSON, call, read, read_in_every_cut, toolbox

HEAD = "<|channel|>commentary to=functions.write <|constrain|>json<|message|>"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}{JSON}<|call|>",
        f"{HEAD}{JSON}<|end|>",
        f"{HEAD}{JSON}",
        f"<|start|>assistant{HEAD}{JSON}<|call|>",
        f"<|start|>assistant to=functions.write<|channel|>commentary json<|message|>{JSON}<|call|>",
        f"<|channel|>analysis to=write code<|message|>{JSON}<|call|>",
        f"assistantcommentary to=functions.write json{JSON}",
        f"commentary to=functions.write {JSON}",
    ],
)
def test_calls_with_a_recipient(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == call()
    assert read_in_every_cut(f"I will.\n{text}", SYNTAXES) == [Said("I will.\n"), *call()]


@pytest.mark.parametrize("name", ["write<|channel|>commentary", "write<|constrain|>json", "functions.Write"])
def test_row_4_28_marks_in_the_name(name: str) -> None:
    text = f"<|channel|>commentary to=functions.{name}<|message|>{JSON}<|call|>"
    assert read_in_every_cut(text, SYNTAXES) == call()


def test_row_4_30_no_recipient_and_one_tool_that_fits() -> None:
    text = f"<|channel|>commentary<|message|>{JSON}<|end|>"
    assert read_in_every_cut(text, SYNTAXES) == call()
    assert read_in_every_cut('<|channel|>commentary<|message|>{"file": "x"}<|call|>', SYNTAXES) == call(
        "read", '{"file": "x"}'
    )


@pytest.mark.parametrize(
    "body", ['{"n": 1}', '{"what": 1, "path": "a", "text": "b"}', "{}", '{"path": ', "{not json}", "Words."]
)
def test_row_4_30_otherwise_the_marks_are_dropped(body: str) -> None:
    assert read_in_every_cut(f"<|channel|>commentary<|message|>{body}<|end|>", SYNTAXES) == [Said(body)]


def test_row_4_30_two_tools_that_fit_are_none() -> None:
    one = {"type": "object", "properties": {"a": {"type": "string"}}}
    text = '<|channel|>commentary<|message|>{"a": "x"}<|end|>'
    assert read_in_every_cut(text, SYNTAXES, tools=toolbox(f=one, g=one)) == [Said('{"a": "x"}')]
    assert read_in_every_cut(text, SYNTAXES, tools=toolbox(f=one)) == call("f", '{"a": "x"}')


@pytest.mark.parametrize(("spaces", "letters"), [(0, 65_400), (0, 65_600), (65_600, 0)])
def test_row_4_30_what_is_held_has_one_limit_in_any_cut(spaces: int, letters: int) -> None:
    body = f'{" " * spaces}{{"path": "", "text": "{"x" * letters}"}}'
    text = f"<|channel|>commentary<|message|>{body}<|call|>"
    whole = read(text, SYNTAXES)
    assert all(read(text, SYNTAXES, cuts=cuts) == whole for cuts in (1000, [65_400], [65_590]))
    assert (whole == [Said(body)]) == (spaces + letters > 65_536)


def test_a_final_message_leaves_its_marks() -> None:
    text = "<|channel|>final<|message|>All is\nwell.<|return|>"
    assert read_in_every_cut(text, SYNTAXES) == [Said("All is\nwell.")]


def test_marks_in_strings_end_nothing_and_cut_calls_stay_cut() -> None:
    arguments = '{"text": "<|call|><|end|>"}'
    assert read_in_every_cut(f"{HEAD}{arguments}<|call|>", SYNTAXES) == call(arguments=arguments)
    assert read_in_every_cut(HEAD + '{"a": "b', SYNTAXES) == [Called("write"), Argued('{"a": "b'), Ended(whole=False)]


@pytest.mark.parametrize(
    "text",
    [
        "The mark `<|channel|>` begins a header.",
        "<|channel|>other<|message|>x",
        "<|start|>user<|message|>x",
        "<|channel|>commentary to=functions.nobody<|message|>{}",
        "commentary to=functions.nobody {}",
        "commentary to=functions. ",
        "<|channel|>final",
    ],
)
def test_what_is_no_message_is_text(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]
