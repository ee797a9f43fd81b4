"""Thinking in text: where there is none, and servers that take it out by themselves."""

from __future__ import annotations

from landline.families.reasoning_parsers.delimiters import DELIMITERS
from tests.failure_modes.recovered import got


def test_a_server_that_takes_thinking_out_is_left_alone() -> None:
    answer = got("I write about </think> here.", thinking="t", reasoning="qwen3")
    assert (answer.thinking, answer.text) == ("t", "I write about </think> here.")
    known = got("I write about </think> here.", reasoning="qwen3", thinking_in_text=False)
    assert (known.thinking, known.text) == ("", "I write about </think> here.")


def test_a_model_that_did_not_think_is_heard() -> None:
    answer = got("Just an answer.", reasoning="qwen3", tools=[])
    assert answer.text == "Just an answer."


def test_marks_in_the_middle_of_text_are_text() -> None:
    assert got("The tag <think> opens thinking.").said == ["The tag <think> opens thinking."]


def test_the_marks_of_muse_stand_behind_a_space() -> None:
    answer = got(" to=self<|message|>Hm.<|eom|><|start|>assistant to=user<|message|>Yes.<|eot|>", reasoning="muse")
    assert answer.thinking == "Hm."
    assert "Hm." not in answer.text
    assert all(opener == opener.lstrip() for marks in DELIMITERS.values() for opener, _ in marks.pairs)
