"""The comparison of a case with what the client got must find what is wrong, and accept what a case leaves open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.anthropic_events import Folded
from tests.fakes.streams import CASES, Case, differences

ERROR = {"type": "api_error", "message": "x"}


def right(case: Case) -> Folded:
    """What a client holds when all is right."""
    prompt, completion, cached = case.usage or (1, 1, 0)
    return Folded(
        content=[dict(block) | {"id": "toolu_1"} for block in case.blocks or ()],
        stop_reason=case.stop_reason,
        stop_sequence=case.stop_sequence,
        usage={"input_tokens": prompt - cached, "cache_read_input_tokens": cached, "output_tokens": completion},
        error=ERROR if case.error else None,
    )


@pytest.mark.parametrize("name", CASES)
def test_what_the_case_says_is_accepted(name: str) -> None:
    assert differences(CASES[name], right(CASES[name])) == []


@pytest.mark.parametrize("name", CASES)
def test_a_failure_and_a_success_are_never_taken_for_each_other(name: str) -> None:
    case = CASES[name]
    assert differences(case, replace(right(case), error=None if case.error else ERROR))


@pytest.mark.parametrize(
    "change",
    [
        {"content": []},
        {"content": [{"type": "text", "text": "Hello worl"}]},
        {"content": [{"type": "thinking", "thinking": "Hello world"}]},
        {"content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": " world"}]},
        {"stop_reason": "max_tokens"},
        {"stop_sequence": "###"},
        {"usage": {"input_tokens": 100, "cache_read_input_tokens": 80, "output_tokens": 20}},
        {"usage": {}},
    ],
)
def test_what_is_wrong_in_a_text_is_found(change: dict[str, Any]) -> None:
    case = CASES["text"]
    assert differences(case, replace(right(case), **change))


@pytest.mark.parametrize("block", [{"input": {}}, {"input": {"command": "rm"}}, {"name": "bash"}, {"type": "text"}])
def test_what_is_wrong_in_a_call_is_found(block: dict[str, Any]) -> None:
    case = CASES["tool_only"]
    folded = right(case)
    assert differences(case, replace(folded, content=[folded.content[0] | block]))


def test_a_cut_call_may_be_begun_or_held_back_but_not_made_up() -> None:
    case = CASES["finish_length_in_a_call"]
    call = right(case).content[0]
    for accepted in ([], [call], [call | {"input": '{"c'}]):
        assert differences(case, replace(right(case), content=accepted)) == []
    for refused in ([call | {"input": {"command": "ls"}}], [call | {"input": '{"x'}], [call, call]):
        assert differences(case, replace(right(case), content=refused))
