"""Kimi K2: rows 4.20 and 4.21."""

from __future__ import annotations

import json

import pytest

from landline.families.tool_parsers.kimi import KIMI_K2
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said, WrittenCall
from tests.fakes.tool_calls import JSON, call, read, read_in_every_cut

SYNTAXES = (KIMI_K2,)
CALL = f"<|tool_call_begin|>functions.write:0<|tool_call_argument_begin|>{JSON}<|tool_call_end|>"
FOUND = call(ident="functions.write:0")


@pytest.mark.parametrize(
    "text",
    [
        f"<|tool_calls_section_begin|>{CALL}<|tool_calls_section_end|>",
        f"<|tool_call_section_begin|>{CALL}<|tool_call_section_end|>",
        f"<|tool_calls_section_begin|>\n{CALL}\n<|tool_calls_section_end|>",
        f"<|tool_calls_section_begin|>{CALL}",
        CALL,
        CALL.removesuffix("<|tool_call_end|>"),
        CALL.removesuffix("<|tool_call_end|>") + "<|tool_calls_section_end|>",
        CALL.replace("write:0", "write:0\n").replace("begin|>func", "begin|>\nfunc"),
    ],
)
def test_row_4_20_sections_in_every_form(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == FOUND
    assert read_in_every_cut(f"Content.\n{text}", SYNTAXES) == [Said("Content.\n"), *FOUND]


def test_row_4_21_long_arguments() -> None:
    arguments = json.dumps({"path": "a", "text": "line of <|tool_call_end|> \n" * 800})
    text = CALL.replace(JSON, arguments)
    assert len(text) > 20_000
    assert read(text, SYNTAXES, cuts=37) == call(arguments=arguments, ident="functions.write:0")


def test_several_calls_and_ids_of_other_forms() -> None:
    other = CALL.replace("functions.write:0", "read")
    found = read_in_every_cut(f"<|tool_calls_section_begin|>{CALL} {other}<|tool_calls_section_end|> x", SYNTAXES)
    assert found == [*FOUND, *call("read"), Said(" x")]


def test_no_arguments() -> None:
    text = "<|tool_call_begin|>functions.write:3<|tool_call_argument_begin|><|tool_call_end|>"
    assert read_in_every_cut(text, SYNTAXES) == call(arguments="{}", ident="functions.write:3")


def test_the_output_ends_in_a_call() -> None:
    head = "<|tool_call_begin|>functions.write:0<|tool_call_argument_begin|>"
    assert read_in_every_cut(head, SYNTAXES) == [Called("write", "functions.write:0"), Ended(whole=False)]
    cut = read_in_every_cut(head + '{"a": 1', SYNTAXES)
    assert cut == [Called("write", "functions.write:0"), Argued('{"a": 1'), Ended(whole=False)]
    assert read_in_every_cut(head + '{"a": 1}<|tool_ca', SYNTAXES)[-1] == Ended(whole=True)


@pytest.mark.parametrize(
    "text",
    [
        "<|tool_calls_section_begin|>",
        "<|tool_calls_section_begin|><|tool_calls_section_end|>",
        "<|tool_calls_section_begin|> is a mark",
        "<|tool_call_begin|>functions.nobody:0<|tool_call_argument_begin|>{}<|tool_call_end|>",
        "<|tool_call_begin|>" + "x" * 300,
    ],
)
def test_what_is_no_call_is_text(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]


def test_ids_are_written_as_the_model_had_them() -> None:
    assert KIMI_K2.write([WrittenCall("write", JSON, "functions.write:4")]).count("functions.write:4<") == 1
    assert "functions.read:1<" in KIMI_K2.write([WrittenCall("write", JSON), WrittenCall("read", "{}")])
