"""What the encoders of OpenAI's protocols write beyond the catalogue of streams: own tools, silence, failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseEnd, ResponseStart
from landline.core.fold import Answer, Fold
from landline.core.model import StopReason, Usage
from landline.errors import ErrorKind, LandlineError
from landline.protocols.openai_chat_in.stream import ChatEncoder, ChatHead, encode_completion
from landline.protocols.openai_client.tools import Told, Toolset
from landline.protocols.openai_responses.errors import failure, told_in_stream
from landline.protocols.openai_responses.reasoning import SUMMARY, seal
from landline.protocols.openai_responses.stream import ResponseHead, ResponsesEncoder, encode_response
from tests.fakes.openai_streams import chat_chunks, check_chat, check_responses, folded_response, response_events

TOOLSET = Toolset(told={"patch": Told("patch", custom=True), "ns__go": Told("go", "ns")})
USAGE = Usage(prompt=100, cached=80, output=20, reasoning=5)


def block(index: int, kind: BlockKind, *pieces: str, name: str = "") -> list[Event]:
    deltas = [BlockDelta(index, piece) for piece in pieces]
    return [BlockStart(index, kind, f"c{index}" if name else "", name), *deltas, BlockStop(index)]


ANSWER: list[Event] = [
    ResponseStart(),
    *block(0, BlockKind.THINKING, "h", "m"),
    *block(1, BlockKind.TEXT, "I ", "go."),
    *block(2, BlockKind.TOOL_USE, '{"a"', ":1}", name="Bash"),
    *block(3, BlockKind.TOOL_USE, '{"input":', '"*** x"}', name="patch"),
    *block(4, BlockKind.TOOL_USE, name="ns__go"),
    ResponseEnd(StopReason.TOOL_USE, USAGE),
]


def folded(events: list[Event]) -> Answer:
    fold = Fold()
    fold.push(events)
    assert fold.answer is not None
    return fold.answer


def response_head(**fields: Any) -> ResponseHead:
    return ResponseHead("resp_1", "asked", 1, TOOLSET, **fields)


@pytest.mark.parametrize("fields", [{}, {"thinking": SUMMARY, "sealed": True}])
def test_a_whole_response_is_what_its_stream_ends_with(fields: dict[str, Any]) -> None:
    head = response_head(**fields)
    raw = ResponsesEncoder(head).encode(ANSWER)
    streamed = check_responses(raw, asked_model="asked")
    whole = json.loads(encode_response(folded(ANSWER), head))
    assert whole == response_events(raw)[-1]["response"]
    assert streamed == folded_response(whole)
    kinds = [item["type"] for item in whole["output"]]
    assert kinds == ["reasoning", "message", "function_call", "custom_tool_call", "function_call"]
    assert whole["output"][3]["input"] == "*** x"
    assert (whole["output"][4]["name"], whole["output"][4]["namespace"]) == ("go", "ns")
    assert whole["output"][4]["arguments"] == "{}"
    assert whole["usage"]["input_tokens_details"] == {"cached_tokens": 80}
    assert (whole["usage"]["total_tokens"], whole["usage"]["output_tokens_details"]) == (120, {"reasoning_tokens": 5})


def test_thinking_is_a_summary_and_sealed_where_that_is_asked_for() -> None:
    head = response_head(thinking=SUMMARY, sealed=True)
    thought = json.loads(encode_response(folded(ANSWER), head))["output"][0]
    assert thought["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert thought["encrypted_content"] == seal("hm")
    plain = json.loads(encode_response(folded(ANSWER), response_head()))["output"][0]
    assert (plain["summary"], plain["encrypted_content"]) == ([], None)
    assert plain["content"] == [{"type": "reasoning_text", "text": "hm"}]


def test_a_response_cut_by_length_is_incomplete() -> None:
    events: list[Event] = [
        ResponseStart(),
        *block(0, BlockKind.TEXT, "half"),
        ResponseEnd(StopReason.MAX_TOKENS, USAGE),
    ]
    last = response_events(ResponsesEncoder(response_head()).encode(events))[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_silence_is_filled_with_events_that_say_nothing() -> None:
    encoder = ResponsesEncoder(response_head())
    raw = encoder.heartbeat() + encoder.encode(ANSWER[:3]) + encoder.heartbeat() + encoder.encode(ANSWER[3:])
    assert check_responses(raw, asked_model="asked") == check_responses(
        ResponsesEncoder(response_head()).encode(ANSWER), asked_model="asked"
    )
    chat = ChatEncoder(ChatHead("chatcmpl-1", "asked", 1))
    raw = chat.heartbeat() + chat.encode(ANSWER[:4]) + chat.heartbeat() + chat.encode(ANSWER[4:5])
    chunks, _ = chat_chunks(raw)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "h"},
        {"reasoning_content": "m"},
        {},
    ]


def test_a_whole_completion_is_what_its_stream_adds_up_to() -> None:
    head = ChatHead("chatcmpl-1", "asked", 1, usage=True)
    events = [*ANSWER[:13], *block(3, BlockKind.TOOL_USE, name="Now"), ANSWER[-1]]
    streamed = check_chat(ChatEncoder(head).encode(events), asked_model="asked")
    whole = json.loads(encode_completion(folded(events), head))
    [choice] = whole["choices"]
    message = choice["message"]
    assert (message["content"], message["reasoning_content"], choice["finish_reason"]) == ("I go.", "hm", "tool_calls")
    assert [block["type"] for block in streamed.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert [(call["id"], call["function"]["arguments"]) for call in message["tool_calls"]] == [
        ("c2", '{"a":1}'),
        ("c3", "{}"),
    ]
    assert streamed.content[3]["input"] == {}
    assert whole["usage"]["prompt_tokens_details"] == {"cached_tokens": 80}


def test_a_custom_tool_of_a_chat_client() -> None:
    head = ChatHead("chatcmpl-1", "asked", 1, TOOLSET)
    events: list[Event] = [
        *block(0, BlockKind.TOOL_USE, '{"input":"x"}', name="patch"),
        ResponseEnd(StopReason.TOOL_USE, USAGE),
    ]
    chunks, ended = chat_chunks(ChatEncoder(head).encode([ResponseStart(), *events]))
    wanted = {"id": "c0", "type": "custom", "custom": {"name": "patch", "input": "x"}}
    assert ended
    assert chunks[1]["choices"][0]["delta"] == {"tool_calls": [{"index": 0, **wanted}]}
    assert json.loads(encode_completion(folded(events), head))["choices"][0]["message"]["tool_calls"] == [wanted]


def test_usage_only_where_it_is_asked_for() -> None:
    raw = ChatEncoder(ChatHead("chatcmpl-1", "asked", 1)).encode([*ANSWER[:9], ANSWER[-1]])
    assert check_chat(raw, asked_model="asked", usage_asked=False).usage["output_tokens"] == 0


def error(kind: ErrorKind, **fields: Any) -> LandlineError:
    return LandlineError(kind, "words", **fields)


@pytest.mark.parametrize(
    ("told", "code", "message"),
    [
        (error(ErrorKind.PROMPT_TOO_LONG), "context_length_exceeded", "words"),
        (error(ErrorKind.BACKEND_UNAVAILABLE, retry_after=5), "rate_limit_exceeded", "words Please try again in 5s."),
        (error(ErrorKind.BACKEND_UNAVAILABLE, final=True, hint="Do this."), "invalid_prompt", "words Do this."),
        (error(ErrorKind.INVALID_REQUEST), "invalid_prompt", "words"),
        (error(ErrorKind.BAD_BACKEND), "server_error", "words"),
    ],
)
def test_codes_that_make_codex_do_what_helps(told: LandlineError, code: str, message: str) -> None:
    assert failure(told) == {"code": code, "message": message}
    raw = ResponsesEncoder(response_head()).error(told)
    assert check_responses(raw, asked_model="asked").error == {"code": code, "message": message}


@pytest.mark.parametrize(
    ("kind", "client", "in_stream"),
    [
        (ErrorKind.PROMPT_TOO_LONG, "codex_exec/0.169.0 (Linux)", True),
        (ErrorKind.BACKEND_UNAVAILABLE, "codex-tui/1", True),
        (ErrorKind.INVALID_REQUEST, "codex_exec/0.169.0", False),
        (ErrorKind.AUTHENTICATION, "codex_exec/0.169.0", False),
        (ErrorKind.PROMPT_TOO_LONG, "OpenAI/Python 3.52.0", False),
    ],
)
def test_who_is_told_in_a_stream(kind: ErrorKind, client: str, in_stream: bool) -> None:
    assert told_in_stream(error(kind), client) is in_stream
