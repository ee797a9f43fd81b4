"""A client that hangs up: the backend's connection is closed at once, the exchange recorded, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from types import CoroutineType

import pytest

from landline.core.exchange import Outcome
from tests.fakes.chat_stream import DONE, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, http_request, request_body, until
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Hang, Pause, Request, Send, Status, Step

CANCEL_S = 0.1  # from the hang-up to the end of the backend's connection
BEGIN = sse(chunk({"role": "assistant", "content": ""}))
HALF = BEGIN + sse(chunk({"content": "half"}))
END = sse(chunk({}, "stop"), usage_chunk(10, 5), DONE)
GATEWAY = {"commit_after_s": 0.1, "heartbeat_s": 0.05}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


def tasks() -> list[str]:
    """What the gateway runs at the moment. The fake backend's own tasks live in this loop too, and do not count."""
    running = (task.get_coro() for task in asyncio.all_tasks())
    return sorted(
        coroutine.__qualname__
        for coroutine in running
        if isinstance(coroutine, CoroutineType) and "/landline/" in coroutine.cr_code.co_filename
    )


async def hang_up(client: GatewayClient, body: bytes, *, after: bytes, server: ModelServer, reset: bool) -> Request:
    """Sends a request, reads until `after` has come (b"": until the backend has the request), and leaves."""
    async with client.connection() as (reader, writer):
        writer.write(http_request(body))
        if after:
            await asyncio.wait_for(reader.readuntil(after), 5)
        await until(lambda: bool(server.chats))
        request = server.chats[-1]
        await asyncio.sleep(0.01)
        left_at = time.monotonic()
        if reset:
            writer.transport.abort()
        else:
            writer.close()
        await asyncio.wait_for(request.done.wait(), 2)
    assert request.closed_at is not None, "the backend was let finish"
    assert request.closed_at - left_at < CANCEL_S
    return request


# What the backend does, and what the client has read when it leaves.
MOMENTS: dict[str, tuple[list[Step], bytes, bool]] = {
    "in the queue, before headers": ([Hang()], b"", True),
    "after an early commit": ([Hang()], b"message_start", True),
    "after headers, before the first token": ([Status(), Pause(0), Hang()], b"", True),
    "after the role, before the first token": ([Send(BEGIN), Hang()], b"message_start", True),
    "in mid-stream": ([Send(HALF), Hang()], b"half", True),
    "in a silence with heartbeats": ([Send(HALF), Hang()], b'"stop_reason":null,"stop_sequence":null},"usage', True),
    "behind the last token": ([Send(HALF + sse(chunk({}, "stop"))), Hang()], b"half", True),
    "not streamed, before headers": ([Hang()], b"", False),
    "not streamed, after headers": ([Status(), Hang()], b"", False),
    "not streamed, in mid-answer": ([Send(HALF), Hang()], b"", False),
}


@pytest.mark.row("7.03")
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_row_7_03_a_hang_up_ends_the_backends_work(server: ModelServer, moment: str, *, reset: bool) -> None:
    steps, after, stream = MOMENTS[moment]
    server.answer = lambda body: steps
    async with gateway_to(server.url, **GATEWAY) as client:
        await client.call("GET", "/ready")  # the backend is known before the tasks are counted
        idle = tasks()
        assert idle
        await hang_up(client, json.dumps(request_body(stream=stream)).encode(), after=after, server=server, reset=reset)
        exchange = await client.closed_by_client()
        assert exchange.stream is stream
        assert exchange.total_s is not None
        assert exchange.backend_requests == 1
        assert exchange.error == ""
        await until(lambda: tasks() == idle, timeout_s=1)
        assert len(server.chats) == 1, "a request that was cancelled was sent again"


async def test_a_hang_up_while_tokens_come_fast(server: ModelServer) -> None:
    """The backend writes faster than the client reads: the gateway neither piles up nor goes on."""
    piece = sse(chunk({"content": " ".join(map(str, range(280)))}))  # too long to be a model that repeats itself
    server.answer = lambda body: [Send(BEGIN), *[Send(piece * 50)] * 2000, Send(END)]
    async with gateway_to(server.url) as client:
        request = await hang_up(
            client, json.dumps(request_body(stream=True)).encode(), after=b"278 279", server=server, reset=True
        )
        await client.closed_by_client()
        assert request.closed_at is not None


async def test_the_gateway_serves_on_after_many_hang_ups(server: ModelServer) -> None:
    server.answer = lambda body: [Send(HALF), Hang()]
    body = json.dumps(request_body(stream=True)).encode()

    async def one(client: GatewayClient) -> None:
        async with client.connection() as (reader, writer):
            writer.write(http_request(body))
            await asyncio.wait_for(reader.readuntil(b"half"), 5)

    async with gateway_to(server.url, **GATEWAY) as client:
        await asyncio.gather(*(one(client) for _ in range(50)))
        await client.settled(50)
        assert {exchange.outcome for exchange in client.exchanges} == {Outcome.CLIENT_CLOSED}
        await until(lambda: all(request.done.is_set() for request in server.chats), timeout_s=1)
        assert not client.gateway.line.open
        server.answer = lambda body: [Send(HALF + END)]
        reply = await client.stream()
        assert check_stream(reply.body, asked_model=ASKED, backend_finish="stop").content[0]["text"] == "half"


@pytest.mark.row("3.38")
async def test_the_repeat_behind_a_cut_finds_the_first_call_ended(server: ModelServer) -> None:
    """A client that gives up a stream repeats it at once without streaming: one generation is alive, not two."""
    alive: list[int] = []

    def answer(body: object) -> list[Step]:
        alive.append(sum(not request.done.is_set() for request in server.chats))
        return [Send(HALF), Hang()] if len(server.chats) == 1 else [Send(HALF + END)]

    server.answer = answer
    async with gateway_to(server.url) as client:
        await hang_up(client, json.dumps(request_body(stream=True)).encode(), after=b"half", server=server, reset=True)
        reply = await client.messages()
        assert reply.json["content"] == [{"type": "text", "text": "half"}]
        assert alive == [1, 1]
        assert [exchange.outcome.value for exchange in client.exchanges] == ["client_closed", "completed"]


async def test_hang_up_while_tokens_are_counted() -> None:
    """count_tokens asks the backend too."""

    def override(request: Request) -> list[Step] | None:
        return [Hang()] if request.path == "/tokenize" else None

    async with ModelServer(override=override) as server, gateway_to(server.url) as client:
        await client.call("GET", "/ready")
        async with client.connection() as (_, writer):
            writer.write(http_request(json.dumps(request_body()).encode(), path="/v1/messages/count_tokens"))
            await until(lambda: bool(server.requests_to("/tokenize")))
            left_at = time.monotonic()
        request = server.requests_to("/tokenize")[0]
        await asyncio.wait_for(request.done.wait(), 1)
        assert request.closed_at is not None
        assert request.closed_at - left_at < CANCEL_S
        await client.closed_by_client()


async def test_a_failure_of_the_backend_and_a_hang_up_at_once(server: ModelServer) -> None:
    """Whichever is seen first: one record, no trace of an internal error."""
    server.answer = lambda body: [Send(HALF), Pause(0.05), Send(sse({"error": {"message": "died", "code": 500}}))]
    async with gateway_to(server.url) as client:
        async with client.connection() as (reader, writer):
            writer.write(http_request(json.dumps(request_body(stream=True)).encode()))
            await asyncio.wait_for(reader.readuntil(b"half"), 5)
            await asyncio.sleep(0.05)
        exchange = await client.settled()
        assert exchange.outcome in (Outcome.CLIENT_CLOSED, Outcome.FAILED)
        assert not client.gateway.line.open
