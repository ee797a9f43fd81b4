"""Bad input, from the client and from the backend: never a crash, never a lost request, always the exact error."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from landline.core.exchange import Outcome
from tests.fakes.chat_stream import DONE, Answer, chunk, sse
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, http_request, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import FAILED, check_stream
from tests.fakes.upstream import Close, Request, Send, Status, Step, json_answer

INVALID = "invalid_request_error"
NOT_JSON = "The request body is not valid JSON: "
SERVES = (
    "It serves /v1/messages, /v1/messages/count_tokens, /v1/chat/completions, /v1/responses, /v1/completions, "
    "/v1/embeddings, /v1/models, /health and /ready."
)
TOO_LARGE = (
    "prompt is too long: the request body is larger than 1 MiB. gateway.body_limit_mib in landline.toml is the limit."
)
STOPPED = "The request body stopped coming. gateway.body_timeout_s in landline.toml is the limit."


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[ModelServer, GatewayClient]]:
    """One pair for all tests: that none of them harms the next one is part of what is shown."""
    async with (
        ModelServer() as server,
        gateway_to(server.url, body_limit_mib=1, header_timeout_s=0.3, body_timeout_s=0.3) as client,
    ):
        yield server, client


@pytest.fixture
def server(running: tuple[ModelServer, GatewayClient]) -> ModelServer:
    server = running[0]
    server.answer, server.window = (lambda body: Answer(text="hello")), 131_072
    server.requests.clear()
    return server


@pytest.fixture
def client(running: tuple[ModelServer, GatewayClient]) -> GatewayClient:
    running[1].gateway.line.journal.recent.clear()
    return running[1]


def said(content: Any, role: str = "user", **fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": role, "content": content}]} | fields).encode()


def block(**fields: Any) -> bytes:
    return said([fields])


async def refused(client: GatewayClient, server: ModelServer, body: bytes, message: str) -> None:
    """400 with that message, streamed and not; nothing reaches the backend; the gateway goes on."""
    reply = await client.messages(body)
    assert reply.error == (400, INVALID, message)
    assert not server.chats
    exchange = await client.settled()
    assert (exchange.outcome, exchange.status, exchange.error) == (Outcome.REFUSED, 400, message)
    assert (await client.messages()).status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", NOT_JSON + "Input data was truncated.", id="empty"),
        pytest.param(b'{"model"', NOT_JSON + "Input data was truncated.", id="cut"),
        pytest.param(b"hello", NOT_JSON + "JSON is malformed: invalid character (byte 0).", id="text"),
        pytest.param(
            said("x") + b"{}", NOT_JSON + "JSON is malformed: trailing characters (byte 63).", id="two objects"
        ),
        pytest.param(
            b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
            NOT_JSON + "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte.",
            id="not UTF-8",
        ),
        pytest.param(b"[]", "body: Expected `object`, got `array`.", id="array"),
        pytest.param(b"null", "body: Expected `object`, got `null`.", id="null"),
        pytest.param(b"{}", "body: Object missing required field `model`.", id="nothing"),
        pytest.param(b'{"model":"m"}', "body: Object missing required field `messages`.", id="no messages"),
    ],
)
async def test_malformed_json(client: GatewayClient, server: ModelServer, body: bytes, message: str) -> None:
    await refused(client, server, body, message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (said("x", model=1), "model: Expected `str`, got `int`."),
        (said("x", messages={}), "messages: Expected `array`, got `object`."),
        (said("x", messages=["x"]), "messages.0: Expected `object`, got `str`."),
        (said(3), "messages.0.content: Expected `str | array | null`, got `int`."),
        (said(["x"]), "messages.0.content.0: Expected `object`, got `str`."),
        (said("x", "tool"), "messages.0.role: must be user, assistant or system, not 'tool'."),
        (said("x", system=5), "system: Expected `str | array | null`, got `int`."),
        (said("x", max_tokens="5"), "max_tokens: Expected `int | null`, got `str`."),
        (said("x", max_tokens=0), "max_tokens: must be at least 1."),
        (said("x", stream="yes"), "stream: Expected `bool | null`, got `str`."),
        (said("x", temperature="hot"), "temperature: Expected `float | null`, got `str`."),
        (said("x", stop_sequences="x"), "stop_sequences: Expected `array | null`, got `str`."),
        (said("x", tools={}), "tools: Expected `array | null`, got `object`."),
        (said("x", tools=[5]), "tools.0: Expected `object`, got `int`."),
        (said("x", tool_choice="auto"), "tool_choice: Expected `object | null`, got `str`."),
        (
            said("x", tool_choice={"type": "some"}),
            "tool_choice.type: must be auto, any, tool or none, not 'some'.",
        ),
        (block(text="x"), "messages.0.content.0: Object missing required field `type`."),
        (block(type="text", text=5), "messages.0.content.0.text: Expected `str | null`, got `int`."),
        (block(type="image"), "messages.0.content.0.source: field required."),
        (block(type="image", source="x"), "messages.0.content.0.source: Expected `object`, got `str`."),
        (
            block(type="image", source={"type": "file"}),
            "messages.0.content.0.source.type: must be base64 or url, not 'file'.",
        ),
        (
            block(type="document", source={"type": "base64", "media_type": "text/plain", "data": "!"}),
            "messages.0.content.0.source.data: is not base64.",
        ),
        (
            block(type="tool_result", tool_use_id="t", content=5),
            "messages.0.content.0.content: Expected `str | object | array | null`, got `int`.",
        ),
        (
            block(type="tool_result", tool_use_id="t", content=[{"type": "text", "text": 1}]),
            "messages.0.content.0.content.0.text: Expected `str | null`, got `int`.",
        ),
    ],
)
async def test_wrong_types_are_named_with_their_place(
    client: GatewayClient, server: ModelServer, body: bytes, message: str
) -> None:
    await refused(client, server, body, message)


@pytest.mark.row("8.14")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (said("x", messages=[]), "messages: at least one message is required."),
        (said(""), "messages: at least one message must have content."),
        (said([]), "messages: at least one message must have content."),
        (said(None), "messages: at least one message must have content."),
        (block(type="text", text=""), "messages: at least one message must have content."),
    ],
)
async def test_row_8_14_an_empty_prompt_is_never_sent(
    client: GatewayClient, server: ModelServer, body: bytes, message: str
) -> None:
    await refused(client, server, body, message)


@pytest.mark.parametrize("depth", [2_000, 200_000])
@pytest.mark.parametrize("place", ["unknown field", "tool input", "messages"])
async def test_deep_nesting(client: GatewayClient, server: ModelServer, depth: int, place: str) -> None:
    deep = b"[" * depth + b"]" * depth
    bodies = {
        "unknown field": b'{"model":"m","messages":[{"role":"user","content":"x"}],"extra":%b}' % deep,
        "tool input": b'{"model":"m","messages":[{"role":"user","content":[{"type":"tool_use","input":%b}]}]}' % deep,
        "messages": b'{"model":"m","messages":%b}' % deep,
    }
    recursion = NOT_JSON + "maximum recursion depth exceeded while deserializing an object."
    message = "messages.0: Expected `object`, got `array`." if place == "messages" else recursion
    await refused(client, server, bodies[place], message)


async def test_unknown_blocks_are_left_out_and_recorded(client: GatewayClient, server: ModelServer) -> None:
    content = [
        {"type": "hologram", "data": {"a": [1]}},
        {"type": "text", "text": "go on", "shine": 1},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "smell"}, {"type": "text", "text": "ok"}]},
    ]
    reply = await client.messages(request_body(messages=[{"role": "user", "content": content}], glitter=True))
    assert reply.status == 200
    sent = json.dumps(server.chats[0].json)
    assert "go on" in sent
    assert "ok" in sent
    assert "hologram" not in sent
    assert (await client.settled()).notes.dropped[:2] == ["block hologram", "block smell"]


SURROGATES = [
    (rb"cut \ud83d", "cut �"),
    (rb"\ude00 behind", "� behind"),
    (rb"\uD83D\uD83D\uDE00", "�\U0001f600"),
    (rb"\ud83d\ude00 whole", "\U0001f600 whole"),
    (rb"a literal \\ud83d", "a literal \\ud83d"),
    (rb"both \\\ud83d\n", "both \\�\n"),
]


@pytest.mark.parametrize(("written", "read"), SURROGATES)
async def test_half_a_surrogate_pair_is_no_reason_to_refuse(
    client: GatewayClient, server: ModelServer, written: bytes, read: str
) -> None:
    text = b'{"type":"text","text":"%b"}' % written
    call = b'{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Write","input":{}}]}'
    results = b'[{"type":"tool_result","tool_use_id":"t","content":[%b]}]' % text
    later = b'{"role":"user","content":%b}' % results
    reply = await client.messages(
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[%b]},%b,%b]}' % (text, call, later)
    )
    assert reply.status == 200
    user, _, result = server.chats[0].json["messages"]
    assert [user["content"], result["content"]] == [read, read]
    mended = ["half of a surrogate pair read as U+FFFD"] if "�" in read else []
    assert (await client.settled()).notes.repairs == mended


async def test_half_a_surrogate_pair_in_a_tools_input_and_schema(client: GatewayClient, server: ModelServer) -> None:
    call = b'{"type":"tool_use","id":"t","name":"Write","input":{"text":"\\ud83d"}}'
    body = b'{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[%b]}' % call
    body += b',{"role":"user","content":"y"}],"tools":[{"name":"Write","input_schema":{"description":"\\udc00"}}]}'
    assert (await client.messages(body)).status == 200
    sent = server.chats[0].json
    assert json.loads(sent["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"text": "�"}
    assert sent["tools"][0]["function"]["parameters"]["description"] == "�"


async def test_50_mb_are_refused_by_their_length_alone(client: GatewayClient) -> None:
    """Only the head is sent: the answer comes without a byte of the body."""
    head = http_request(b"", headers={"content-length": str(50 * 2**20)})
    answer = await client.raw(head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["error"] == {"type": "request_too_large", "message": TOO_LARGE}


@pytest.mark.parametrize("chunked", [False, True])
async def test_50_mb_sent_whole(client: GatewayClient, server: ModelServer, *, chunked: bool) -> None:
    """As the Python SDK sends it: nothing is read before everything is sent. The answer must not be lost to a reset."""
    length = {"transfer-encoding": "chunked"} if chunked else {"content-length": str(50 * 2**20)}
    head = "".join(f"{name}: {value}\r\n" for name, value in length.items())
    async with client.connection() as (reader, writer):
        writer.write(f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n{head}\r\n".encode())
        for _ in range(50):
            writer.write(b"100000\r\n" + b"x" * 2**20 + b"\r\n" if chunked else b"x" * 2**20)
            await asyncio.wait_for(writer.drain(), 5)
        writer.write(b"0\r\n\r\n" if chunked else b"")
        answer = await client.rest(reader)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"] == TOO_LARGE
    assert (await client.settled()).status == 413
    assert (await client.messages()).status == 200
    assert len(server.chats) == 1


async def test_50_mb_in_chunks_without_a_length(client: GatewayClient, server: ModelServer) -> None:
    async with client.connection() as (reader, writer):
        writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < 50 and not reader._buffer:  # type: ignore[attr-defined]
                writer.write(b"40000\r\n" + b"x" * 2**18 + b"\r\n")
                await asyncio.wait_for(writer.drain(), 5)
                await asyncio.sleep(0.001)
                sent += 1
        answer = await client.rest(reader)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert TOO_LARGE.encode() in answer
    assert sent <= 12, "the gateway took far more than its limit"
    assert (await client.settled()).status == 413
    assert not server.chats


async def test_a_body_just_below_the_limit_is_taken(server: ModelServer) -> None:
    server.window = 10**6
    empty = len(json.dumps(request_body("")))
    async with gateway_to(server.url, body_limit_mib=1) as client:
        for more, status in ((0, b"200"), (1, b"413")):
            body = json.dumps(request_body("x" * (2**20 - empty + more))).encode()
            answer = await client.raw(http_request(body, headers={"connection": "close"}))
            assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("half", [b"POST /v1/mess", b"POST /v1/messages HTTP/1.1\r\nhost: loc", b"\r\n", b""])
async def test_half_sent_headers_end_the_connection_in_time(client: GatewayClient, half: bytes) -> None:
    began = time.monotonic()
    answer = await client.raw(half)
    assert 0.2 < time.monotonic() - began < 2
    assert answer == b""
    assert (await client.messages()).status == 200


async def test_headers_that_trickle_do_not_move_the_deadline(client: GatewayClient) -> None:
    async with client.connection() as (reader, writer):
        began = time.monotonic()
        writer.write(b"POST /v1/messages HTTP/1.1\r\n")
        for number in range(40):
            if reader.at_eof() or writer.is_closing():  # a reset shows only in what is written
                break
            writer.write(b"x-header-%d: 1\r\n" % number)
            await asyncio.sleep(0.05)
        assert await client.rest(reader) == b""
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("half", [b"", b'{"model"'])
async def test_half_a_body_is_answered_and_closed(client: GatewayClient, half: bytes) -> None:
    began = time.monotonic()
    answer = await client.raw(http_request(half, headers={"content-length": "100"}))
    assert 0.2 < time.monotonic() - began < 2
    assert answer.startswith(b"HTTP/1.1 400 ")
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["error"] == {"type": INVALID, "message": STOPPED}
    assert (await client.settled()).error == STOPPED


async def test_a_client_that_leaves_with_half_a_body(client: GatewayClient, server: ModelServer) -> None:
    async with client.connection() as (_, writer):
        writer.write(http_request(b'{"model"', headers={"content-length": "100"}))
        await writer.drain()
        await asyncio.sleep(0.02)
    await client.closed_by_client()
    assert not server.chats


async def test_a_slow_body_is_taken(client: GatewayClient) -> None:
    """Each silence is shorter than the limit, all together are longer."""
    body = json.dumps(request_body()).encode()

    async def trickle() -> AsyncIterator[bytes]:
        for at in range(0, len(body), len(body) // 6 + 1):
            yield body[at : at + len(body) // 6 + 1]
            await asyncio.sleep(0.1)

    reply = await client.messages(trickle())
    assert reply.status == 200
    assert reply.json["content"] == [{"type": "text", "text": "hello"}]


async def test_pipelined_requests_are_answered_in_order(client: GatewayClient, server: ModelServer) -> None:
    server.answer = lambda body: Answer(text=body["messages"][0]["content"] + " back")
    first = json.dumps(request_body("one")).encode()
    second = json.dumps(request_body("two", stream=True)).encode()
    bad = b"{"
    answer = await client.raw(
        http_request(first) + http_request(bad) + http_request(second, headers={"connection": "close"})
    )
    places = [answer.index(mark) for mark in (b"one back", b"Input data was truncated", b"message_stop")]
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert len(server.chats) == 2
    assert [exchange.status for exchange in client.exchanges] == [200, 400, 200]


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, id="TLS"),
        pytest.param(b"hello\r\n\r\n", id="text"),
        pytest.param(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n", id="length"),
        pytest.param(
            b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", id="chunk"
        ),
        pytest.param(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n", id="long target"),
    ],
)
async def test_what_is_not_http_is_closed(client: GatewayClient, server: ModelServer, junk: bytes) -> None:
    answer = await client.raw(junk)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert not server.chats
    assert (await client.messages()).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("HEAD", "/api/hello", 200),
        ("OPTIONS", "/", 200),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/v1/messages", 404),
        ("HEAD", "/v1/messages", 404),
        ("PUT", "/v1/messages", 404),
        ("OPTIONS", "/v1/messages", 200),
        ("PROPFIND", "/v1/messages", 404),
        ("GET", "/v1/messages/count_tokens", 404),
        ("POST", "/v1/models", 404),
        ("POST", "/nowhere", 404),
        ("HEAD", "/nowhere", 404),
        ("GET", "/v1/messages/", 404),
        ("GET", "/%ff%00%0d%0a", 404),
        ("GET", "/../../etc/passwd", 404),
    ],
)
async def test_paths_and_methods(
    client: GatewayClient, server: ModelServer, method: str, path: str, status: int
) -> None:
    reply = await client.call(method, path)
    assert reply.status == status
    assert "access-control-allow-origin" not in reply.headers
    if status == 404 and method != "HEAD":
        message = reply.error[2]
        assert reply.error[1] == "not_found_error"
        assert message.startswith(f"landline serves no {method} /")
        assert message.endswith(SERVES)
    assert method != "HEAD" or reply.body == b""
    assert not server.chats


# ------------------------------------------------------------------------------------------- the backend's bad input

PAGE = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><script>x()</script></body></html>"
HTML = {"content-type": "text/html", "content-length": str(len(PAGE))}


def web_page(status: int, url: str) -> tuple[int, str, str]:
    text = f"{url} answered {status} with a web page instead of a model's answer."
    return (
        502,
        "api_error",
        f"{text} A proxy, or another program, listens there: check --backend. (landline doctor: backend)",
    )


@pytest.mark.row("8.10")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "kind"),
    # A 200 that says it is JSON is read as a stream: the next test.
    [(200, "text/html"), (502, "text/html"), (502, "application/json")],
)
async def test_row_8_10_a_web_page_becomes_a_typed_error(
    server: ModelServer, client: GatewayClient, *, stream: bool, status: int, kind: str
) -> None:
    server.answer = lambda body: [Status(status, HTML | {"content-type": kind}), Send(PAGE)]
    reply = await client.messages(request_body(stream=stream))
    assert reply.error == web_page(status, server.url)
    assert reply.headers.get("x-should-retry") == ("false" if status == 200 else None)
    assert len(server.chats) == 1


NO_CHUNK = "The backend failed: The backend sent something that is not a chat-completions chunk."
CUT = "The backend's stream ended before the answer was complete. Did the model server crash or restart? See its log."
GARBAGE: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"data: hello\n\n", NO_CHUNK),
    "array": (b"data: []\n\n", NO_CHUNK),
    "choices of a wrong type": (b'data: {"choices":5}\n\n', NO_CHUNK),
    "delta of a wrong type": (b'data: {"choices":[{"delta":"x"}]}\n\n', NO_CHUNK),
    "bytes": (b"data: \xff\xfe\x00\n\n", NO_CHUNK),
    "deep": (b"data: " + b"[" * 100_000 + b"\n\n", NO_CHUNK),
    "a page called a stream": (PAGE + b"\n\n", CUT),
    "comments only": (b": x\n\n" * 50, CUT),
    "other events only": (b"event: ping\ndata: {}\n\n", CUT),
    "done only": (DONE, CUT),
    "role only": (sse(chunk({"role": "assistant"}), DONE), CUT),
    "nothing": (b"", CUT),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_instead_of_a_stream(server: ModelServer, client: GatewayClient, name: str) -> None:
    upstream, message = GARBAGE[name]
    server.answer = lambda body: [Status(), Send(upstream)]
    plain = await client.messages()
    assert plain.error == (502, "api_error", message)
    streamed = await client.stream()
    if streamed.status == 502:
        assert streamed.error == (502, "api_error", message)
    else:
        folded = check_stream(streamed.body, asked_model=ASKED, backend_finish=FAILED)
        assert folded.error == {"type": "api_error", "message": message}
    assert len(server.chats) == 2


async def test_garbage_in_the_middle_of_a_stream(server: ModelServer, client: GatewayClient) -> None:
    begin = sse(chunk({"role": "assistant", "content": "half"}))
    server.answer = lambda body: [Status(), Send(begin + b"data: {oops\n\n" + sse(chunk({"content": "more"}), DONE))]
    reply = await client.stream()
    folded = check_stream(reply.body, asked_model=ASKED, backend_finish=FAILED)
    assert folded.error == {"type": "api_error", "message": NO_CHUNK}
    assert "more" not in str(folded.content)


async def test_a_line_without_end_is_cut_off_by_the_gateway(server: ModelServer, client: GatewayClient) -> None:
    """The backend would go on for ever: the gateway stops at its limit for one event, and hangs up."""
    server.answer = lambda body: [Status(), Send(b"data: "), *[Send(b"x" * 2**20)] * 64]
    reply = await client.stream()
    message = "The backend failed: The backend sent one event of more than 16777216 bytes."
    assert reply.error == (502, "api_error", message)
    request = server.chats[0]
    await asyncio.wait_for(request.done.wait(), 2)
    assert request.closed_at is not None


WRONG_SHAPES = {
    "a whole answer": {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]},
    "an error": {"error": {"message": "no", "code": 500}},
    "a list": [1],
    "another object": {"status": "ok"},
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
async def test_json_where_a_stream_was_asked_for(server: ModelServer, client: GatewayClient, name: str) -> None:
    server.answer = lambda body: json_answer(200, WRONG_SHAPES[name])
    for reply in (await client.messages(), await client.stream()):
        assert reply.error[:2] == (502, "api_error")
        assert reply.error[2].startswith(f"The backend {server.url} answered 200 instead of a stream")
    assert ("no" if name == "an error" else "") in reply.error[2]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/models", json_answer(200, [1, {"data": 5}])),
        ("/v1/models", json_answer(200, {"data": [5, {"no": "id"}, None]})),
        ("/v1/models", json_answer(200, b"\xff\xfe")),
        ("/v1/models", json_answer(200, b"[" * 100_000)),
        ("/v1/models", json_answer(500, b"")),
        ("/v1/models", [Status(200, HTML), Send(PAGE)]),
        ("/v1/models", [Close(finish=False)]),
        ("/version", json_answer(200, b"\xff\xfe")),
        ("/version", json_answer(200, b"[" * 100_000)),
        ("/tokenize", json_answer(200, b"\xff\xfe")),
        ("/tokenize", json_answer(200, {"count": "many"})),
        ("/tokenize", json_answer(200, b"[" * 100_000)),
    ],
)
async def test_bad_answers_to_the_gateways_own_questions(path: str, answer: list[Step]) -> None:
    """The gateway starts, answers what it can, and says of the backend what is wrong with it."""

    def override(request: Request) -> list[Step] | None:
        return answer if request.path == path else None

    async with ModelServer(override=override, kind="vllm") as server, gateway_to(server.url) as client:
        ready = await client.call("GET", "/ready")
        counted = await client.call("POST", "/v1/messages/count_tokens", body=request_body())
        if path == "/v1/models":
            assert ready.status in (200, 503)
            assert ready.json.get("problem") or ready.json["models"] == []
            assert counted.json["input_tokens"] > 0
        else:
            assert ready.status == 200
            assert counted.status == 200
            assert counted.json["input_tokens"] > 0
            expected = "estimated" if path == "/tokenize" else "exact"
            assert counted.headers["landline-token-count"] == expected
