"""Tool choice: any tool, one named tool, none."""

from __future__ import annotations

from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed
from landline.clients.checking.calls import NO_THINKING, READ, SINGLE, WEATHER, called
from landline.clients.checking.causes import Cause, Fault, call_fault, problem_fault, quote
from landline.clients.checking.markup import call_markup

GREETING = "Good morning! How are you?"
TOOLS = [READ, WEATHER]
NAMES = [str(tool["name"]) for tool in TOOLS]
UNKNOWN_FIELD = "this kind of server has no tool_choice"


async def choice_any(bench: Bench) -> Finding:
    return await _forced(bench, {"type": "any"}, NAMES)


async def choice_named(bench: Bench) -> Finding:
    return await _forced(bench, {"type": "tool", "name": "get_weather"}, ["get_weather"])


async def _forced(bench: Bench, choice: dict[str, str], wanted: list[str]) -> Finding:
    answer = await bench.asker.ask(GREETING, tools=TOOLS, tool_choice=choice, thinking=NO_THINKING)
    fault = call_fault(answer, NAMES, bench.server.kind)
    if fault is not None and fault.cause is Cause.NO_CALL:
        why = UNKNOWN_FIELD if not bench.server.tool_choice else fault.detail
        return failed(Fault(Cause.CHOICE_IGNORED, f"it was told to call a tool, and did not: {why}"))
    if fault is not None:
        return failed(fault)
    if any(call.name not in wanted for call in answer.calls):
        return fails(Cause.CHOICE_IGNORED, f"told to call {wanted[0]}, it called {called(answer)}")
    return passed(f"it called {called(answer)}")


async def choice_none(bench: Bench) -> Finding:
    answer = await bench.asker.ask(SINGLE, tools=TOOLS, tool_choice={"type": "none"}, thinking=NO_THINKING)
    if answer.problem:
        return failed(problem_fault(answer.problem))
    if answer.calls:
        return fails(Cause.CHOICE_IGNORED, f"told not to call, it called {called(answer)}")
    if found := call_markup(answer.text, NAMES):
        return fails(Cause.CHOICE_IGNORED, f"told not to call, it wrote a call as text ({found.title})")
    return passed(quote(answer.text))


PROBES = (
    Probe("choice_any", "Tool choice: any", choice_any),
    Probe("choice_named", "Tool choice: one named tool", choice_named),
    Probe("choice_none", "Tool choice: none", choice_none),
)
