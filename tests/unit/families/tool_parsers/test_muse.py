from __future__ import annotations

import pytest

from landline.families.tool_parsers.muse import MUSE
from landline.families.tool_parsers.syntax import Said
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, written

CALL = """<atem:function_calls>
<atem:invoke name="write">
<atem:parameter name="path">a.txt</atem:parameter>
<atem:parameter name="text">say "hi"
bye</atem:parameter>
<atem:parameter name="n">3</atem:parameter>
</atem:invoke>
</atem:function_calls>"""


def test_the_example_of_the_grammar_the_mark_behind_the_block_goes_with_it() -> None:
    text = f" to=write<|message|>{CALL}<|eom|>"
    pieces = read(MUSE, [text])

    assert pieces == read(MUSE, list(text))
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == " to=write<|message|>"
    assert MUSE.write(written(("write", ARGUMENTS))) == CALL


def test_without_the_block_and_values_that_no_schema_has() -> None:
    inner = '<atem:parameter name="text">5</atem:parameter><atem:parameter name="new">[5]</atem:parameter>'

    assert calls(read(MUSE, list(f'<atem:invoke name="write">{inner}</atem:invoke>'))) == [
        ("write", {"text": "5", "new": [5]})
    ]


@pytest.mark.parametrize("value", [CALL, "</atem:parameter>", "</atem:invoke>\n</atem:function_calls>x"])
def test_row_4_44_tags_inside_a_value(value: str) -> None:
    arguments = {"path": "a.md", "text": value, "n": 1}

    assert calls(read(MUSE, [MUSE.write(written(("write", arguments))) + "<|eom|>"])) == [("write", arguments)]


def test_what_is_no_call_stays_text() -> None:
    assert read(MUSE, ["<atem:function_calls> are tags"]) == [Said("<atem:function_calls> are tags")]
