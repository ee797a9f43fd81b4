"""Calls in JSON or in Python's notation that a backend hands on as text."""

from __future__ import annotations

import json

import pytest

from landline.families.tool_parsers.syntax import Ended, Said
from tests.fakes.tool_calls import ARGUMENTS, JSON, JSON_SYNTAXES, call, read, said, values_in

OBJECT = f'{{"name": "write", "arguments": {JSON}}}'
KIMI = f"<|tool_call_begin|>functions.write:0<|tool_call_argument_begin|>{JSON}<|tool_call_end|>"


def read_in_pieces(text: str) -> list[object]:
    """As a backend streams it: a few characters at a time."""
    return list(read(text, cuts=5))


@pytest.mark.row("4.12")
def test_row_4_12_hermes_cut_or_not_closed() -> None:
    assert read_in_pieces(f"<tool_call>{OBJECT}") == call()
    for size in range(len('<tool_call>{"name": "write", "arguments": {'), len(OBJECT) + 9):
        *_, end = read_in_pieces(f"<tool_call>{OBJECT}"[:size])
        assert end == Ended(whole=False)


@pytest.mark.row("4.14")
def test_row_4_14_json_in_a_fence_counts_alone() -> None:
    fence = f"```json\n{OBJECT}\n```"
    assert read_in_pieces(fence) == call()
    for text in (f"Like this:\n{fence}", f"{fence}\nThis writes it."):
        assert read_in_pieces(text) == [Said(text)]


@pytest.mark.row("4.15")
def test_row_4_15_llama_json() -> None:
    one, other = f'{{"name": "write", "parameters": {JSON}}}', '{"name": "read", "parameters": {"file": "x"}}'
    assert read_in_pieces(one) == call()
    for text in (f"{one}; {other}", f"<|python_tag|>{one};{other}"):
        assert read_in_pieces(text) == [*call(), *call("read", '{"file": "x"}')]


@pytest.mark.row("4.16")
def test_row_4_16_pythonic_literals_only() -> None:
    source = 'write(path="a.txt", text="say \\"hi\\"\\nbye", n=3)'
    assert values_in(read(f'[{source}, read(file="x")]', cuts=5)) == [("write", ARGUMENTS), ("read", {"file": "x"})]
    text = '[read(file="x"), write(path=__import__("os").getcwd(), text="")]'
    assert read_in_pieces(text) == [Said(text)]


@pytest.mark.row("4.17")
def test_row_4_17_mistral_of_both_generations() -> None:
    for text in (f"[TOOL_CALLS]write[ARGS]{JSON}", f"[TOOL_CALLS]write{JSON}", f"[TOOL_CALLS] [{OBJECT}]"):
        assert read_in_pieces(f"So.\n{text}") == [Said("So.\n"), *call()]
    assert read_in_pieces(f"[TOOL_CALLS]write{JSON[:20]}")[-1] == Ended(whole=False)


@pytest.mark.row("4.19")
def test_row_4_19_deepseek_v3_and_a_doubled_bracket() -> None:
    text = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>write\n```json\n{}\n```<｜tool▁call▁end｜>"
    assert read_in_pieces(text.replace("{}", JSON) + "<｜tool▁calls▁end｜>") == call()
    assert read_in_pieces(text.replace("{}", "{" + JSON) + "<｜tool▁calls▁end｜>") == call(arguments="{" + JSON + "\n")


@pytest.mark.row("4.20")
def test_row_4_20_kimi_sections_in_every_form() -> None:
    for wrapped in (
        f"<|tool_calls_section_begin|>{KIMI}<|tool_calls_section_end|>",
        f"<|tool_call_section_begin|>{KIMI}<|tool_call_section_end|>",
        KIMI,
    ):
        assert read_in_pieces(wrapped) == call(ident="functions.write:0")


@pytest.mark.row("4.21")
def test_row_4_21_kimi_long_arguments_a_newline_in_the_id_and_text_before() -> None:
    long = json.dumps({"path": "a", "text": "x = 1\n" * 4000})
    found = read(f"Now.\n{KIMI.replace(JSON, long).replace(':0', ':0' + chr(10))}", cuts=97)
    assert found == [Said("Now.\n"), *call(arguments=long, ident="functions.write:0")]


@pytest.mark.row("4.28")
def test_row_4_28_marks_of_harmony_in_the_name() -> None:
    for name in ("write<|channel|>commentary", "write<|constrain|>json"):
        text = f"<|channel|>commentary to=functions.{name}<|message|>{JSON}<|call|>"
        assert read_in_pieces(text) == call()
        assert read_in_pieces(f'<tool_call>{{"name": "{name}", "arguments": {JSON}}}</tool_call>') == call()


@pytest.mark.row("4.30")
def test_row_4_30_harmony_without_a_recipient() -> None:
    assert read_in_pieces(f"<|channel|>commentary<|message|>{JSON}<|end|>") == call()
    ambiguous = read('<|channel|>commentary<|message|>{"n": 3}<|end|>', cuts=5)
    assert (values_in(ambiguous), said(ambiguous)) == ([], '{"n": 3}')


@pytest.mark.row("4.44")
def test_row_4_44_every_mark_inside_an_argument() -> None:
    marks = "".join(opener for syntax in JSON_SYNTAXES for opener in syntax.openers)
    arguments = {"text": f"</tool_call>{marks}<|tool_call_end|></tool_calls><|END_ACTION|><|call|>\n```\n", "n": 1}
    text = json.dumps(arguments, ensure_ascii=False)
    for wrapped in (f'<tool_call>{{"name": "write", "arguments": {text}}}</tool_call>', KIMI.replace(JSON, text)):
        assert values_in(read(wrapped, cuts=5)) == [("write", arguments)]
