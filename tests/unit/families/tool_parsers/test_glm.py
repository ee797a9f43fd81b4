from __future__ import annotations

import pytest

from landline.families.tool_parsers.glm import GLM, GLM_COMPACT
from landline.families.tool_parsers.syntax import Called, Ended, Said, Syntax
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, written

EXAMPLE = """I will write it.
<tool_call>write
<arg_key>path</arg_key>
<arg_value>a.txt</arg_value>
<arg_key>text</arg_key>
<arg_value>say "hi"
bye</arg_value>
<arg_key>n</arg_key>
<arg_value>3</arg_value>
</tool_call>"""


def of(text: str, syntax: Syntax = GLM) -> list[tuple[str, object]]:
    pieces = read(syntax, [text])
    assert read(syntax, list(text)) == pieces
    return calls(pieces)


def test_the_example_of_the_grammar_and_how_it_is_written() -> None:
    assert of(EXAMPLE) == of(EXAMPLE.replace("\n<arg", "<arg").replace("\n</", "</")) == [("write", ARGUMENTS)]
    assert GLM.write(written(("write", ARGUMENTS))) == EXAMPLE.partition("\n")[2]
    assert GLM_COMPACT.write(written(("write", {"n": 3}))) == (
        "<tool_call>write<arg_key>n</arg_key><arg_value>3</arg_value></tool_call>"
    )


def test_values_are_taken_as_they_are_written() -> None:
    text = "<tool_call>write<arg_key> path </arg_key><arg_value>\n a \n</arg_value></tool_call>"

    assert of(text) == [("write", {"path": "\n a \n"})]


@pytest.mark.parametrize("text", ["<tool_call>write</tool_call>", "<tool_call>\nwrite\n</tool_call>"])
def test_row_4_22_a_call_without_arguments(text: str) -> None:
    assert of(text) == [("write", {})]


def test_row_4_22_arguments_behind_a_newline() -> None:
    assert of("<tool_call>write\n<arg_key>path</arg_key><arg_value>v</arg_value></tool_call>") == [
        ("write", {"path": "v"})
    ]


@pytest.mark.parametrize(
    ("written_name", "call"),
    [
        ("grep_toolpattern", ("grep_tool", {"pattern": "x y"})),
        ("grep_tool\npattern", ("grep_tool", {"pattern": "x y"})),
        ("greptool", ("grep", {"tool": "x y"})),
    ],
)
def test_row_4_23_the_first_key_runs_into_the_tools_name(written_name: str, call: tuple[str, object]) -> None:
    assert of(f"<tool_call>{written_name}</arg_key><arg_value>x y</arg_value></tool_call>") == [call]


@pytest.mark.parametrize(
    "pairs",
    [
        "<arg_key>path</arg_key>a.txt</arg_value><arg_key>n</arg_key><arg_value>3</arg_value>",
        "<arg_key>path</arg_key>a.txt\n<arg_key>n</arg_key><arg_value>3</arg_value>",
        "<arg_key>path</arg_key>\na.txt\n<arg_key>n</arg_key>3</arg_value>",
        "<arg_key>path</arg_key>a.txt<arg_key>n</arg_key>3",
    ],
)
def test_row_4_24_the_tag_of_a_value_is_missing(pairs: str) -> None:
    assert of(f"<tool_call>write\n{pairs}</tool_call>") == [("write", {"path": "a.txt", "n": 3})]


def test_row_4_24_a_key_without_any_value_makes_the_call_one_that_must_not_run() -> None:
    assert Ended(False) in read(GLM, ["<tool_call>write<arg_key>path</arg_key></tool_call>\n"])


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "write", "arguments": {}}\n</tool_call>',
        "<tool_call>\n<function=write>\n</function>\n</tool_call>",
        "<tool_call>no_such_thing</tool_call>",
        "The <tool_call> tag.",
        "<tool_call>write this down",
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert read(GLM, list(text)) == [Said(text)]


def test_text_between_and_behind_calls_stays() -> None:
    text = "<tool_call>write</tool_call>\nThen\n<tool_call>write</tool_call>\nEnd"
    pieces = read(GLM, [text])

    assert [type(piece) for piece in pieces].count(Called) == 2
    assert said(pieces) == "\nThen\n\nEnd"


@pytest.mark.parametrize("value", ["</tool_call>", "a</arg_value> b", "<tool_call>x</tool_call>", EXAMPLE, "<arg_key>"])
def test_row_4_44_tags_inside_a_value(value: str) -> None:
    arguments = {"path": "a.md", "text": value, "n": 1}

    for syntax in (GLM, GLM_COMPACT):
        assert of(syntax.write(written(("write", arguments))) + "\nDone.", syntax) == [("write", arguments)]
