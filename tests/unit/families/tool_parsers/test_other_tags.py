"""Step 3, K2 Horizon and dots: the examples of their grammars."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers.k2_horizon import K2_HORIZON
from landline.families.tool_parsers.minimax import DOTS
from landline.families.tool_parsers.step3 import STEP3
from landline.families.tool_parsers.syntax import Syntax
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, written

K2 = """<ifm|tool_calls>
<ifm|tool_call>write
<ifm|arg_key>path</ifm|arg_key>
<ifm|arg_value>a.txt</ifm|arg_value>
<ifm|arg_key>text</ifm|arg_key>
<ifm|arg_value>say "hi"
bye</ifm|arg_value>
<ifm|arg_key>n</ifm|arg_key>
<ifm|arg_value>3</ifm|arg_value>
</ifm|tool_call>
</ifm|tool_calls>"""
STEP = """<｜tool_calls_begin｜>
<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="write"><steptml:parameter name="path">a.txt\
</steptml:parameter><steptml:parameter name="text">say "hi"
bye</steptml:parameter><steptml:parameter name="n">3</steptml:parameter></steptml:invoke><｜tool_call_end｜>
<｜tool_calls_end｜>"""
DOT = """<dots_function_call>
<invoke name="write">
<parameter name="path">a.txt</parameter>
<parameter name="text">say "hi"
bye</parameter>
<parameter name="n">3</parameter>
</invoke>
</dots_function_call>"""


@pytest.mark.parametrize(("syntax", "text"), [(K2_HORIZON, K2), (STEP3, STEP), (DOTS, DOT)])
def test_the_examples_of_the_grammars_and_how_they_are_written(syntax: Syntax, text: str) -> None:
    pieces = read(syntax, [f"I will write it.\n{text}\nAfter"])

    assert pieces == read(syntax, list(f"I will write it.\n{text}\nAfter"))
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == "I will write it.\n\nAfter"
    assert syntax.write(written(("write", ARGUMENTS))) == text


def test_k2_horizon_with_types() -> None:
    text = K2.replace("</ifm|arg_key>", "</ifm|arg_key>\n<ifm|arg_type>string</ifm|arg_type>")

    assert calls(read(K2_HORIZON, [text])) == [("write", ARGUMENTS)]
