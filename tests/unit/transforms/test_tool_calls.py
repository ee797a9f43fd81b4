"""Calls in text: what is none, what is left alone."""

from __future__ import annotations

from tests.failure_modes.recovered import got
from tests.failure_modes.test_tool_calls import KIMI, LS, QWEN
from tests.fakes.chat_stream import call_delta


def test_marks_in_code_are_no_calls() -> None:
    for text in (f"```xml\n{QWEN}\n```", f"Write `{QWEN.splitlines()[0]}` first.", f"~~~\n{QWEN}\n~~~\nlike this"):
        answer = got(text, parser="qwen3_coder")
        assert (answer.calls, answer.text, answer.stop) == ([], text, "end_turn")


def test_a_backend_that_reads_calls_is_left_alone() -> None:
    deltas = [call_delta(0, '{"command": "ls"}', name="Bash", id="c0"), {"content": f" {QWEN}"}]
    answer = got("I look.", parser="qwen3_coder", deltas=deltas)
    assert answer.calls == [LS]


def test_without_tools_nothing_is_read() -> None:
    assert got(QWEN, parser="qwen3_coder", tools=[]).said == [QWEN]


def test_an_unknown_family_is_read_by_what_it_writes() -> None:
    for written in (QWEN, KIMI, '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}</tool_call>'):
        assert got(written).calls == [LS]
