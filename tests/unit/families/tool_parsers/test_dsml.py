from __future__ import annotations

import pytest

from landline.families.tool_parsers.dsml import DEEPSEEK_V4, DEEPSEEK_V32, DEEPSEEK_V41
from landline.families.tool_parsers.syntax import Argued, Called, Said, Syntax
from landline.families.tool_parsers.text import Openers, TextReader
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, toolbox, written

SYNTAXES = (DEEPSEEK_V32, DEEPSEEK_V4, DEEPSEEK_V41)


def example(block: str, mark: str = "｜DSML｜", head: str = "I will write it.\n") -> str:
    return f"""{head}<{mark}{block}>
<{mark}invoke name="write">
<{mark}parameter name="path" string="true">a.txt</{mark}parameter>
<{mark}parameter name="text" string="true">say "hi"
bye</{mark}parameter>
<{mark}parameter name="n" string="false">3</{mark}parameter>
</{mark}invoke>
</{mark}{block}>"""


WRITTEN = [
    (DEEPSEEK_V32, "function_calls", "｜DSML｜"),
    (DEEPSEEK_V4, "tool_calls", "｜DSML｜"),
    (DEEPSEEK_V41, "calls", "｜DSML｜ "),
]


@pytest.mark.parametrize(("syntax", "block", "mark"), WRITTEN)
def test_the_examples_of_the_grammar_and_how_they_are_written(syntax: Syntax, block: str, mark: str) -> None:
    text = example(block, mark)
    pieces = read(syntax, [text + "\nAfter"])

    assert pieces == read(syntax, list(text + "\nAfter"))
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == "I will write it.\n\nAfter"
    assert syntax.write(written(("write", ARGUMENTS))) == text.partition("\n")[2]


@pytest.mark.parametrize("mark", ["｜DSML｜", "｜DSML｜ ", "|DSML|", "||DSML||", " | DSML | ", "｜｜DSML｜｜", "", " "])
@pytest.mark.parametrize("block", ["function_calls", "tool_calls", "tool_use", "toolcalls", "tool", "calls"])
def test_row_4_18_every_block_with_every_spelling_of_the_token(block: str, mark: str) -> None:
    if not mark.strip() and block in ("tool", "toolcalls"):
        pytest.skip("without the token these are words of any XML")
    text = example(block, mark)
    pieces = read(DEEPSEEK_V32, list(text))

    if mark == " " and block != "calls":
        assert calls(pieces) == [("write", ARGUMENTS)]  # by its invoke; only V4.1 has the space, and another block
        return
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == "I will write it.\n"


def test_an_invoke_without_a_block() -> None:
    text = '<｜DSML｜invoke name="write">\n<｜DSML｜parameter name="path">"a"</｜DSML｜parameter>\n</｜DSML｜invoke>'

    assert calls(read(DEEPSEEK_V4, list(text))) == [("write", {"path": "a"})]


@pytest.mark.parametrize(
    ("parameter", "meant"),
    [
        ('name="n" string="true">5', {"n": 5}),
        ('name="text" string="false">5', {"text": "5"}),
        ('name="text" string="true">"q"', {"text": '"q"'}),
        ('name="text" string="false">"q\\n"', {"text": "q\n"}),
        ('name="other" string="false">[1, {"a": null}]', {"other": [1, {"a": None}]}),
        ('name="other" string="false">no json', {"other": "no json"}),
        ('name="other" string="true">5', {"other": "5"}),
        ('name="other">5', {"other": 5}),
    ],
)
def test_what_the_tag_says_of_a_value_and_what_the_schema_says(parameter: str, meant: dict[str, object]) -> None:
    text = f'<｜DSML｜tool_calls>\n<｜DSML｜invoke name="write">\n<｜DSML｜parameter {parameter}</｜DSML｜parameter>\n'

    assert calls(read(DEEPSEEK_V4, [text + "</｜DSML｜invoke>\n</｜DSML｜tool_calls>"])) == [("write", meant)]


def test_a_long_string_leaves_as_it_grows() -> None:
    reader = TextReader(Openers([DEEPSEEK_V4]), toolbox(), alone=True)
    head = '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="write">\n<｜DSML｜parameter name="text" string="true">'

    assert reader.feed(head + "ab") == [Called("write"), Argued('{"text":"ab')]
    assert reader.feed("c < d </｜D") == [Argued("c < d ")]
    assert reader.feed("x") == [Argued("</｜Dx")]


@pytest.mark.parametrize(
    "text", ["a <｜DSML｜ token", "<function_calls> are", "<invoke name= is", "<｜DSML｜tool_calls>\n\nNo."]
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert read(DEEPSEEK_V4, list(text)) == [Said(text)]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    "value", [example("tool_calls"), "</｜DSML｜invoke>", "</｜DSML｜parameter>", "</parameter> </invoke>"]
)
def test_row_4_44_tags_inside_a_value(syntax: Syntax, value: str) -> None:
    arguments = {"path": "a.md", "text": value, "n": 1}

    assert calls(read(syntax, [syntax.write(written(("write", arguments))) + "\nDone."])) == [("write", arguments)]
