"""The marks around messages go, in their own family only; words that look like them stay."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers.every import in_order
from landline.families.tool_parsers.syntax import Piece, Said
from tests.fakes.tool_calls import call, read_in_every_cut

ARGUMENTS = '{"file":"a.txt"}'
XTML = (
    '<|open|>tools<|sep|><|open|>call tool="read" index="1"<|sep|><|open|>argument key="file" type="string"<|sep|>'
    "a.txt<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>"
)
ATEM = '<atem:invoke name="read">\n<atem:parameter name="file">a.txt</atem:parameter>\n</atem:invoke>'


def found(text: str, parser: str) -> list[Piece]:
    return read_in_every_cut(text, in_order((parser,)))


@pytest.mark.parametrize(
    ("parser", "text", "pieces"),
    [
        (
            "kimi_k3",
            f"<|open|>response<|sep|>I look.<|close|>response<|sep|>{XTML}<|close|>message<|sep|>",
            [Said("I look."), *call("read", ARGUMENTS)],
        ),
        ("kimi_k3", "<|open|>response<|sep|>Hi.<|close|>response<|sep|><|close|>message<|sep|>", [Said("Hi.")]),
        (
            "muse",
            f"<|start|>assistant to=user<|message|>I look.<|eom|><|start|>assistant to=read<|message|>{ATEM}<|eom|>",
            [Said("I look."), *call("read", ARGUMENTS)],
        ),
        ("muse_glimmer", "to=user<|message|>Hi.<|eot|>", [Said("Hi.")]),
        ("cohere_command3", "<|START_RESPONSE|>Hi.<|END_RESPONSE|>", [Said("Hi.")]),
        ("hunyuan_a13b", "<answer>\nHi.\n</answer>", [Said("Hi.")]),
        ("ernie45", "<response>\nHi.\n</response>\n", [Said("Hi.\n")]),
        ("cohere_command4", "<|START_TEXT|>Hi.<|END_TEXT|>", [Said("Hi.")]),
    ],
)
def test_they_are_left_out(parser: str, text: str, pieces: list[Piece]) -> None:
    assert found(text, parser) == pieces
    assert found(text, "hermes") != pieces


@pytest.mark.parametrize(
    "text",
    [
        "Set it to=5, or to=, or <|start|>assistant to nobody.",
        "to=",
        "<|start|>assistant",
        f"to={'a' * 300}<|message|",
        "In code: `<|start|>assistant to=user<|message|>`",
        "```\n<|eom|>\n```\n",
    ],
)
def test_words_that_look_like_them_stay(text: str) -> None:
    assert found(text, "muse") == [Said(text)]


@pytest.mark.parametrize("parser", ["hunyuan_a13b", "ernie45"])
def test_tags_in_a_line_are_ordinary_xml(parser: str) -> None:
    text = "Put it in <answer>42</answer> or <response>42</response>."
    assert found(text, parser) == [Said(text)]


def test_a_family_is_told_its_tools_in_its_own_syntax() -> None:
    assert [in_order((parser,))[0].name for parser in ("kimi_k3", "muse", "cohere_command3")] == [
        "kimi_k3",
        "muse",
        "cohere",
    ]
