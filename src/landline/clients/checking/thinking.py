"""Thinking on and off: whether it is kept apart from the text, and ends when it is told to."""

from __future__ import annotations

from landline.clients.checking.asking import Answer
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed
from landline.clients.checking.calls import NO_THINKING
from landline.clients.checking.causes import Cause, problem_fault, quote
from landline.clients.checking.markup import thinking_markup

PUZZLE = "A boat has 3 sails and 14 ropes. How many sails and ropes have 4 such boats together? End with the number."
ROOM = 2_048
BUDGET = 1_024


async def thinking_on(bench: Bench) -> Finding:
    asked = {"type": "enabled", "budget_tokens": BUDGET}
    answer = await bench.asker.ask_once(PUZZLE, room=ROOM, thinking=asked)
    if wrong := _not_apart(answer):
        return wrong
    if not answer.thinking:
        return passed("the model does not think, or does not show it")
    if not answer.text.strip():
        return fails(Cause.TALKS_ON, f"thinking alone took all {answer.output} tokens")
    return passed(f"{len(answer.thinking)} characters of thinking, apart from the text")


async def thinking_off(bench: Bench) -> Finding:
    answer = await bench.asker.ask_once(PUZZLE, room=ROOM, thinking=NO_THINKING)
    if wrong := _not_apart(answer):
        return wrong
    if answer.thinking:
        return fails(Cause.THINKING_STAYS_ON, f"told not to think, it thought: {quote(answer.thinking)}")
    return passed("no thinking")


def _not_apart(answer: Answer) -> Finding | None:
    if answer.problem:
        return failed(problem_fault(answer.problem))
    if mark := thinking_markup(answer.text):
        return fails(Cause.THINKING_IN_TEXT, f"{mark} stands in the text: {quote(answer.text)}")
    return None


PROBES = (
    Probe("thinking_on", "Thinking on: apart from the text", thinking_on),
    Probe("thinking_off", "Thinking off", thinking_off),
)
