"""JSON without any mark, and Llama's forms: rows 4.14 and 4.15."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers import bare_json, llama
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said
from tests.fakes.tool_calls import JSON, call, read, read_in_every_cut

SYNTAXES = (*bare_json.SYNTAXES, *llama.SYNTAXES)
OBJECT = f'{{"name": "write", "arguments": {JSON}}}'
LLAMA = f'{{"name": "write", "parameters": {JSON}}}'


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{OBJECT}\n```",
        f"```\n{OBJECT}\n```\n",
        f"\n```tool_call\n[{OBJECT}]\n```",
        f"```json\n{OBJECT}\n",
        OBJECT,
        f"\n {LLAMA}\n",
        f"[{OBJECT}]",
        f'{{"type": "function", "function": {OBJECT}}}',
    ],
)
def test_row_4_14_alone_it_is_a_call(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == call()


@pytest.mark.parametrize(
    "text",
    [
        f"I will write it.\n```json\n{OBJECT}\n```",
        f"```json\n{OBJECT}\n```\nThis writes it.",
        f"{OBJECT}\nThis writes it.",
        f"[{OBJECT}] x",
        f"```python\n{OBJECT}\n```",
        '{"name": "write", "description": "d", "parameters": {"type": "object"}}',
        '{"name": "write"}',
        '{"name": "write", "arguments": 5}',
        '{"name": "nobody", "arguments": {}}',
        '{"answer": 42}',
        '{"name": "write", "arguments": {"n": 1',
        '```json\n{"name": "write", "argu',
        "[1, 2]",
        "{}",
        "```",
        "```json",
        "{",
    ],
)
def test_row_4_14_beside_anything_else_it_is_text(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]


def test_in_a_later_block_it_is_text() -> None:
    assert read(OBJECT, SYNTAXES, alone=False) == [Said(OBJECT)]


def test_what_is_no_call_leaves_early() -> None:
    long = '{"answer": "' + "x" * 1000
    assert read(long, SYNTAXES)[:1] == [Said(long)]


def test_a_refused_fence_is_still_a_fence() -> None:
    text = "```xml\n<|python_tag|>" + LLAMA + "\n```\n"
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]


@pytest.mark.parametrize("between", ["; ", ";", "\n", ";\n"])
def test_row_4_15_several_with_and_without_the_tag(between: str) -> None:
    two = f'{LLAMA}{between}{{"name": "read", "parameters": {{"file": "x"}}}}'
    found = [*call(), *call("read", '{"file": "x"}')]
    assert read_in_every_cut(two, SYNTAXES) == found
    assert read_in_every_cut(f"<|python_tag|>{two}", SYNTAXES) == found
    assert read_in_every_cut(f"<|python_tag|>{two}<|eom_id|>", SYNTAXES) == found


def test_row_4_15_behind_the_tag_it_streams() -> None:
    cut = read_in_every_cut('Well.\n<|python_tag|>{"name": "write", "parameters": {"n', SYNTAXES)
    assert cut == [Said("Well.\n"), Called("write"), Argued('{"n'), Ended(whole=False)]


def test_code_behind_the_tag_is_text() -> None:
    text = '<|python_tag|>brave_search.call(query="x")'
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]
