"""What happens on the connections themselves, towards clients and towards a backend that breaks its word."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from landline.core.exchange import Exchange, Outcome
from tests.fakes.chat_stream import DONE, Answer, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, http_request, request_body, until
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import FAILED, check_stream
from tests.fakes.upstream import Close, Hang, Pause, Request, Send, Status, Step, json_answer

KEY = "letmein9"
HALF = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half"}))
END = sse(chunk({}, "stop"), usage_chunk(10, 5), DONE)
OVERFLOW = "The input (70000 tokens) is longer than the model's context length (65536 tokens)"
TOO_LONG = (400, "invalid_request_error", "prompt is too long: 70000 tokens > 65536 maximum")
CLOSED = "sent again: the backend had closed the connection that was kept for it"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[ModelServer, GatewayClient]]:
    async with (
        ModelServer(kind="plain", window=10**7) as server,
        gateway_to(server.url, backend={"key": KEY}) as client,
    ):
        assert (await client.call("GET", "/ready")).status == 200
        yield server, client


@pytest.fixture
def server(running: tuple[ModelServer, GatewayClient]) -> ModelServer:
    server = running[0]
    server.answer, server.override = (lambda body: Answer(text="hello")), None
    server.requests.clear()
    return server


@pytest.fixture
def client(running: tuple[ModelServer, GatewayClient]) -> GatewayClient:
    running[1].gateway.line.journal.recent.clear()
    return running[1]


@pytest_asyncio.fixture(loop_scope="module")
async def learner(server: ModelServer) -> AsyncIterator[GatewayClient]:
    """A gateway of one's own, for tests that teach it something about the backend."""
    async with gateway_to(server.url) as client:
        assert (await client.call("GET", "/ready")).status == 200
        yield client


def encoded(text: str = "hello", **fields: Any) -> bytes:
    return json.dumps(request_body(text, **fields)).encode()


async def one_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one answer that names its length."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    told = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await asyncio.wait_for(reader.readexactly(int(told[0].partition(b":")[2])), 5)


# ------------------------------------------------------------------------------------------------- request bodies


@pytest.mark.parametrize("size", [1_150_000, 3_000_000])
async def test_behind_a_large_body_the_connection_goes_on(
    client: GatewayClient, server: ModelServer, size: int
) -> None:
    """The socket is left alone while a large body waits; it must be read again for the next request."""
    async with client.connection() as (reader, writer):
        for text in ("x" * size, "second"):
            writer.write(http_request(encoded(text)))
            head, body = await one_answer(reader)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert json.loads(body)["content"] == [{"type": "text", "text": "hello"}]
    assert [len(request.json["messages"][0]["content"]) for request in server.chats] == [size, len("second")]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_hang_up_behind_a_large_body_is_seen(
    client: GatewayClient, server: ModelServer, *, stream: bool
) -> None:
    server.answer = lambda body: [Status(), Hang()]
    async with client.connection() as (_, writer):
        writer.write(http_request(encoded("x" * 1_150_000, stream=stream)))
        await until(lambda: bool(server.chats))
        await asyncio.sleep(0.05)
        left_at = time.monotonic()
        writer.close()
        await asyncio.wait_for(server.chats[0].done.wait(), 2)
    assert server.chats[0].closed_at is not None
    assert server.chats[0].closed_at - left_at < 0.25
    await client.closed_by_client()


async def test_an_answer_before_the_body_was_read_can_be_read(client: GatewayClient) -> None:
    async with client.connection() as (reader, writer):
        writer.write(http_request(b"", path="/api/event_logging/batch", headers={"content-length": "600000"}))
        await asyncio.sleep(0.1)
        for _ in range(6):
            writer.write(b"x" * 100_000)
            await writer.drain()
        head, body = await one_answer(reader)
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in head
    assert "landline" in json.loads(body)


async def test_trailers_are_no_headers(server: ModelServer) -> None:
    body = encoded()
    whole = b"%x\r\n%b\r\n0\r\nx-api-key: right\r\nuser-agent: trailer\r\n\r\n" % (len(body), body)
    head = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
    async with gateway_to(server.url, keys=("right",)) as client:
        refused = await client.raw(head + b"\r\n" + whole)
        assert refused.startswith(b"HTTP/1.1 401 ")
        assert (await client.raw(head + b"x-api-key: right\r\n\r\n" + whole)).startswith(b"HTTP/1.1 200 ")
        assert [exchange.client for exchange in client.exchanges] == ["", ""]


# -------------------------------------------------------------------------------------------------- request heads

OFFER = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAARAAAAAAAIAAAAA"}


@pytest.mark.parametrize("apart", [False, True], ids=["in one segment", "body in its own segment"])
async def test_an_offer_of_http2_is_answered_in_http1(
    client: GatewayClient, server: ModelServer, *, apart: bool
) -> None:
    body = encoded()
    offered = http_request(body, headers=OFFER)
    cut = len(offered) - len(body) if apart else len(offered)
    async with client.connection() as (reader, writer):
        writer.write(http_request(b"", method="GET", path="/health", headers=OFFER))
        head, answer = await one_answer(reader)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert json.loads(answer)["status"] == "ok"
        writer.write(offered[:cut])
        await asyncio.sleep(0.05 if apart else 0)
        writer.write(offered[cut:] + http_request(b"", method="GET", path="/health"))
        head, answer = await one_answer(reader)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert json.loads(answer)["content"] == [{"type": "text", "text": "hello"}]
        assert json.loads((await one_answer(reader))[1])["status"] == "ok"
    assert len(server.chats) == 1


async def test_an_oversized_head_is_told(client: GatewayClient) -> None:
    lines = b"".join(b"x-header-%d: %b\r\n" % (number, b"y" * 1000) for number in range(80))
    answer = await client.raw(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n" + lines)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["error"]["message"] == "The request head is larger than 64 KiB."
    assert (await client.messages()).status == 200


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/messages", "/health"])
async def test_http_1_0_gets_no_chunks(client: GatewayClient, path: str, *, stream: bool) -> None:
    method = "GET" if path == "/health" else "POST"
    request = http_request(encoded(stream=stream), method=method, path=path, headers={"connection": "keep-alive"})
    head, _, body = (await client.raw(request.replace(b"HTTP/1.1", b"HTTP/1.0", 1))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    if path == "/v1/messages" and stream:
        assert check_stream(body, asked_model=ASKED, backend_finish="stop").content[0]["text"] == "hello"
    else:
        assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [("/v1/messages", "evil.example", 403), ("/nowhere", "localhost", 404), ("/v1/messages/x", "localhost", 404)],
)
async def test_refusals_outside_a_call_are_recorded(client: GatewayClient, path: str, host: str, status: int) -> None:
    reply = await client.messages(headers={"host": host, "user-agent": "me"}) if status == 403 else None
    if reply is None:
        reply = await client.call("POST", path, body=request_body(), headers={"user-agent": "me"})
    assert reply.status == status
    exchange = await client.settled()
    assert (exchange.path, exchange.status, exchange.outcome) == (path, status, Outcome.REFUSED)
    assert (exchange.client, exchange.id) == ("me", reply.error and reply.headers["request-id"])
    assert exchange.error_logged


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_a_models_name_has_a_limit(client: GatewayClient, server: ModelServer, path: str) -> None:
    body = request_body()
    assert (await client.call("POST", path, body=body | {"model": "m" * 512})).status == 200
    server.requests.clear()
    refused = await client.call("POST", path, body=body | {"model": "m" * 513})
    assert refused.error == (400, "invalid_request_error", "model: must not be longer than 512 characters.")
    assert not server.chats


# ------------------------------------------------------------------------------------- failures inside the 200


def in_stream(message: str, code: int) -> list[Step]:
    return [Status(), Send(sse({"error": {"message": message, "code": code}}, DONE))]


async def test_an_overflow_told_inside_the_200(learner: GatewayClient, server: ModelServer) -> None:
    told = json_answer(200, {"error": {"message": OVERFLOW, "code": 400}})
    for steps in (in_stream(OVERFLOW, 400), told):
        server.answer = lambda body, steps=steps: steps
        for stream in (True, False):
            assert (await learner.messages(request_body(stream=stream))).error == TOO_LONG


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_told_inside_the_stream(client: GatewayClient, server: ModelServer, *, stream: bool) -> None:
    server.answer = lambda body: in_stream("top_p must be positive", 400)
    reply = await client.messages(request_body(stream=stream))
    assert reply.error == (400, "invalid_request_error", "The backend refused the request: top_p must be positive")


async def test_the_backends_key_is_masked_in_stream_errors(client: GatewayClient, server: ModelServer) -> None:
    server.answer = lambda body: in_stream(f"bad key {KEY} given", 500)
    for stream in (True, False):
        reply = await client.messages(request_body(stream=stream))
        assert reply.error == (502, "api_error", "The backend failed: bad key [key] given")
    server.answer = lambda body: [Send(HALF), Pause(0.05), *in_stream(f"bad key {KEY} given", 500)[1:]]
    folded = check_stream((await client.stream()).body, asked_model=ASKED, backend_finish=FAILED)
    assert folded.error == {"type": "api_error", "message": "The backend failed: bad key [key] given"}


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_in_json_instead_of_a_stream(
    client: GatewayClient, server: ModelServer, *, stream: bool
) -> None:
    server.answer = lambda body: json_answer(200, {"error": {"message": f"worker lost, key {KEY}"}})
    status, kind, message = (await client.messages(request_body(stream=stream))).error
    assert (status, kind) == (502, "api_error")
    assert message.startswith(f"The backend {server.url} answered 200 instead of a stream: worker lost, key [key]")


# --------------------------------------------------------------------------------------------- errors of a backend


@pytest.mark.parametrize(
    ("status", "told", "wanted"),
    [(429, "17", "17"), (503, "23", "23"), (429, None, "5"), (503, "soon", "5"), (500, None, "5"), (500, "9", "9")],
)
async def test_how_long_to_wait(
    client: GatewayClient, server: ModelServer, status: int, told: str | None, wanted: str
) -> None:
    headers = {"retry-after": told} if told else {}
    server.answer = lambda body: json_answer(status, {"error": {"message": "busy"}}, headers)
    reply = await client.stream()
    assert reply.status == {429: 429, 503: 529, 500: 502}[status]
    assert reply.headers["retry-after"] == wanted
    assert "x-should-retry" not in reply.headers


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirection_is_final(client: GatewayClient, server: ModelServer, status: int) -> None:
    server.answer = lambda body: json_answer(status, b"", {"location": "http://127.0.0.1:9/"})
    reply = await client.stream()
    assert reply.status == 502
    assert reply.headers["x-should-retry"] == "false"
    assert "retry-after" not in reply.headers
    assert len(server.chats) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_whose_body_stalls(
    client: GatewayClient, server: ModelServer, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    monkeypatch.setattr("landline.server.opening.ERROR_BODY_S", 0.3)
    stalls: list[Step] = [Status(500, {"content-type": "application/json", "content-length": "99"}), Send(b"{"), Hang()]
    server.answer = lambda body: stalls
    began = time.monotonic()
    reply = await client.messages(request_body(stream=stream))
    assert 0.25 < time.monotonic() - began < 1.5
    assert reply.error == (502, "api_error", f"The backend {server.url} answered 500")
    await asyncio.wait_for(server.chats[0].done.wait(), 1)
    assert server.chats[0].closed_at is not None
    assert not client.gateway.line.open
    assert (await client.settled()).outcome is Outcome.REFUSED


async def test_stream_options_are_given_up_only_when_that_helped(learner: GatewayClient, server: ModelServer) -> None:
    backend = learner.gateway.line.backend
    no = json_answer(400, {"error": {"message": "stream_options: unknown field"}})
    server.answer = lambda body: no
    assert (await learner.stream()).status == 400
    assert ["stream_options" in request.json for request in server.chats] == [True, False]
    assert backend.dialect("served").stream_options
    server.answer = lambda body: no if "stream_options" in body else [Status(), Send(HALF + END)]
    assert (await learner.stream()).status == 200
    assert not backend.dialect("served").stream_options
    assert (await learner.stream()).status == 200
    assert ["stream_options" in request.json for request in server.chats[2:]] == [True, False, False]


async def test_a_connection_that_died_in_the_pool_is_replaced_and_noted(
    client: GatewayClient, server: ModelServer
) -> None:
    assert (await client.messages()).status == 200

    def override(request: Request) -> list[Step] | None:
        return [Close(finish=False)] if len(server.chats) == 2 and request is server.chats[1] else None

    server.override = override
    assert (await client.messages()).status == 200
    asked, again = await client.settled(1), await client.settled(2)
    assert (asked.backend_requests, asked.notes.repairs) == (1, [])
    assert (again.backend_requests, again.notes.repairs) == (2, [CLOSED])
    assert len({request.connection for request in server.chats[1:]}) == 2


async def test_many_offers_in_one_segment(client: GatewayClient) -> None:
    one = http_request(b"", method="GET", path="/health", headers={"upgrade": "a", "connection": "upgrade"})
    async with client.connection() as (reader, writer):
        writer.write(one * 2000)
        for _ in range(2000):
            assert (await one_answer(reader))[0].startswith(b"HTTP/1.1 200 ")


async def test_the_first_token_is_what_is_timed(server: ModelServer) -> None:
    server.answer = lambda body: [Status(), Pause(0.6), Send(HALF + END)]
    async with gateway_to(server.url, commit_after_s=0.2) as client:
        reply = await client.stream()
        opened = next(at for at, piece in reply.arrivals if piece) - reply.arrivals[0][0]
        exchange: Exchange = await client.settled()
    assert opened < 0.5, "the answer was not opened by the clock: nothing is shown"
    assert exchange.ttft_s is not None
    assert 0.58 < exchange.ttft_s < 1.5


@pytest.mark.parametrize("url", ["http://a..b:1", "http://nobody.invalid:1"])
async def test_a_backend_without_a_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, *others: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):  # without a word to the name servers of whoever runs this
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *others, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    wanted = f"The backend {url} could not be found: no machine is known by that name."
    async with gateway_to(url) as client:
        for _ in range(2):
            status, kind, message = (await client.messages()).error
            assert (status, kind) == (503, "api_error")
            assert message.startswith(wanted)
        ready = await client.call("GET", "/ready")
        assert ready.status == 503
        assert ready.json["problem"].startswith(wanted)
        assert (await client.call("GET", "/health")).status == 200
