"""What the answer to a tool prompt is taken for."""

from __future__ import annotations

import time

import pytest

from landline.clients.checking.asking import Answer, Call
from landline.clients.checking.causes import Cause, call_fault, problem_fault, quote, raw_fault
from landline.clients.checking.direct import RawAnswer, RawCall
from landline.clients.checking.markup import call_markup, thinking_markup
from landline.upstream.dialects import BackendKind

VLLM, SGLANG = BackendKind.VLLM, BackendKind.SGLANG
GOOD = Call("c1", "look", '{"a":1}', {"a": 1})
CUT = Call("c1", "look", '{"a":', None)
BAR, BLOCK = "\uff5c", "\u2581"


def cause(answer: Answer, kind: BackendKind = VLLM) -> Cause | None:
    fault = call_fault(answer, ["look"], kind)
    return fault.cause if fault else None


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (Answer(calls=(GOOD,), stop_reason="tool_use"), None),
        (Answer(calls=(GOOD,), text="Let me look.", stop_reason="tool_use"), None),
        (Answer(calls=(CUT,), stop_reason="tool_use"), Cause.CUT_ARGUMENTS),
        (Answer(calls=(CUT,), stop_reason="max_tokens", output=100, room=100), Cause.TALKS_ON),
        (Answer(calls=(CUT,), stop_reason="max_tokens", output=10, room=100), Cause.CUT_ARGUMENTS),
        (Answer(calls=(Call("c", "other", "{}", {}),), stop_reason="tool_use"), Cause.WRONG_ARGUMENTS),
        (Answer(text="<function=look>", stop_reason="end_turn"), Cause.WRONG_TOOL_PARSER),
        (Answer(thinking="so: <tool_call>{}", stop_reason="end_turn"), Cause.CALL_IN_THINKING),
        (Answer(text="words", stop_reason="max_tokens", output=100, room=100), Cause.TALKS_ON),
        (Answer(text="", stop_reason="tool_use"), Cause.WRONG_TOOL_PARSER),
        (Answer(text="No.", stop_reason="end_turn"), Cause.NO_CALL),
        (Answer(problem="prompt is too long: 9 tokens > 8 maximum"), Cause.WINDOW_SMALLER_THAN_SAID),
        (Answer(problem='x "auto" tool choice requires --enable-auto-tool-choice'), Cause.NO_TOOL_PARSER),
        (Answer(problem="gone"), Cause.REFUSED),
    ],
)
def test_an_answer_of_the_gateway(answer: Answer, wanted: Cause | None) -> None:
    assert cause(answer) is wanted


def test_markup_means_no_parser_where_the_server_would_not_have_refused() -> None:
    answer = Answer(text='<tool_call>{"name": "look"}</tool_call>', stop_reason="end_turn")
    assert cause(answer, SGLANG) is Cause.NO_TOOL_PARSER
    assert cause(answer, VLLM) is Cause.WRONG_TOOL_PARSER
    half = Answer(text="</tool_call>", calls=(GOOD,), stop_reason="tool_use")
    assert cause(half, SGLANG) is Cause.WRONG_TOOL_PARSER


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (RawAnswer(calls=(RawCall("look", '{"a": 1}'),), finish="tool_calls"), None),
        (RawAnswer(text="No.", finish="stop"), None),
        (RawAnswer(calls=(RawCall("look", '{"a'),), finish="tool_calls"), Cause.CUT_ARGUMENTS),
        (RawAnswer(calls=(RawCall("look", '{"a'),), finish="length", output=20), Cause.OUTPUT_CAP),
        (RawAnswer(calls=(RawCall("look", '{"a'),), finish="length", output=100), Cause.TALKS_ON),
        (RawAnswer(calls=(RawCall("look</function>", "{}"),), finish="tool_calls"), Cause.WRONG_TOOL_PARSER),
        (RawAnswer(finish="tool_calls"), Cause.WRONG_TOOL_PARSER),
        (RawAnswer(text="<function=look></function>", finish="stop"), Cause.WRONG_TOOL_PARSER),
        (RawAnswer(problem="tool_choice requires --tool-call-parser to be set"), Cause.NO_TOOL_PARSER),
    ],
)
def test_an_answer_of_the_backend(answer: RawAnswer, wanted: Cause | None) -> None:
    fault = raw_fault(answer, ["look"], VLLM, room=100)
    assert (fault.cause if fault else None) is wanted


def test_the_true_window_is_read_from_the_refusal() -> None:
    assert problem_fault("prompt is too long: 40001 tokens > 40000 maximum").window == 40_000


@pytest.mark.parametrize(
    ("text", "parser"),
    [
        ('<tool_call>\n{"name": "look"}', "hermes"),
        ("<tool_call>\n<function=look>", "qwen3_coder"),
        ("<seed:tool_call><function=look>", "seed_oss"),
        ("<tool_call>look\n<arg_key>a</arg_key>", "glm47"),
        ('<minimax:tool_call><invoke name="look">', "minimax_m2"),
        ("<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0", "kimi_k2"),
        (
            f"<{BAR}tool{BLOCK}calls{BLOCK}begin{BAR}><{BAR}tool{BLOCK}call{BLOCK}begin{BAR}>function<{BAR}",
            "deepseek_v3",
        ),
        (f"<{BAR}tool{BLOCK}calls{BLOCK}begin{BAR}><{BAR}tool{BLOCK}call{BLOCK}begin{BAR}>look<", "deepseek_v31"),
        (f'<{BAR}DSML{BAR}tool_calls><{BAR}DSML{BAR}invoke name="look">', "deepseek_v4"),
        ("<|channel|>commentary to=functions.look", "openai"),
        ("[TOOL_CALLS]look{}", "mistral"),
        ("<|tool_call>call:look{}", "gemma4"),
        ("[look(a=1)]", "pythonic"),
    ],
)
def test_the_syntax_names_the_parser(text: str, parser: str) -> None:
    found = call_markup(f"{text}", ["look"])
    assert found is not None
    assert found.parser == parser


def test_bare_json_counts_only_with_a_tool_s_name() -> None:
    assert call_markup('```json\n{"name": "look", "arguments": {}}\n```', ["look"]) is not None
    assert call_markup('{"name": "Bergen"}', ["look"]) is None
    assert call_markup("I looked [look it up](x).", ["look"]) is None


def test_marks_of_thinking() -> None:
    assert thinking_markup("so\n</think>\n\nHello") == "</think>"
    assert thinking_markup("I think so.") == ""


def test_looking_for_marks_is_linear() -> None:
    hostile = "<tool_cal" * 100_000 + "<" * 100_000
    began = time.perf_counter()
    assert call_markup(hostile, ["look"]) is None
    assert thinking_markup(hostile) == ""
    assert time.perf_counter() - began < 2


def test_quotes_are_short_and_on_one_line() -> None:
    assert quote("a\n b") == "“a b”"
    assert len(quote("x" * 10_000)) < 100
