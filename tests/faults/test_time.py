"""Silent and slow backends: when a stream is opened, what keeps the client patient, and what can still be refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from landline.core.exchange import Outcome
from tests.fakes.anthropic_events import events_of
from tests.fakes.chat_stream import DONE, Answer, call_delta, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, GatewayClient, Reply, gateway_to, request_body
from tests.fakes.model_server import ModelServer, count_tokens, json_answer, overflow_error
from tests.fakes.stream_invariant import FAILED, Folded, check_silence, check_stream, same_message
from tests.fakes.upstream import Pause, Request, Send, Status, Step

COMMIT_S = 0.2
HEARTBEAT_S = 0.1
PATIENCE_S = COMMIT_S + 0.15  # with what a busy machine adds
QUICK = {"commit_after_s": COMMIT_S, "heartbeat_s": HEARTBEAT_S}
ROLE = sse(chunk({"role": "assistant", "content": ""}))
END = sse(chunk({}, "stop"), usage_chunk(40, 5, 30), DONE)
TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]


def heartbeats(reply: Reply) -> int:
    """Events that say nothing: message_delta without a stop reason, and empty deltas."""
    found = 0
    for event in events_of(reply.body):
        delta = event.data.get("delta") or {}
        empty = event.type == "content_block_delta" and not any(
            delta.get(name) for name in ("text", "thinking", "partial_json", "signature")
        )
        found += empty or (event.type == "message_delta" and delta["stop_reason"] is None)
    return found


def opened_after_s(reply: Reply) -> float:
    return reply.arrivals[1][0] - reply.arrivals[0][0]


def checked(reply: Reply, **options: Any) -> Folded:
    assert reply.status == 200
    check_silence(reply.arrivals, limit_s=PATIENCE_S)
    return check_stream(reply.body, asked_model=ASKED, **options)


async def plain_twin(client: GatewayClient, server: ModelServer, steps: list[Step], body: dict[str, Any]) -> Any:
    """The same upstream content without the pauses, not streamed."""
    server.answer = lambda _: [step for step in steps if not isinstance(step, Pause)]
    return (await client.messages(body)).json


@pytest.mark.row("3.23")
@pytest.mark.parametrize("headers", [True, False], ids=["after its headers", "before its headers"])
async def test_row_3_23_a_long_silence_is_bridged_with_true_numbers(*, headers: bool) -> None:
    """A long prefill: the stream is opened, `message_start` has the exact count, the client never waits long."""
    begin: list[Step] = [Status()] if headers else []
    steps = [*begin, Pause(0.9), Send(ROLE + sse(chunk({"content": "at last"})) + END)]
    body = request_body("hello " * 50)
    async with ModelServer(lambda _: steps) as server, gateway_to(server.url, **QUICK) as client:
        reply = await client.stream(body)
        folded = checked(reply, backend_finish="stop")
        assert COMMIT_S * 0.75 <= opened_after_s(reply) < PATIENCE_S  # the count has its time before the limit
        started = events_of(reply.body)[0].data["message"]["usage"]
        assert started["input_tokens"] == count_tokens(server.chats[0].json)
        assert started["cache_read_input_tokens"] == 0
        assert (folded.usage["input_tokens"], folded.usage["cache_read_input_tokens"]) == (10, 30)
        assert heartbeats(reply) >= 3
        exchange = await client.settled()
        assert (exchange.outcome, exchange.notes.repairs) == (Outcome.COMPLETED, [])
        assert same_message(reply.body, await plain_twin(client, server, steps, body))
        assert len(server.requests_to("/tokenize")) == 1


def in_block(*before: bytes, after: bytes) -> list[Step]:
    return [Send(ROLE + b"".join(before)), Pause(0.5), Send(after)]


CALL = sse(chunk(call_delta(0, "", name="Bash", id="c1")))
SILENT_BLOCKS: dict[str, list[Step]] = {
    "thinking": in_block(sse(chunk({"reasoning": "hm "})), after=sse(chunk({"reasoning": "yes"})) + END),
    "thinking, then text": in_block(sse(chunk({"reasoning": "hm"})), after=sse(chunk({"content": "yes"})) + END),
    "text": in_block(sse(chunk({"content": "one "})), after=sse(chunk({"content": "two"})) + END),
    "a tool call, before its arguments": in_block(CALL, after=sse(chunk(call_delta(0, '{"a":1}'))) + END),
    "a tool call, within its arguments": in_block(
        CALL, sse(chunk(call_delta(0, '{"a":'))), after=sse(chunk(call_delta(0, "1}"))) + END
    ),
    "a tool call without arguments": in_block(CALL, after=END),
    "behind the finish reason": in_block(
        sse(chunk({"content": "one"})), sse(chunk({}, "stop")), after=sse(usage_chunk(40, 5, 30), DONE)
    ),
}


def named(cases: Mapping[str, list[Step]]) -> Callable[[Any], list[Step]]:
    """The case whose name is the text of the request: all cases run at the same time, as their time is waiting."""
    return lambda body: cases[body["messages"][-1]["content"]]


@pytest.mark.row("3.41")
async def test_row_3_41_heartbeats_leave_no_trace() -> None:
    """Silence within an open block: counted events, and the message that is folded from the stream is the same."""
    async with ModelServer(named(SILENT_BLOCKS)) as server, gateway_to(server.url, **QUICK) as client:
        bodies = [request_body(name, tools=TOOLS) for name in SILENT_BLOCKS]
        replies = await asyncio.gather(*(client.stream(body) for body in bodies))
        for name, body, reply in zip(SILENT_BLOCKS, bodies, replies, strict=True):
            folded = checked(reply, tools=["Bash"], backend_finish="stop")
            check_silence(reply.arrivals, limit_s=HEARTBEAT_S + 0.15)
            assert heartbeats(reply) >= 3, name
            twin = await plain_twin(client, server, SILENT_BLOCKS[name], body)
            assert same_message(folded, twin), name
            assert twin["content"], "nothing was compared"


async def test_tokens_that_come_steadily_need_no_heartbeats() -> None:
    async with (
        ModelServer(lambda _: Answer(text="word " * 60), gap_s=0.02) as server,
        gateway_to(server.url, **QUICK) as client,
    ):
        reply = await client.stream()
        checked(reply, backend_finish="stop")
        assert heartbeats(reply) == 0


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_an_overflow_seen_before_an_early_commit_is_an_http_error(kind: Any) -> None:
    """The backend is silent; the count says that the prompt cannot fit: still a 400, in the words that compact."""

    def answer(body: Any) -> list[Step]:
        return [Pause(5), *overflow_error(kind, 0, 0)]

    async with ModelServer(answer, kind=kind, window=400) as server:
        server.override = lambda request: answer(request) if request.path == "/v1/chat/completions" else None
        async with gateway_to(server.url, **QUICK) as client:
            reply = await client.stream(request_body("word " * 1000))
            tokens = count_tokens({"messages": [{"role": "user", "content": "word " * 1000}]})
            told = f"prompt is too long: {tokens} tokens > 400 maximum"
            assert reply.error == (400, "invalid_request_error", told)
            assert reply.headers["content-type"] == "application/json"
            assert not server.chats, "what cannot fit is not sent"


async def test_an_overflow_of_a_window_that_only_the_queue_reveals() -> None:
    """The request seemed to fit (no window known), the backend queues, then refuses: before the commit, a 400."""

    def answer(body: Any) -> list[Step]:
        return [Pause(0.12), *overflow_error("vllm", 0, 400)]

    async with ModelServer(answer, kind="plain") as server, gateway_to(server.url, **QUICK) as client:
        reply = await client.stream(request_body("word " * 1000))
        status, kind, message = reply.error
        assert (status, kind) == (400, "invalid_request_error")
        assert message.startswith("prompt is too long: ")
        assert message.endswith(" tokens > 400 maximum")
        assert int(message.split()[4]) > 1000
        assert (await client.settled()).outcome is Outcome.REFUSED


async def test_an_overflow_behind_an_early_commit_is_one_error_event() -> None:
    def answer(body: Any) -> list[Step]:
        return [Pause(0.5), *overflow_error("vllm", 0, 400)]

    async with ModelServer(answer, kind="plain") as server, gateway_to(server.url, **QUICK) as client:
        reply = await client.stream(request_body("word " * 1000))
        folded = checked(reply, backend_finish=FAILED)
        assert folded.error is not None
        assert folded.error["type"] == "invalid_request_error"
        assert folded.error["message"].startswith("prompt is too long: ")


async def test_a_slow_count_does_not_hold_the_stream_back_for_ever() -> None:
    """A backend so busy that it does not count either: the stream is opened with an estimate, and marked."""

    def override(request: Request) -> list[Step] | None:
        return [Pause(30), *json_answer(200, {})] if request.path == "/tokenize" else None

    steps = [Pause(2.6), Send(ROLE + sse(chunk({"content": "x"})) + END)]
    async with (
        ModelServer(lambda _: steps, override=override) as server,
        gateway_to(server.url, **QUICK) as client,
    ):
        reply = await client.stream(request_body("hello " * 50))
        check_stream(reply.body, asked_model=ASKED, backend_finish="stop")
        assert opened_after_s(reply) < COMMIT_S + 2.3
        assert (await client.settled()).notes.repairs == ["prompt length estimated"]


async def test_an_early_commit_where_nobody_can_count_is_marked_estimated() -> None:
    steps = [Pause(0.5), Send(ROLE + sse(chunk({"content": "x"}), chunk({}, "stop"), DONE))]
    async with ModelServer(lambda _: steps, kind="plain") as server, gateway_to(server.url, **QUICK) as client:
        reply = await client.stream(request_body("hello " * 300))
        folded = checked(reply, backend_finish="stop")
        started = events_of(reply.body)[0].data["message"]["usage"]["input_tokens"]
        true = count_tokens(server.chats[0].json)
        assert true / 1.5 < started < true * 1.5
        assert folded.usage["input_tokens"] == started
        exchange = await client.settled()
        assert exchange.notes.repairs == ["prompt length estimated"]
        assert exchange.usage is not None
        assert not exchange.usage.exact


FAILURES: dict[str, tuple[list[Step], str, str]] = {
    "500": (json_answer(500, {"error": {"message": "boom"}}), "api_error", "answered 500: boom"),
    "503": (json_answer(503, {"error": {"message": "busy"}}), "overloaded_error", "answered 503: busy"),
    "400": (json_answer(400, {"error": {"message": "no"}}), "invalid_request_error", "refused the request: no"),
    "error chunk": ([Send(sse({"error": {"message": "out of memory"}}))], "api_error", "failed: out of memory"),
    "page": ([Status(200, {"content-type": "text/html"}), Send(b"<html>")], "api_error", "web page"),
    "cut": ([Status(), Pause(0.02)], "api_error", "ended before the answer was complete"),
}


async def test_a_failure_behind_an_early_commit_is_one_error_event() -> None:
    late = {name: [Pause(0.45), *steps] for name, (steps, _, _) in FAILURES.items()}
    async with ModelServer(named(late)) as server, gateway_to(server.url, **QUICK) as client:
        replies = await asyncio.gather(*(client.stream(request_body(name)) for name in FAILURES))
        for (name, (_, kind, words)), reply in zip(FAILURES.items(), replies, strict=True):
            folded = checked(reply, backend_finish=FAILED)
            assert folded.error is not None, name
            assert folded.error["type"] == kind, name
            assert words in folded.error["message"], name
            recorded = [exchange for exchange in client.exchanges if words in exchange.error]
            assert [(exchange.outcome, exchange.status) for exchange in recorded] == [(Outcome.FAILED, 200)], name
        await asyncio.sleep(0.15)  # a heartbeat that was still planned would fail in the log
        assert not client.gateway.line.open


async def test_a_backend_that_falls_silent_for_good() -> None:
    """backend.idle_timeout_s: before the commit a 504, behind it one error event."""
    idle = {"idle_timeout_s": 0.4}
    async with ModelServer(lambda _: [Pause(5)]) as server:
        async with gateway_to(server.url, backend=idle, commit_after_s=5) as client:
            reply = await client.stream()
            assert reply.error[:2] == (504, "api_error")
            assert "did not answer in time" in reply.error[2]
        async with gateway_to(server.url, backend=idle, **QUICK) as client:
            folded = checked(await client.stream(), backend_finish=FAILED)
            assert folded.error is not None
            assert "did not answer in time" in folded.error["message"]
            server.answer = lambda _: [Send(ROLE + sse(chunk({"content": "half"}))), Pause(5)]
            folded = checked(await client.stream(), backend_finish=FAILED)
            assert folded.error == {
                "type": "api_error",
                "message": "The backend fell silent in the middle of its answer.",
            }


async def test_an_answer_that_comes_in_the_very_moment_of_the_commit() -> None:
    """Thirty requests whose first token comes around the commit: each stream is whole, and is opened once."""
    delays = [COMMIT_S + (number - 15) * 0.002 for number in range(30)]
    left = iter(delays)

    def answer(body: Any) -> list[Step]:
        return [Pause(next(left)), Send(ROLE + sse(chunk({"content": "x"})) + END)]

    async with ModelServer(answer) as server, gateway_to(server.url, **QUICK) as client:
        seen: set[str] = set()
        for reply in await asyncio.gather(*(client.stream() for _ in delays)):
            assert reply.status == 200
            check_stream(reply.body, asked_model=ASKED, backend_finish="stop", seen_ids=seen)
        assert {exchange.outcome for exchange in client.exchanges} == {Outcome.COMPLETED}


@pytest.mark.row("3.42")
async def test_row_3_42_headers_that_keep_proxies_from_buffering() -> None:
    async with ModelServer() as server, gateway_to(server.url) as client:
        reply = await client.stream()
        assert reply.headers["x-accel-buffering"] == "no"
        assert reply.headers["cache-control"] == "no-cache"
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "content-encoding" not in reply.headers


@pytest.mark.row("3.32")
async def test_row_3_32_streams_are_never_asked_for_compressed() -> None:
    async with ModelServer() as server, gateway_to(server.url) as client:
        await client.stream(headers={"accept-encoding": "gzip, br, zstd"})
        assert server.chats[0].headers["accept-encoding"] == "identity"


@pytest.mark.row("3.22")
async def test_row_3_22_usage_behind_the_finish_reason_is_waited_for() -> None:
    steps = [
        Send(ROLE + sse(chunk({"content": "x"}), chunk({}, "stop"))),
        Pause(0.1),
        Send(sse(usage_chunk(40, 5, 30))),
    ]
    async with ModelServer(lambda _: [*steps, Pause(3)]) as server, gateway_to(server.url) as client:
        reply = await client.stream()
        folded = check_stream(reply.body, asked_model=ASKED, backend_finish="stop")
        assert folded.usage["output_tokens"] == 5
        assert reply.arrivals[-1][0] - reply.arrivals[0][0] < 1, "the end of the connection was waited for"
