"""Calls in JSON and in Python: found in any text under any cut, read back as they were written, lost never."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.families.tool_parsers.syntax import Syntax
from tests.fakes.tool_calls import JSON_SYNTAXES, calls_in, read, said, toolbox, values_in, written
from tests.property.examples import Dice, shared_by

TOOLS = toolbox(write={}, read={}, **{"mcp__a-b": {}})
MARKS = sorted({opener for syntax in JSON_SYNTAXES for opener in syntax.openers})
MARKS += ["</tool_call>", "<|tool_call_end|>", "```json\n", "```\n", "<|message|>", "[ARGS]", "]", "}}", '"', "\\", "'"]
PIECES = st.sampled_from(MARKS) | st.text(max_size=5)
TEXTS = PIECES | st.lists(PIECES, max_size=5).map("".join)
NAMES = ("write", "read", "mcp__a-b")


@st.composite
def some_calls(draw: st.DrawFn) -> list[tuple[str, Any]]:
    dice = Dice(draw, TEXTS)
    return [(dice.one(NAMES), dice.object()) for _ in range(1 + dice(3))]


CALLS = some_calls()
PROSE = st.text(st.sampled_from("ab .,\né"), max_size=12)
SYNTAXES = st.sampled_from(JSON_SYNTAXES)
CUTS = st.lists(st.integers(1, 300), max_size=6) | st.integers(1, 5)
PLACE = st.integers(0, 9_999)  # of a text, modulo its length
FAULTS = st.lists(
    st.tuples(PLACE, st.integers(0, 4), st.sampled_from(["", "<", "{", '"', "}", "'", "]", "\n", "```"])),
    min_size=1,
    max_size=3,
)
# Marks that say nothing but what kind of message follows are dropped, even if no call does.
DROPPING = ("harmony", "inkling")
KEEPING = tuple(syntax for syntax in JSON_SYNTAXES if syntax.name not in DROPPING)
KEYWORDS = st.sampled_from(
    ['"name": ', '"write"', ", ", '"arguments": ', "{", "}", "[", "]", "write(", "path=", ")", "write", ": "]
)
GARBAGE = st.lists(st.sampled_from(MARKS) | KEYWORDS | st.text(max_size=3), max_size=14).map("".join)


@given(SYNTAXES, CALLS, PROSE, PROSE, CUTS)
def test_calls_in_text(syntax: Syntax, calls: list[tuple[str, Any]], before: str, behind: str, cuts: Any) -> None:
    if syntax.sole:
        before, behind = "\n" * len(before), " " * len(behind)
    text = before + syntax.write(written(*calls)) + behind
    whole = read(text, tools=TOOLS)
    assert values_in(whole) == calls
    assert "".join(said(whole).split()) == "".join((before + behind).split())
    assert read(text, tools=TOOLS, cuts=cuts) == whole


@pytest.mark.parametrize("syntax", JSON_SYNTAXES, ids=lambda syntax: syntax.name)
@shared_by(len(JSON_SYNTAXES))
@given(calls=CALLS)
def test_what_is_written_is_read_back(syntax: Syntax, calls: list[tuple[str, Any]]) -> None:
    found = read(syntax.write(written(*calls)), (syntax,), tools=TOOLS, cuts=3)
    assert values_in(found) == calls
    assert said(found) == ""


@pytest.mark.parametrize("syntax", JSON_SYNTAXES, ids=lambda syntax: syntax.name)
def test_no_calls_are_written_as_nothing(syntax: Syntax) -> None:
    assert syntax.write([]) == ""


@given(SYNTAXES, CALLS, PLACE)
def test_a_cut_output_gives_no_call_that_was_not_whole(syntax: Syntax, calls: list[tuple[str, Any]], end: int) -> None:
    text = syntax.write(written(*calls))
    text = text[: end % (len(text) + 1)]
    found = calls_in(read(text, tools=TOOLS))
    whole = [(name, json.loads(arguments)) for name, arguments, is_whole in found if is_whole]
    assert whole == calls[: len(whole)]
    assert all(is_whole for _, _, is_whole in found[:-1])


@given(GARBAGE, CUTS, st.booleans())
def test_garbage_is_text(text: str, cuts: Any, alone: bool) -> None:
    whole = read(text, KEEPING, tools=TOOLS, alone=alone)
    assert read(text, KEEPING, tools=TOOLS, alone=alone, cuts=cuts) == whole
    if not calls_in(whole):
        assert said(whole) == text
    everything = read(text, tools=TOOLS, alone=alone)
    assert read(text, tools=TOOLS, alone=alone, cuts=cuts) == everything
    calls_in(everything)


@given(SYNTAXES, CALLS, FAULTS, CUTS)
def test_broken_calls_are_the_same_in_any_cut(
    syntax: Syntax, calls: list[tuple[str, Any]], faults: list[tuple[int, int, str]], cuts: Any
) -> None:
    text = syntax.write(written(*calls))
    for somewhere, length, instead in faults:
        place = somewhere % (len(text) + 1)
        text = text[:place] + instead + text[place + length :]
    whole = read(text, tools=TOOLS)
    calls_in(whole)
    assert read(text, tools=TOOLS, cuts=cuts) == whole
