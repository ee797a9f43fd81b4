"""Answers of the gateway and of the backend, as they may come: whole, broken, hostile. None raises."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from landline.clients.checking.asking import ROOM_TO_THINK, Answer, Asker
from landline.clients.checking.direct import DirectAsker, RawAnswer
from landline.errors import LandlineError
from landline.upstream.backend import Backend
from tests.fakes.chat_stream import DONE, call_delta, chunk, sse, usage_chunk
from tests.fakes.chat_stream import Answer as Said
from tests.fakes.model_server import native_message, native_stream
from tests.fakes.upstream import Cut, Request, Send, Status, Step, Upstream, json_answer

STREAM = {"content-type": "text/event-stream"}
CALL = ("look", {"place": "ö"}, "call_1")


@asynccontextmanager
async def asker(*answers: list[Step]) -> AsyncIterator[tuple[Asker, Upstream]]:
    left = list(answers)
    async with Upstream(lambda request: left.pop(0) if len(left) > 1 else left[0]) as server:
        made = Asker(server.url, token="t", model="m", silence_s=5)
        yield made, server
        made.close()


async def asked(*steps: Step) -> Answer:
    async with asker(list(steps)) as (made, _):
        return await made.ask_once("hi", room=100)


def native(said: Said, **fields: Any) -> list[Step]:
    return [Status(200, STREAM), Send(native_stream(native_message(said, {"model": "m"}) | fields))]


async def test_a_whole_answer() -> None:
    answer = await asked(*native(Said("Looking.", "hm", (CALL,), usage=(100, 20, 60))))
    assert (answer.text, answer.thinking, answer.stop_reason) == ("Looking.", "hm", "tool_use")
    assert [(call.id, call.name, call.value) for call in answer.calls] == [("call_1", "look", {"place": "ö"})]
    assert (answer.prompt, answer.cached, answer.output, answer.problem) == (100, 60, 20, "")
    assert 0 < answer.first_s <= answer.total_s
    assert [block["type"] for block in answer.content] == ["thinking", "text", "tool_use"]
    assert answer.content[2]["input"] == {"place": "ö"}


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([Status(200, STREAM), Send(b"data: {not json\n\n")], "does not speak Anthropic"),
        ([Status(200, STREAM), Send(b"data: [1,2]\n\n")], "does not speak Anthropic"),
        ([Status(200, STREAM), Send(b'data: {"type": 7}\n\n')], "does not speak Anthropic"),
        ([Status(200, STREAM), Send(b"data: " + b"[" * 20_000 + b"\n\n")], "does not speak Anthropic"),
        ([Status(200, STREAM), Send(b"event: ping\n\n")], "broke off"),
        ([Status(200, STREAM), Send(b'data: {"type":"content_block_delta"}\n\n'), Cut()], "."),
        ([Status(200, STREAM), Send(b'data: {"type":"error","error":{"message":"no more"}}\n\n')], "no more"),
        (json_answer(400, {"type": "error", "error": {"type": "x", "message": "too long"}}), "too long"),
        (json_answer(502, b"<html>"), "HTTP 502"),
        (json_answer(500, [1]), "HTTP 500"),
    ],
)
async def test_what_is_no_answer_is_a_problem(steps: list[Step], problem: str) -> None:
    assert problem in (await asked(*steps)).problem


async def test_nobody_there() -> None:
    made = Asker("http://127.0.0.1:9", token="t", model="m", silence_s=1)
    assert "Start the model server" in (await made.ask("hi")).problem
    made.close()


async def test_a_thinker_is_asked_once_more_with_room() -> None:
    ran_out = native(Said("", "hm hm", finish="length", usage=(10, 100, 0)))
    async with asker(ran_out, native(Said("42", "hm"))) as (made, server):
        assert (await made.ask("hi", room=100)).text == "42"
        rooms = [request.json["max_tokens"] for request in server.requests]
    assert rooms == [100, ROOM_TO_THINK]


async def test_one_who_talks_on_is_not() -> None:
    async with asker(native(Said("la la", finish="length", usage=(10, 100, 0)))) as (made, server):
        assert (await made.ask("hi", room=100)).ran_out
        assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"input_tokens": "7"}', b'{"input_tokens": 0}'])
async def test_a_count_that_is_none(body: bytes) -> None:
    async with asker(json_answer(200, body)) as (made, _):
        with pytest.raises(LandlineError, match="does not count"):
            await made.count("hi")


async def test_a_count_says_whether_it_is_exact() -> None:
    exact = json_answer(200, {"input_tokens": 7}, {"landline-token-count": "exact"})
    async with asker(exact, json_answer(200, {"input_tokens": 8})) as (made, _):
        first, second = await made.count("hi"), await made.count("hi")
    assert (first.tokens, first.exact, second.tokens, second.exact) == (7, True, 8, False)


# ------------------------------------------------------------------------------------------------ the backend itself


async def said(*chunks: Any, answer: list[Step] | None = None) -> tuple[RawAnswer, Request]:
    steps = answer or [Status(200, STREAM), Send(sse(*chunks, DONE))]
    async with Upstream(lambda request: steps) as server:
        made = DirectAsker(Backend(server.url, key="secret-key"), model="m", silence_s=5)
        raw = await made.ask("hi", room=100, tools=({"name": "look", "description": "Looks", "input_schema": {}},))
        made.close()
        return raw, server.requests[0]


async def test_what_the_backend_says_is_left_as_it_is() -> None:
    raw, request = await said(
        chunk({"reasoning": "hm"}),
        chunk({"content": "<think>so</think><tool_call>"}),
        chunk(call_delta(0, None, name="look", id="a")),
        chunk(call_delta(0, '{"pla')),
        chunk(call_delta(0, 'ce": 1')),
        chunk(call_delta(1, {"place": 2}, name="look", id="b")),
        chunk({}, "tool_calls"),
        usage_chunk(50, 9, 32),
    )
    assert raw.text == "<think>so</think><tool_call>"
    assert raw.thinking == "hm"
    assert [(call.name, call.arguments) for call in raw.calls] == [("look", '{"place": 1'), ("look", '{"place":2}')]
    assert (raw.finish, raw.prompt, raw.output, raw.cached, raw.problem) == ("tool_calls", 50, 9, 32, "")
    assert request.json["tools"][0]["function"] == {"name": "look", "description": "Looks", "parameters": {}}
    assert request.headers["authorization"] == "Bearer secret-key"


async def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    raw, _ = await said(
        chunk(call_delta(None, "{}", name="look", id="a")),
        chunk(call_delta(None, '{"a"', name="look", id="b")),
        chunk(call_delta(None, ":1}")),
    )
    assert [call.arguments for call in raw.calls] == ["{}", '{"a":1}']


async def test_cached_tokens_that_are_not_told_are_not_zero() -> None:
    assert (await said(usage_chunk(50, 9)))[0].cached is None
    assert (await said(usage_chunk(50, 9, 0)))[0].cached == 0


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ([Status(200, STREAM), Send(b"data: nonsense\n\n")], "no stream of chat completions"),
        ([Status(200, STREAM), Send(sse({"error": {"message": "engine died"}}))], "engine died"),
        (json_answer(400, {"error": {"message": "no tools, secret-key"}}), "no tools, [key]"),
        (json_answer(404, {"detail": "Not Found"}), "Not Found"),
        ([Status(200, STREAM), Send(sse(chunk({"content": "I will"})))], "broke off"),
    ],
)
async def test_a_backend_s_refusal_is_a_problem(answer: list[Step], problem: str) -> None:
    raw, _ = await said(answer=answer)
    assert problem in raw.problem
    assert "secret-key" not in json.dumps(raw.problem)
