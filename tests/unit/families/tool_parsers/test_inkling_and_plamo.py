"""Inkling and PLaMo 3."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers.inkling import INKLING
from landline.families.tool_parsers.plamo import PLAMO3
from landline.families.tool_parsers.syntax import Said
from tests.fakes.tool_calls import JSON, call, read_in_every_cut


def mark(name: str) -> str:
    return f"<|plamo:{name}:plamo|>"


PLAMO = (
    f"{mark('begin_tool_requests')}{mark('begin_tool_request')}{mark('begin_tool_name')}write{mark('end_tool_name')}"
    f"{mark('begin_tool_arguments')}<|plamo:constrain|>json<|plamo:msg|>{JSON}{mark('end_tool_arguments')}"
    f"{mark('end_tool_request')}{mark('end_tool_requests')}"
)
INK = f'<|message_model|><|content_invoke_tool_json|>{{"name":"write","args":{JSON}}}<|end_message|>'


@pytest.mark.parametrize(
    "text", [PLAMO, PLAMO.replace("<|plamo:constrain|>json", ""), PLAMO.partition(mark("end_tool_arguments"))[0]]
)
def test_plamo(text: str) -> None:
    assert read_in_every_cut(f"I will.\n{text}", (PLAMO3,)) == [Said("I will.\n"), *call()]


def test_plamo_of_an_unknown_tool_is_text() -> None:
    text = PLAMO.replace("write", "nobody")
    assert read_in_every_cut(text, (PLAMO3,)) == [Said(text)]


def test_inkling_drops_the_marks_of_text() -> None:
    text = f"<|message_model|><|content_text|>I will.\n<|end_message|>{INK}{INK}"
    assert read_in_every_cut(text, (INKLING,)) == [Said("I will.\n"), *call(), *call()]


def test_inkling_without_the_first_mark_or_the_last() -> None:
    bare = INK.removeprefix("<|message_model|>").removesuffix("<|end_message|>")
    assert read_in_every_cut(bare, (INKLING,)) == call()


@pytest.mark.parametrize(
    "text", ["<|message_model|> is a mark", "<|content_invoke_tool_json|>words", INK.replace("write", "x")[:60]]
)
def test_inkling_that_is_no_call_is_text(text: str) -> None:
    assert read_in_every_cut(text, (INKLING,)) == [Said(text)]
