from __future__ import annotations

import pytest

from landline.families.tool_parsers.minimax import MINIMAX_M2
from landline.families.tool_parsers.minimax_m3 import MINIMAX_M3
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said
from landline.families.tool_parsers.text import Openers, TextReader
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, toolbox, written

M2 = """I will write it.
<minimax:tool_call>
<invoke name="write">
<parameter name="path">a.txt</parameter>
<parameter name="text">say "hi"
bye</parameter>
<parameter name="n">3</parameter>
</invoke>
</minimax:tool_call>"""
N = "]<]minimax[>["
M3 = f"""I will write it.
{N}<tool_call>
{N}<invoke name="write">{N}<path>a.txt{N}</path>{N}<text>say "hi"
bye{N}</text>{N}<n>3{N}</n>{N}</invoke>
{N}</tool_call>"""
NESTED = {
    "plan": {
        "type": "object",
        "properties": {
            "todos": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"content": {"type": "string"}, "done": {"type": "boolean"}},
                },
            },
            "done": {"type": "boolean"},
            "tags": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
            "any": {"type": "object"},
        },
    }
}


@pytest.mark.parametrize(("syntax", "text"), [(MINIMAX_M2, M2), (MINIMAX_M3, M3)])
def test_row_4_26_the_examples_of_the_grammars_and_how_they_are_written(syntax: object, text: str) -> None:
    pieces = read(syntax, [text + "\nAfter"])

    assert pieces == read(syntax, list(text + "\nAfter"))
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == "I will write it.\n\nAfter"
    assert syntax.write(written(("write", ARGUMENTS))) == text.partition("\n")[2]


@pytest.mark.parametrize("name", ['"write"', "'write'", "write"])
def test_m2_names_in_any_quotes_without_the_block(name: str) -> None:
    text = f"<invoke name={name}><parameter name={name.replace('write', 'path')}>a</parameter></invoke>"

    assert calls(read(MINIMAX_M2, list(text))) == [("write", {"path": "a"})]


def test_m2_several_calls_in_a_block_and_no_end_of_a_call() -> None:
    one = '<invoke name="write">\n<parameter name="path">a</parameter>\n'

    both = [("write", {"path": "a"})] * 2
    assert (
        calls(read(MINIMAX_M2, [f"<minimax:tool_call>\n{one}</invoke>\n{one}</invoke>\n</minimax:tool_call>"])) == both
    )
    assert calls(read(MINIMAX_M2, [f"<minimax:tool_call>\n{one}{one}</minimax:tool_call>"])) == both


@pytest.mark.parametrize("value", [M2, M3, "</invoke>", "</minimax:tool_call>", f"{N}</tool_call>", "a</parameter> b"])
def test_row_4_44_tags_inside_a_value(value: str) -> None:
    arguments = {"path": "a.md", "text": value, "n": 1}

    for syntax in (MINIMAX_M2, MINIMAX_M3):
        assert calls(read(syntax, [syntax.write(written(("write", arguments))) + "\nDone."])) == [("write", arguments)]


def test_m3_elements_by_the_schema() -> None:
    arguments = {
        "todos": [{"content": "1", "done": True}, {"content": "two\n", "done": False}],
        "tags": [1, 2],
        "done": True,
        "any": {"a": "x", "b": {"c": "5"}},
    }

    assert calls(read(MINIMAX_M3, list(MINIMAX_M3.write(written(("plan", arguments)))), NESTED)) == [
        ("plan", arguments)
    ]


def test_m3_empty_repeated_and_mixed_elements() -> None:
    text = (
        f'{N}<tool_call>{N}<invoke name="plan">{N}<todos>{N}</todos>{N}<tags>null{N}</tags>'
        f"{N}<any>t{N}<a>1{N}</a>{N}<a>2{N}</a>{N}</any>{N}<new>{N}<k>v{N}</k>{N}</new>{N}</invoke>{N}</tool_call>"
    )

    assert calls(read(MINIMAX_M3, [text], NESTED)) == [
        ("plan", {"todos": [], "tags": None, "any": {"a": ["1", "2"], "$text": "t"}, "new": {"k": "v"}})
    ]


def test_m3_a_string_leaves_as_it_grows() -> None:
    reader = TextReader(Openers([MINIMAX_M3]), toolbox(), alone=True)

    assert reader.feed(f'{N}<tool_call>{N}<invoke name="write">{N}<text>ab') == [Called("write"), Argued('{"text":"ab')]
    assert reader.feed("c]<]mini") == [Argued("c")]
    assert reader.feed("x") == [Argued("]<]minix")]
    assert reader.close() == [Ended(False)]


def test_m3_looks_like_a_call_and_is_none() -> None:
    text = f"{N}<tool_call> is the tag"

    assert read(MINIMAX_M3, list(text)) == [Said(text)]
