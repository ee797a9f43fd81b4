"""Who may call, what never leaves, and what is never written down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from landline.config.settings import Gateway
from landline.errors import LandlineError
from landline.server.run import listen
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.gateway_client import GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.process import run_serve, served
from tests.fakes.upstream import Send, Upstream, json_answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "canary-gateway-key-4711"
OTHER_KEY = "canary-second-key-4712"
FOREIGN = "canary-foreign-key-4713"
BACKEND_KEY = "canary-backend-key-4714"
SENTENCE = "canary sentence of a private file"
NO_KEY = (
    "This gateway needs a key, and the request carries none that it knows. Set ANTHROPIC_AUTH_TOKEN (or the client's "
    "API key) to one of the keys in gateway.keys of the landline.toml that the gateway was started with. "
    "(landline doctor: token_refused)"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_pair() -> AsyncIterator[tuple[ModelServer, GatewayClient]]:
    async with ModelServer() as server, gateway_to(server.url, hosts=("Gpu.Example",)) as client:
        yield server, client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyed_pair() -> AsyncIterator[tuple[ModelServer, GatewayClient]]:
    async with (
        ModelServer(key=BACKEND_KEY) as server,
        gateway_to(server.url, keys=(KEY, OTHER_KEY), backend={"key": BACKEND_KEY}) as client,
    ):
        yield server, client


@pytest.mark.row("10.11")
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"host": "evil.example"}, False),
        ({"host": "evil.example:4000"}, False),
        ({"host": "127.0.0.1.evil.example"}, False),
        ({"host": "localhost.evil.example"}, False),
        ({"host": "10.0.0.5"}, False),
        ({"host": ""}, False),
        ({"host": "[::ffff:10.0.0.5]:4000"}, False),
        ({"host": "localhost"}, True),
        ({"host": "LOCALHOST:4000"}, True),
        ({"host": "127.0.0.1:1"}, True),
        ({"host": "127.9.9.9"}, True),
        ({"host": "[::1]:4000"}, True),
        ({"host": "gpu.example:4000"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://localhost.evil.example"}, False),
        ({"origin": "http://127.0.0.1@evil.example"}, False),
        ({"origin": "http://[bad"}, False),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://127.0.0.1:3000"}, True),
    ],
)
async def test_row_10_11_a_web_page_cannot_call_the_gateway(
    open_pair: tuple[ModelServer, GatewayClient], headers: dict[str, str], *, allowed: bool
) -> None:
    server, client = open_pair
    before = len(server.chats)
    for method, path in (("POST", "/v1/messages"), ("GET", "/v1/models"), ("GET", "/health"), ("OPTIONS", "/")):
        body = request_body() if method == "POST" else None
        reply = await client.call(method, path, body=body, headers=headers)
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]
        assert reply.status == (200 if allowed else 403)
        if not allowed:
            assert reply.error[1] == "permission_error"
    assert len(server.chats) == before + allowed


@pytest.mark.row("7.08")
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, False),
        ({"authorization": f"Bearer {KEY}"}, True),
        ({"authorization": f"bearer  {OTHER_KEY} "}, True),
        ({"x-api-key": KEY}, True),
        ({"x-api-key": KEY, "authorization": f"Bearer {KEY}"}, True),
        ({"x-api-key": FOREIGN, "authorization": f"Bearer {KEY}"}, True),
        ({"x-api-key": KEY, "authorization": f"Bearer {FOREIGN}"}, True),
        ({"x-api-key": FOREIGN, "authorization": f"Bearer {FOREIGN}"}, False),
        ({"x-api-key": ""}, False),
        ({"authorization": "Bearer "}, False),
        ({"authorization": f"Basic {KEY}"}, False),
        ({"x-api-key": KEY[:-1]}, False),
        ({"x-api-key": KEY + "x"}, False),
        ({"x-api-key": "schlüssel"}, False),
    ],
)
async def test_row_7_08_either_header_opens_and_neither_is_forwarded(
    keyed_pair: tuple[ModelServer, GatewayClient], headers: dict[str, str], *, allowed: bool
) -> None:
    server, client = keyed_pair
    server.requests.clear()
    replies = [
        await client.messages(headers=headers),
        await client.stream(headers=headers),
        await client.call("POST", "/v1/messages/count_tokens", body=request_body(), headers=headers),
        await client.call("GET", "/v1/models", headers=headers),
        await client.call("GET", "/v1/models/served", headers=headers),
    ]
    assert [reply.status for reply in replies] == [200 if allowed else 401] * 5
    for reply in () if allowed else replies:
        told = reply.json["error"]
        assert told == {"type": "authentication_error", "message": NO_KEY}
        assert reply.headers["x-should-retry"] == "false"
    assert bool(server.chats) is allowed
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {BACKEND_KEY}"
        sent = json.dumps(request.headers) + request.body.decode()
        assert not [key for key in (KEY, OTHER_KEY, FOREIGN) if key in sent]


@pytest.mark.parametrize("path", ["/", "/api/hello", "/health", "/ready"])
async def test_warm_ups_and_health_need_no_key(keyed_pair: tuple[ModelServer, GatewayClient], path: str) -> None:
    for method in ("HEAD", "GET"):
        assert (await keyed_pair[1].call(method, path)).status == 200


async def test_with_keys_an_address_is_a_fine_name(keyed_pair: tuple[ModelServer, GatewayClient]) -> None:
    """A page cannot know a key; machines of the team call the gateway by its address."""
    for host, status in (("10.0.0.5:4000", 200), ("evil.example", 403)):
        assert (await keyed_pair[1].messages(headers={"host": host, "x-api-key": KEY})).status == status


@pytest.mark.row("10.10")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "gpu.example"])
async def test_row_10_10_no_open_address_without_keys(host: str) -> None:
    with pytest.raises(LandlineError, match=r"^Refusing to listen on .* without keys: everybody") as raised:
        listen(Gateway(host=host, port=0))
    assert raised.value.hint.startswith("Set gateway.keys in landline.toml")


async def test_an_open_address_with_keys_is_fine() -> None:
    listen(Gateway(host="0.0.0.0", port=0, keys=(KEY,))).close()


REMOTE = (
    "Images by URL are not fetched: an address could name a machine that only this server can reach. "
    "Send the image itself, as base64."
)


@pytest.mark.row("10.07", "10.08")
@pytest.mark.parametrize("counting", [False, True], ids=["answering", "counting"])
@pytest.mark.parametrize("place", ["message", "tool result"])
async def test_rows_10_07_10_08_no_address_in_a_request_is_called(
    open_pair: tuple[ModelServer, GatewayClient], place: str, *, counting: bool
) -> None:
    server, client = open_pair
    path = "/v1/messages/count_tokens" if counting else "/v1/messages"
    async with Upstream(lambda request: json_answer(200, b"x")) as trap:
        port = trap.port
        for url in (
            "http://169.254.169.254/latest/meta-data/",
            f"http://127.0.0.1:{port}/image.png",
            f"http://localhost:{port}/redirect",
            "file:///etc/passwd",
            "data:image/png,not-base64",
        ):
            block: dict[str, Any] = {"type": "image", "source": {"type": "url", "url": url}}
            if place == "tool result":
                block = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
            server.requests.clear()
            reply = await client.call("POST", path, body=request_body(messages=[{"role": "user", "content": [block]}]))
            assert reply.error == (400, "invalid_request_error", REMOTE)
            assert not server.requests, "the backend was told the address"
        assert trap.connections_made == 0


async def test_an_image_in_a_data_url_is_the_image_itself(open_pair: tuple[ModelServer, GatewayClient]) -> None:
    server, client = open_pair
    source = {"type": "url", "url": "data:image/png;base64,aGk="}
    body = request_body(messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])
    assert (await client.messages(body)).status == 200
    assert server.chats[-1].json["messages"][0]["content"][0]["image_url"]["url"] == "data:image/png;base64,aGk="


@pytest.mark.row("10.09", "5.06")
async def test_rows_10_09_5_06_a_client_cannot_name_the_backend(open_pair: tuple[ModelServer, GatewayClient]) -> None:
    server, client = open_pair
    async with Upstream(lambda request: json_answer(200, b"{}")) as trap:
        named = {"api_base": trap.url, "base_url": trap.url, "backend": trap.url, "api_key": "x", "file": "/etc/passwd"}
        headers = {
            "x-forwarded-host": f"127.0.0.1:{trap.port}",
            "x-upstream": trap.url,
            "forwarded": f"host=127.0.0.1:{trap.port}",
            "x-landline-backend": trap.url,
        }
        for path in ("/v1/messages", "/v1/messages/count_tokens"):
            reply = await client.call(
                "POST", f"{path}?api_base={trap.url}", body=request_body(**named, metadata=named), headers=headers
            )
            assert reply.status == 200
        await client.call("GET", f"/v1/models/{trap.url}/x", headers=headers)
        target = f"POST http://127.0.0.1:{trap.port}/v1/messages HTTP/1.1\r\nhost: localhost\r\n"
        data = json.dumps(request_body()).encode()
        answer = await client.raw(
            target.encode() + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(data) + data
        )
        assert answer.startswith(b"HTTP/1.1 ")
        assert trap.connections_made == 0
    sent = b"".join(request.body for request in server.requests).decode()
    assert "api_base" not in sent
    assert "/etc/passwd" not in sent


# ------------------------------------------------------------------------------------------- a process of its own


def written_below(folder: Path) -> Mapping[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.row("10.05", "10.12")
async def test_rows_10_05_10_12_no_key_and_no_text_is_written_down(tmp_path: Path) -> None:
    """Success and failure of every kind through a real process; then its stderr and its HOME are searched."""
    told = f"refused {SENTENCE} Bearer {BACKEND_KEY}"

    def answer(body: Any) -> Any:
        text = str(body["messages"][-1]["content"])
        if "refuse" in text:
            return json_answer(400, {"error": {"message": told}})
        if "break" in text:
            return [Send(sse(chunk({"content": SENTENCE})))]
        if "crash" in text:
            return json_answer(500, {"error": {"message": f"Incorrect API key provided: {BACKEND_KEY}. in {SENTENCE}"}})
        return Answer(text=f"echo {SENTENCE}", thinking=SENTENCE)

    settings = f'[gateway]\nkeys = ["{KEY}"]\n[backend]\nkey = "{BACKEND_KEY}"\n'
    async with ModelServer(answer, key=BACKEND_KEY) as server, served(server.url, tmp_path, settings=settings) as own:
        keyed = {"x-api-key": KEY}
        bad = b'{"model":"m","messages":[{"role":"user","content":"' + SENTENCE.encode()
        for text in ("hello", "refuse", "break", "crash"):
            for stream in (True, False):
                body = request_body(f"{text} {SENTENCE}", stream=stream, system=SENTENCE)
                await own.client.messages(body, headers=keyed)
        assert (await own.client.messages(bad, headers=keyed)).status == 400
        assert (await own.client.messages(headers={"x-api-key": FOREIGN})).status == 401
        assert (await own.client.messages(headers={"authorization": f"Bearer {FOREIGN}"})).status == 401
        assert (await own.client.call("GET", f"/nowhere?key={FOREIGN}", headers=keyed)).status == 404
        await own.client.call("POST", "/v1/messages/count_tokens", body=request_body(SENTENCE), headers=keyed)
        await own.client.call("POST", f"/api/event_logging/batch?k={FOREIGN}", body={"text": SENTENCE}, headers=keyed)
        async with own.client.connection() as (_, writer):
            writer.write(f"POST /v1/messages HTTP/1.1\r\nx-api-key: {KEY}\r\n{SENTENCE}\x00\r\n\r\n".encode())
            await asyncio.sleep(0.05)
        await own.stop()
    log = own.stderr()
    assert log.count('"request_id"') >= 11
    canaries = (KEY, FOREIGN, BACKEND_KEY)
    assert not [key for key in canaries if key in log]
    assert SENTENCE not in log.replace(f"refused {SENTENCE}", "").replace(f"in {SENTENCE}", "")
    files = {path: data for path, data in written_below(tmp_path).items() if path not in (own.log_file, own.settings)}
    for path, data in files.items():
        assert not [canary for canary in (*canaries, SENTENCE) if canary.encode() in data], path


async def test_a_public_address_without_keys_ends_the_program(tmp_path: Path) -> None:
    code, text = await run_serve(tmp_path, "--host", "0.0.0.0", "--port", "0")
    assert code != 0
    assert "Refusing to listen on 0.0.0.0 without keys" in text
    assert "gateway.keys" in text


async def test_ready_tells_details_only_to_those_with_a_key() -> None:
    async with ModelServer() as server, gateway_to(server.url, keys=(KEY,)) as client:
        plain = await client.call("GET", "/ready")
        keyed = await client.call("GET", "/ready", headers={"x-api-key": KEY})
    assert json.loads(plain.body) == {"status": "ready"}
    assert "models" in json.loads(keyed.body)
