"""Answers that are forwarded as they come: clients that are slow or leave, backends that stop or say too much."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from landline.core.exchange import Outcome
from tests.fakes.gateway_client import GatewayClient, gateway_to, http_request, until
from tests.fakes.model_server import ModelServer
from tests.fakes.upstream import EVENT_STREAM, Close, Hang, Request, Send, Status, Step

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/chat/completions"
BODY = json.dumps(
    {
        "model": "served",
        "stream": True,
        "max_tokens": 100,
        "ignore_eos": False,  # only a backend can make something of it: so the request goes as it is
        "messages": [{"role": "user", "content": "hi"}],
    }
).encode()
WORD = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
LEFT_S = 0.5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[ModelServer, GatewayClient]]:
    server = ModelServer(window=10**7)
    async with server, gateway_to(server.url) as client:
        assert (await client.call("GET", "/ready")).status == 200
        yield server, client


@pytest.fixture
def server(running: tuple[ModelServer, GatewayClient]) -> ModelServer:
    running[0].override = None
    running[0].requests.clear()
    return running[0]


@pytest.fixture
def client(running: tuple[ModelServer, GatewayClient], server: ModelServer) -> GatewayClient:
    running[1].gateway.line.journal.recent.clear()
    return running[1]


def answering(server: ModelServer, *steps: Step) -> None:
    def override(request: Request) -> list[Step] | None:
        return [Status(200, EVENT_STREAM), *steps] if request.path == PATH else None

    server.override = override


async def chunks(reader: asyncio.StreamReader) -> list[bytes]:
    """The head, and the chunks up to the last. Raises IncompleteReadError where the answer stops before."""
    found = [await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)]
    while size := int(await asyncio.wait_for(reader.readuntil(b"\r\n"), 5), 16):
        found.append((await reader.readexactly(size + 2))[:-2])
    assert await reader.readexactly(2) == b"\r\n"
    return found


async def test_the_answer_leaves_as_it_came_and_the_connection_goes_on(
    client: GatewayClient, server: ModelServer
) -> None:
    said = [WORD % b"one", WORD % b"two", b"data: [DONE]\n\n"]
    answering(server, *map(Send, said))
    async with client.connection() as (reader, writer):
        for _ in range(3):
            writer.write(http_request(BODY, path=PATH))
            head, *found = await chunks(reader)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"".join(found) == b"".join(said)
    assert len(server.chats) == 3
    assert {request.connection for request in server.chats} == {server.chats[0].connection}
    assert [request.body for request in server.chats] == [BODY] * 3


async def test_requests_sent_ahead_get_their_own_answers(client: GatewayClient, server: ModelServer) -> None:
    answering(server, Send(WORD % b"one"))
    async with client.connection() as (reader, writer):
        writer.write(http_request(BODY, path=PATH) * 3)
        for _ in range(3):
            assert (await chunks(reader))[1:] == [WORD % b"one"]


async def test_http_1_0_gets_no_chunks(client: GatewayClient, server: ModelServer) -> None:
    answering(server, Send(WORD % b"one"), Send(b"data: [DONE]\n\n"))
    answer = await client.raw(http_request(BODY, path=PATH).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == WORD % b"one" + b"data: [DONE]\n\n"


async def test_a_client_that_reads_slowly_holds_the_backend_and_loses_nothing(
    client: GatewayClient, server: ModelServer
) -> None:
    said = [WORD % (b"%d " % n + b"x" * 60_000) for n in range(400)]  # 24 MB
    answering(server, *map(Send, said))
    async with client.connection() as (reader, writer):
        writer.write(http_request(BODY, path=PATH))
        await until(lambda: bool(server.chats))
        await asyncio.sleep(0.5)
        assert not server.chats[0].done.is_set(), "nothing but the sockets may hold what nobody reads"
        assert b"".join((await chunks(reader))[1:]) == b"".join(said)
    assert (await client.settled()).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("slow", [False, True], ids=["reading", "not reading"])
async def test_a_hang_up_ends_the_backends_work(client: GatewayClient, server: ModelServer, *, slow: bool) -> None:
    more = [Send(WORD % (b"x" * 60_000))] * (400 if slow else 1)
    answering(server, *more, Hang())
    async with client.connection() as (reader, writer):
        writer.write(http_request(BODY, path=PATH))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        await asyncio.sleep(0.3 if slow else 0.05)
        left_at = time.monotonic()
        writer.transport.abort()
        await asyncio.wait_for(server.chats[0].done.wait(), 2)
    assert server.chats[0].closed_at is not None
    assert server.chats[0].closed_at - left_at < LEFT_S
    await client.closed_by_client()


async def test_an_answer_that_stops_is_cut_for_the_client_too(client: GatewayClient, server: ModelServer) -> None:
    answering(server, Send(WORD % b"one"), Close(finish=False))
    async with client.connection() as (reader, writer):
        writer.write(http_request(BODY, path=PATH))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await chunks(reader)
    assert (await client.settled()).outcome is Outcome.FAILED


async def test_an_error_with_a_length_is_given_back(client: GatewayClient, server: ModelServer) -> None:
    told = b'{"error":{"message":"no","code":400}}'
    head = {"content-type": "application/json", "content-length": str(len(told))}

    def override(request: Request) -> list[Step] | None:
        return [Status(400, head), Send(told)] if request.path == PATH else None

    server.override = override
    async with client.connection() as (reader, writer):
        for _ in range(2):
            writer.write(http_request(BODY, path=PATH))
            first, *found = await chunks(reader)
            assert first.startswith(b"HTTP/1.1 400 ")
            assert found == [told]


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
FIRST = b"5\r\nhello\r\n"
LAST = b"0\r\n\r\n"


@pytest.mark.parametrize(
    "behind",
    [b"HTTP/1.1 200 OK\r\nset-cookie: evil=1\r\nx: ", HEAD + FIRST + LAST, b"JUNK"],
    ids=["half an answer", "an answer", "words"],
)
@pytest.mark.parametrize("whole", [True, False], ids=["in one read", "in several"])
async def test_what_a_backend_says_behind_its_answer_is_never_the_next(
    server: ModelServer, behind: bytes, *, whole: bool
) -> None:
    """The client sees its answer and the end of the connection, or a cut one; nothing that could be another answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            if not whole:
                writer.write(HEAD + FIRST)
                await asyncio.sleep(0.05)
            writer.write((HEAD + FIRST if whole else b"") + LAST + behind)
            await asyncio.sleep(0.2)
        writer.close()

    odd = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with gateway_to(server.url) as client:
        assert (await client.call("GET", "/ready")).status == 200
        client.gateway.line.backends[0].url = f"http://127.0.0.1:{odd.sockets[0].getsockname()[1]}"
        async with client.connection() as (reader, writer):
            writer.write(http_request(BODY, path=PATH) + http_request(b"", method="GET", path="/health"))
            got = b""
            with contextlib.suppress(ConnectionError):
                got = await asyncio.wait_for(reader.read(), 5)
    odd.close()
    head, _, body = got.partition(b"\r\n\r\n")
    assert head == b"" or head.startswith(b"HTTP/1.1 200 ")
    assert b"evil" not in got
    assert b"HTTP/1.1" not in body
    assert body.rstrip(b"\r\n") in (b"", FIRST.rstrip(), (FIRST + LAST).rstrip())
