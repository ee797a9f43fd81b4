"""What a probe found to be wrong, as a closed set, and how the answer to a tool prompt is judged.

Pure. What mends each cause is in `mends.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from landline.clients.checking.asking import ROOM_USED, Answer, json_object
from landline.clients.checking.direct import RawAnswer
from landline.clients.checking.markup import call_markup
from landline.upstream.dialects import BackendKind
from landline.upstream.failures import NO_TOOL_PARSER

SHOWN = 90  # characters of what a peer wrote


class Cause(StrEnum):
    # how the server was started
    NO_TOOL_PARSER = "no_tool_parser"
    WRONG_TOOL_PARSER = "wrong_tool_parser"
    CALL_IN_THINKING = "call_in_thinking"
    CUT_ARGUMENTS = "cut_arguments"
    OUTPUT_CAP = "output_cap"
    TOOLS_NOT_IN_TEMPLATE = "tools_not_in_template"
    THINKING_IN_TEXT = "thinking_in_text"
    WINDOW_SMALLER_THAN_SAID = "window_smaller_than_said"
    PROMPTS_CUT = "prompts_cut_in_silence"
    WINDOW_TOO_SMALL = "window_too_small"
    WINDOW_NARROW = "window_narrow"
    WINDOW_UNKNOWN = "window_unknown"
    CACHE_OFF = "cache_off"
    CACHE_NOT_REPORTED = "cache_not_reported"
    # what the server cannot do
    CHOICE_IGNORED = "tool_choice_ignored"
    SCHEMA_IGNORED = "json_schema_ignored"
    STOP_IGNORED = "stop_sequence_ignored"
    THINKING_STAYS_ON = "thinking_cannot_be_switched_off"
    # the model
    NO_CALL = "model_does_not_call"
    ONE_CALL_AT_A_TIME = "model_calls_one_at_a_time"
    NEEDLESS_CALL = "model_calls_without_need"
    WRONG_ARGUMENTS = "model_writes_wrong_arguments"
    TALKS_ON = "model_does_not_end"
    LOST_THE_LOOP = "model_does_not_finish_a_task"
    LOST_IN_CONTEXT = "model_forgets_a_long_prompt"
    DOES_NOT_SEE = "model_does_not_see"
    # the rest
    SLOW = "slow"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"


class Fault(Struct, frozen=True):
    """`parser`: vLLM's name of what reads the markup that was seen. `window`: the true one, in tokens."""

    cause: Cause
    detail: str
    parser: str = ""
    window: int = 0


def quote(text: str) -> str:
    """The beginning of what a peer wrote, on one line."""
    line = " ".join(text[: 4 * SHOWN].split())
    return f"“{line[:SHOWN]}…”" if len(line) > SHOWN else f"“{line}”"


# ------------------------------------------------------------------------------------------ answers of the gateway

_TOO_LONG = re.compile(r"prompt is too long: (\d{1,12}) tokens > (\d{1,12}) maximum")


def problem_fault(problem: str) -> Fault:
    """Why there was no answer."""
    if NO_TOOL_PARSER.search(problem):
        return Fault(Cause.NO_TOOL_PARSER, quote(problem))
    if found := _TOO_LONG.search(problem):
        return Fault(Cause.WINDOW_SMALLER_THAN_SAID, quote(problem), window=int(found[2]))
    return Fault(Cause.REFUSED, quote(problem))


def call_fault(answer: Answer, tools: Iterable[str], kind: BackendKind) -> Fault | None:
    """What is wrong with an answer that should hold calls of the listed tools, whatever their arguments say."""
    if answer.problem:
        return problem_fault(answer.problem)
    names = tuple(tools)
    for call in answer.calls:
        if call.value is None:
            return _cut(call.arguments, answer)
        if call.name not in names:
            return Fault(Cause.WRONG_ARGUMENTS, f"it called {quote(call.name)}, which is not in the list of tools")
    if found := call_markup(answer.text, names):
        cause = parser_cause(kind, calls=bool(answer.calls))
        return Fault(cause, f"the call stands in the text as {found.title}: {quote(answer.text)}", found.parser)
    if answer.calls:
        return None
    if found := call_markup(answer.thinking):
        text = f"the call stands in the thinking as {found.title}: {quote(answer.thinking[-SHOWN:])}"
        return Fault(Cause.CALL_IN_THINKING, text, found.parser)
    if answer.ran_out:
        return Fault(Cause.TALKS_ON, f"no call within {answer.output} tokens: {quote(answer.text or answer.thinking)}")
    if answer.stop_reason == "tool_use":
        return Fault(Cause.WRONG_TOOL_PARSER, "the answer ends as if it had called a tool, and holds no call")
    return Fault(Cause.NO_CALL, f"it wrote {quote(answer.text)}" if answer.text else "the answer is empty")


def _cut(arguments: str, answer: Answer) -> Fault:
    if answer.ran_out:
        return Fault(Cause.TALKS_ON, f"the room for the answer ended in the arguments: {quote(arguments)}")
    return Fault(Cause.CUT_ARGUMENTS, f"the arguments are no whole JSON object: {quote(arguments)}")


def parser_cause(kind: BackendKind, *, calls: bool) -> Cause:
    """Whether markup in the text means that no parser runs, or one of another family.

    vLLM without a parser refuses requests with tools, so where it answers one, a parser is set.
    """
    return Cause.WRONG_TOOL_PARSER if calls or kind is BackendKind.VLLM else Cause.NO_TOOL_PARSER


# ------------------------------------------------------------------------------------------ answers of the backend


def raw_fault(answer: RawAnswer, tools: Iterable[str], kind: BackendKind, *, room: int) -> Fault | None:
    """The same for what the backend itself said to one tool prompt."""
    if answer.problem:
        return problem_fault(answer.problem)
    names = tuple(tools)
    if found := call_markup(answer.text, names):
        cause = parser_cause(kind, calls=bool(answer.calls))
        return Fault(cause, f"the backend gives the call as text, {found.title}: {quote(answer.text)}", found.parser)
    for call in answer.calls:
        if found := call_markup(call.name):
            return Fault(Cause.WRONG_TOOL_PARSER, f"the name of the call is markup: {quote(call.name)}", found.parser)
        if json_object(call.arguments) is None:
            return _raw_cut(answer, call.arguments, room)
    if answer.finish == "tool_calls" and not answer.calls:
        return Fault(Cause.WRONG_TOOL_PARSER, "the backend's answer ends with tool_calls, and holds none")
    return None


def _raw_cut(answer: RawAnswer, arguments: str, room: int) -> Fault:
    if answer.finish == "length" and answer.output >= ROOM_USED * room:
        return Fault(Cause.TALKS_ON, f"the room for the answer ended in the arguments: {quote(arguments)}")
    if answer.finish != "length":
        return Fault(
            Cause.CUT_ARGUMENTS,
            f"the arguments end in the middle, with finish_reason {answer.finish}: {quote(arguments)}",
        )
    return Fault(
        Cause.OUTPUT_CAP, f"the backend cuts answers before the {room} tokens that were asked: {quote(arguments)}"
    )
