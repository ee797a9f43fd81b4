from __future__ import annotations

import pytest

from landline.families.tool_parsers.gemma import FUNCTION_GEMMA, GEMMA4
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said, Syntax
from landline.families.tool_parsers.text import Openers, TextReader
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, toolbox, written

GEMMA = 'I will write it.\n<|tool_call>call:write{path:<|"|>a.txt<|"|>,text:<|"|>say "hi"\nbye<|"|>,n:3}<tool_call|>'
FUNCTION = (
    "I will write it.\n<start_function_call>call:write{path:<escape>a.txt<escape>,"
    'text:<escape>say "hi"\nbye<escape>,n:<escape>3<escape>}<end_function_call>'
)


def of(text: str, syntax: Syntax = GEMMA4) -> list[tuple[str, object]]:
    pieces = read(syntax, [text])
    assert read(syntax, list(text)) == pieces
    return calls(pieces)


@pytest.mark.parametrize(("syntax", "text"), [(GEMMA4, GEMMA), (FUNCTION_GEMMA, FUNCTION)])
def test_the_examples_of_the_grammars_and_how_they_are_written(syntax: Syntax, text: str) -> None:
    pieces = read(syntax, [text + "\nAfter"])

    assert pieces == read(syntax, list(text + "\nAfter"))
    assert calls(pieces) == [("write", ARGUMENTS)]
    assert said(pieces) == "I will write it.\n\nAfter"
    assert syntax.write(written(("write", ARGUMENTS))) == text.partition("\n")[2]


@pytest.mark.parametrize(
    "call",
    [
        ':write{path:<|"|>a<|"|>}',
        'call:write(path:<|"|>a<|"|>)',
        'call:write{ <|"|>path<|"|> : <|"|>a<|"|> , }',
        'call:write{path:<|"|>a<|"|>})',
        "call:write{path: a }",
    ],
)
def test_spellings_that_models_use(call: str) -> None:
    assert of(f"<|tool_call>{call}<tool_call|>") == [("write", {"path": "a"})]


def test_nested_values_and_bare_ones() -> None:
    arguments = {
        "items": ["a, b", "}", "c]"],
        "options": {"a": [1, -2.5, None], "b": {"c": True, "d": ""}, "e": []},
        "flag": False,
        "maybe": None,
        "count": 7,
        "text": "5",
    }

    assert of(GEMMA4.write(written(("everything", arguments)))) == [("everything", arguments)]
    assert of('<|tool_call>call:everything{text:5,count:<|"|>7<|"|>,other:3}<tool_call|>') == [
        ("everything", {"text": "5", "count": 7, "other": 3})
    ]


def test_no_arguments_and_several_calls() -> None:
    assert of("<|tool_call>call:write{}<tool_call|><|tool_call>call:write{}<tool_call|>") == [("write", {})] * 2


def test_a_text_leaves_as_it_grows() -> None:
    reader = TextReader(Openers([GEMMA4]), toolbox(), alone=True)

    assert reader.feed("<|tool_call>call:write{") == [Called("write")]
    assert reader.feed('text:<|"|>ab<|') == [Argued('{"text":"ab')]
    assert reader.feed("c") == [Argued("<|c")]
    assert reader.feed('<|"|>') == []
    assert reader.feed(",n") == []
    assert reader.feed(":4}") == [Argued('","n":4}')]
    assert reader.feed("<tool_call|>") == [Ended(True)]


@pytest.mark.parametrize("size", range(len("I will write it.\n<|tool_call>"), len(GEMMA) - len("}<tool_call|>")))
def test_a_call_that_is_cut_is_never_whole(size: int) -> None:
    assert Ended(True) not in read(GEMMA4, [GEMMA[:size]])


@pytest.mark.parametrize("value", ["<tool_call|>", '<|"|>', 'a<|"|>}', 'a<|"|>, b', GEMMA + ".", '{"a": [1]}', "]},:"])
def test_row_4_44_marks_inside_a_text(value: str) -> None:
    arguments = {"path": "a.md", "text": value, "n": 1}

    assert of(GEMMA4.write(written(("write", arguments))) + "\nDone.") == [("write", arguments)]


@pytest.mark.parametrize(
    "text", ["<|tool_call> is", "<|tool_call>call:nothing_at_all{}<tool_call|>", "<|tool_call>call:write"]
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert read(GEMMA4, list(text)) == [Said(text)]


def test_no_key_where_one_has_to_be() -> None:
    assert Ended(False) in read(GEMMA4, ["<|tool_call>call:write{" + "x" * 400 + "}<tool_call|>"])
