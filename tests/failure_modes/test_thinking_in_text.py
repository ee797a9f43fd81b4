"""Thinking that comes as text: with marks, with half of them, or where a server thought that all of it is thinking."""

from __future__ import annotations

import pytest

from landline.transforms import reasoning
from tests.failure_modes.recovered import got


@pytest.mark.row("4.07")
def test_row_4_07_an_answer_that_was_all_thinking_is_said() -> None:
    answer = got(thinking="The answer is 4.", reasoning="qwen3", tools=[])
    assert answer.said == ["The answer is 4.", "The answer is 4."]
    assert reasoning.SAID_AGAIN in answer.notes.repairs
    with_tools = got(thinking="I could look.", reasoning="qwen3")
    assert with_tools.text == ""  # an agent's client asks again by itself


@pytest.mark.row("4.08")
def test_row_4_08_a_closing_mark_alone() -> None:
    answer = got("thoughts</think>\n\nanswer", reasoning="qwen3")
    assert (answer.thinking, answer.text) == ("thoughts", "answer")
    assert reasoning.SPLIT in answer.notes.repairs


@pytest.mark.row("4.09")
@pytest.mark.parametrize("parser", ["minimax_m2", "deepseek_r1", "step3p5"])
def test_row_4_09_the_template_wrote_the_opening_mark(parser: str) -> None:
    answer = got("thoughts</think>answer", reasoning=parser)
    assert (answer.thinking, answer.text) == ("thoughts", "answer")


@pytest.mark.row("4.10")
def test_row_4_10_thinking_that_is_never_closed() -> None:
    answer = got("<think>thoughts and no end", finish="length")
    assert (answer.thinking, answer.text, answer.stop) == ("thoughts and no end", "", "max_tokens")
    assert reasoning.NEVER_CLOSED in answer.notes.alerts
