from __future__ import annotations

import pytest

from landline.families.tool_parsers.hy import HY_V3, HY_V4
from landline.families.tool_parsers.syntax import Said
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, written

V3 = """I will write it.
<tool_calls>
<tool_call>write<tool_sep>
<arg_key>path</arg_key>
<arg_value>a.txt</arg_value>
<arg_key>text</arg_key>
<arg_value>say "hi"
bye</arg_value>
<arg_key>n</arg_key>
<arg_value>3</arg_value>
</tool_call>
</tool_calls>"""
V4 = V3.replace("<tool_sep>", "").replace("\n<", "<").replace(".<", ".\n<")


@pytest.mark.parametrize("text", [V3, V4])
@pytest.mark.parametrize("suffix", ["", ":abc-1"])
def test_the_examples_of_the_grammar_with_and_without_a_suffix(text: str, suffix: str) -> None:
    for tag in ("tool_calls", "tool_call", "tool_sep", "arg_key", "arg_value"):
        text = text.replace(f"{tag}>", f"{tag}{suffix}>")
    pieces = read(HY_V3, [text + "\nAfter"])

    assert pieces == read(HY_V3, list(text + "\nAfter"))
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == "I will write it.\n\nAfter"


def test_they_are_written_as_the_templates_do() -> None:
    assert HY_V3.write(written(("write", ARGUMENTS))) == V3.partition("\n")[2]
    assert HY_V4.write(written(("write", ARGUMENTS))) == V4.partition("\n")[2]


def test_another_block_of_that_name_stays_text() -> None:
    text = '<tool_calls>[{"name": "write", "arguments": {}}]</tool_calls>'

    assert read(HY_V3, list(text)) == [Said(text)]
