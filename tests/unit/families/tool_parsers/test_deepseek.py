"""DeepSeek V3, R1 and V3.1: row 4.19."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers.deepseek import SYNTAXES
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said
from tests.fakes.tool_calls import JSON, call, read_in_every_cut

V3 = f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>write\n```json\n{JSON}\n```<｜tool▁call▁end｜>"
V31 = f"<｜tool▁call▁begin｜>write<｜tool▁sep｜>{JSON}<｜tool▁call▁end｜>"
SECTION, OVER = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"


@pytest.mark.parametrize("one", [V3, V31])
def test_the_examples(one: str) -> None:
    assert read_in_every_cut(f"I will.\n{SECTION}{one}{OVER}", SYNTAXES) == [Said("I will.\n"), *call()]
    assert read_in_every_cut(f"{SECTION}{one}\n{one}{OVER}\nBye.", SYNTAXES) == [*call(), *call(), Said("\nBye.")]
    assert read_in_every_cut(one, SYNTAXES) == call()


@pytest.mark.parametrize(
    "text",
    [
        V3.replace("\n```<", "```<"),
        V3.replace("```json\n", "```\n"),
        V3.replace("\n```json\n", "```json\n"),
        V3.replace("```json\n", "").replace("\n```<", "<"),
        V3.replace("\n```<｜tool▁call▁end｜>", ""),
        V31.replace("<｜tool▁call▁end｜>", OVER),
    ],
)
def test_marks_may_be_missing(text: str) -> None:
    assert read_in_every_cut(SECTION + text, SYNTAXES) == call()


@pytest.mark.parametrize("arguments", ['{\n "text": "```\\n<｜tool▁call▁end｜>"\n}', '{"text": "a\n```\nb"}'])
def test_marks_in_strings_end_nothing(arguments: str) -> None:
    assert read_in_every_cut(SECTION + V3.replace(JSON, arguments) + OVER, SYNTAXES) == call(arguments=arguments)


@pytest.mark.parametrize("one", [V3, V31])
def test_row_4_19_a_doubled_bracket_loses_no_call(one: str) -> None:
    found = read_in_every_cut(SECTION + one.replace(JSON, '{{"n": 1}') + OVER, SYNTAXES)
    assert found[0] == Called("write")
    assert isinstance(found[1], Argued)
    assert found[1].text.strip() == '{{"n": 1}'
    assert found[2:] == [Ended(whole=True)]


def test_the_output_ends_in_a_call() -> None:
    cut = read_in_every_cut(SECTION + V3.partition(', "n"')[0], SYNTAXES)
    assert cut == call(arguments=JSON.partition(', "n"')[0], whole=False)


@pytest.mark.parametrize(
    "text",
    [
        SECTION,
        SECTION + OVER,
        SECTION + "some words",
        SECTION + V3.replace("write", "nobody") + OVER,
        SECTION + V31.replace("write", "nobody") + OVER,
        SECTION + V3.replace("function<", "web_search<") + OVER,
    ],
)
def test_what_is_no_call_is_text(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]
