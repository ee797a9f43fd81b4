from __future__ import annotations

import pytest

from landline.families.tool_parsers.kimi_k3 import KIMI_K3
from landline.families.tool_parsers.syntax import Ended, Said
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, written

CALL = (
    '<|open|>tools<|sep|><|open|>call tool="write" index="1"<|sep|><|open|>argument key="path" type="string"<|sep|>'
    'a.txt<|close|>argument<|sep|><|open|>argument key="text" type="string"<|sep|>say "hi"\nbye<|close|>argument<|sep|>'
    '<|open|>argument key="n" type="number"<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>'
)


def test_the_example_of_the_grammar_the_marks_around_the_block_go_with_it() -> None:
    text = f"I will write it.\n<|close|>response<|sep|>{CALL}<|close|>message<|sep|>"
    pieces = read(KIMI_K3, [text])

    assert pieces == read(KIMI_K3, list(text))
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == "I will write it.\n"


def test_it_is_written_as_the_template_does() -> None:
    assert KIMI_K3.write(written(("write", ARGUMENTS))) == CALL


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        ("string", "5", {"new": "5"}),
        ("number", "5", {"new": 5}),
        ("object", '{"a": [1]}', {"new": {"a": [1]}}),
        ("array", "no json", {"new": "no json"}),
        ("null", "null", {"new": None}),
    ],
)
def test_the_type_of_an_argument_that_no_schema_has(kind: str, text: str, meant: dict[str, object]) -> None:
    argument = f'<|open|>argument key="new" type="{kind}"<|sep|>{text}<|close|>argument<|sep|>'
    block = f'<|open|>tools<|sep|><|open|>call tool="write"<|sep|>{argument}<|close|>call<|sep|><|close|>tools<|sep|>'

    assert calls(read(KIMI_K3, list(block))) == [("write", meant)]


def test_attributes_are_escaped() -> None:
    schemas = {"odd": {"type": "object", "properties": {'a"&b': {"type": "string"}}}}
    text = KIMI_K3.write(written(("odd", {'a"&b': "&quot;"})))

    assert 'key="a&quot;&amp;b"' in text
    assert calls(read(KIMI_K3, [text], schemas)) == [("odd", {'a"&b': "&quot;"})]


def test_cut_short_and_no_call() -> None:
    assert Ended(True) not in read(KIMI_K3, [CALL[: -len("<|close|>call<|sep|><|close|>tools<|sep|>")]])
    for text in ("<|open|>tools<|sep|> are", "<|close|>response<|sep|>"):
        assert read(KIMI_K3, list(text)) == [Said(text)]


@pytest.mark.parametrize("value", [CALL, "<|close|>argument<|sep|>", "<|close|>call<|sep|>", "<|sep|>"])
def test_row_4_44_marks_inside_a_value(value: str) -> None:
    arguments = {"path": "a.md", "text": value, "n": 1}

    assert calls(read(KIMI_K3, [KIMI_K3.write(written(("write", arguments))) + "Done."])) == [("write", arguments)]
