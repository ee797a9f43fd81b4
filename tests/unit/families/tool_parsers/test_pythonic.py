"""Calls in Python's notation: row 4.16."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers.python_calls import NotCalls, calls_of, source_of
from landline.families.tool_parsers.pythonic import SYNTAXES
from landline.families.tool_parsers.syntax import Piece, Said, Syntax, WrittenCall
from tests.fakes.tool_calls import ARGUMENTS, read, read_in_every_cut, said, toolbox, values_in

SOURCE = 'write(path="a.txt", text="say \\"hi\\"\\nbye", n=3)'


def values(text: str) -> list[tuple[str, object]]:
    found = read_in_every_cut(text, SYNTAXES)
    assert said(found) == ""
    return values_in(found)


@pytest.mark.parametrize(
    "text",
    [
        f"[{SOURCE}]",
        f"\n[ {SOURCE} ]\n",
        f"<|python_start|>[{SOURCE}]<|python_end|>",
        f"<|tool_call_start|>[{SOURCE}]<|tool_call_end|>",
        f"<|tool_call_start|>[{SOURCE}]",
        f"<function_calls>\n{SOURCE}\n</function_calls>",
        f"<function_calls>{SOURCE}",
    ],
)
def test_the_examples(text: str) -> None:
    assert values(text) == [("write", ARGUMENTS)]


def test_text_stays_around_marked_calls() -> None:
    found = read_in_every_cut(f"I will.\n<|tool_call_start|>[{SOURCE}]<|tool_call_end|>\nBye.", SYNTAXES)
    assert (found[0], found[-1]) == (Said("I will.\n"), Said("\nBye."))
    assert values_in(found) == [("write", ARGUMENTS)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("True", True),
        ("none", None),
        ("null", None),
        ("-1.5", -1.5),
        ("[1, (2, 3), {'a': {'b'}}]", [1, [2, 3], {"a": ["b"]}]),
        ("'a' 'b'", "ab"),
        ("'''x'y'''", "x'y"),
        ('""', ""),
        (r"'\d\n\u00e9'", "\\d\né"),
        ("'C:\\Users\nx'", "C:\\Users\nx"),
        ("'(]</function_calls>'", "(]</function_calls>"),
        (r"'\ud83d'", "�"),
    ],
)
def test_literals(source: str, value: object) -> None:
    assert values(f"[write(text={source})]") == [("write", {"text": value})]
    assert values(f"<function_calls>\nwrite(text={source})\n</function_calls>") == [("write", {"text": value})]


@pytest.mark.parametrize(
    "argument",
    ["1 + 1", "f()", "x", "a.b", "[i for i in y]", "f'{x}'", "lambda: 1", "b'x'", "...", "1e999", "{1: 2}", "1j"],
)
def test_row_4_16_an_expression_leaves_all_of_it_text(argument: str) -> None:
    for text in (
        f'[read(file="x"), write(text={argument})]',
        f"<|tool_call_start|>[write(text={argument})]<|tool_call_end|>",
    ):
        assert read_in_every_cut(text, SYNTAXES) == [Said(text)]


@pytest.mark.parametrize(
    "text",
    [
        "[write(1)]",
        "[nobody(a=1)]",
        "[1, 2]",
        "[write]",
        "[x for x in y]",
        "[](x)",
        "[link](http://x)",
        "[write(a=1)] x",
        "[write(a=",
        "[",
    ],
)
def test_what_is_no_call_is_text(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]


def test_several_calls_and_names_that_python_refuses() -> None:
    tools = toolbox(**{"mcp__a-b": {}, "read": {}})
    found: list[Piece] = read_in_every_cut('[mcp__a-b(from="x"), read(**{"a-b": 1}), read()]', SYNTAXES, tools=tools)
    assert values_in(found) == [("mcp__a-b", {"from": "x"}), ("read", {"a-b": 1}), ("read", {})]


def test_lines_and_commas_of_olmo() -> None:
    text = "<function_calls>\nwrite(n=1)\nread(file='a\\n')\n</function_calls>"
    assert values(text) == [("write", {"n": 1}), ("read", {"file": "a\n"})]


@pytest.mark.parametrize(
    "source",
    ["[" * 500, "(" * 5000, "[f(a=" + "-" * 5000 + "1)]", "[f(a='\\x')", "", "\0", "[f(a=" + "9" * 5000 + ")]"],
)
def test_hostile_source_is_only_no_call(source: str) -> None:
    with pytest.raises(NotCalls):
        calls_of(source)


@pytest.mark.parametrize("syntax", [syntax for syntax in SYNTAXES if not syntax.sole], ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("size", [65_400, 65_600])
def test_a_call_that_is_held_has_one_limit_in_any_cut(syntax: Syntax, size: int) -> None:
    text = syntax.write([WrittenCall("write", f'{{"text": "{"x" * size}"}}')])
    whole = read(text, SYNTAXES)
    assert all(read(text, SYNTAXES, cuts=cuts) == whole for cuts in (1000, [size], [65_590]))
    assert (said(whole) == text) == (size > 65_536)


def test_what_is_written_is_python() -> None:
    source = source_of("f", {"a": None, "if": [True, {"k": "é\n"}], "b-c": 1})
    assert source == 'f(a=None, **{"if": [True, {"k": "é\\n"}], "b-c": 1})'
    assert calls_of(f"[{source}]") == [("f", '{"a":null,"if":[true,{"k":"é\\n"}],"b-c":1}')]
