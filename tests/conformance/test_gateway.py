"""The gateway's own surface: names, paths, lists, counts, health, the native backend, and its life as a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from landline.config.settings import Models
from tests.fakes.chat_stream import DONE, Answer, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, http_request, request_body
from tests.fakes.model_server import AnthropicServer, ModelServer, count_tokens
from tests.fakes.process import run_serve, served
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Pause, Request, Send, Status, Step, WaitFor, json_answer

SERVED = ("org/Big-Model", "other/big-model", "tiny", "tiny-haiku")
NAMES = Models(
    default="tiny",
    aliases={"work": "org/Big-Model", "claude-opus-4-8": "other/big-model", "old[1m]": "tiny-haiku"},
    tiers={"opus": "org/Big-Model", "haiku": "tiny-haiku"},
)


@contextlib.asynccontextmanager
async def pair(names: Models | None = None, **options: Any) -> AsyncIterator[tuple[ModelServer, GatewayClient]]:
    async with ModelServer(**options) as server, gateway_to(server.url, models=names) as client:
        yield server, client


async def test_model_names_are_mapped_in_the_order_that_is_promised() -> None:
    """Exact, alias, base name whatever the case, tier, default. The client sees what it asked for."""
    expected = {
        "org/Big-Model": "org/Big-Model",
        "other/big-model": "other/big-model",
        "tiny-haiku": "tiny-haiku",
        "work": "org/Big-Model",
        "work[1m]": "org/Big-Model",
        "old[1m]": "tiny-haiku",
        "claude-opus-4-8": "other/big-model",
        "TINY": "tiny",
        "somewhere/else/Tiny": "tiny",
        "tiny[1m]": "tiny",
        "BIG-MODEL": "tiny",  # two have that base name
        "claude-opus-4-1": "org/Big-Model",
        "us.anthropic.claude-OPUS-4-8-v1:0": "org/Big-Model",
        "claude-haiku-4-5[1m]": "tiny-haiku",
        "claude-sonnet-5": "tiny",
        "": "tiny",
        "名前": "tiny",
    }
    async with pair(NAMES, models=SERVED) as (server, client):
        for asked, chosen in expected.items():
            streamed = await client.stream(request_body() | {"model": asked})
            plain = await client.messages(request_body() | {"model": asked})
            assert [request.json["model"] for request in server.chats[-2:]] == [chosen, chosen], asked
            assert [reply.headers["landline-model"] for reply in (streamed, plain)] == [chosen, chosen]
            check_stream(streamed.body, asked_model=asked, backend_finish="stop")
            assert plain.json["model"] == asked
            exchange = client.exchanges[-1]
            assert (exchange.model_asked, exchange.model_served) == (asked, chosen)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/messages?beta=true",
        "/v1/messages?beta=true&x=%2F",
        "/v1/v1/messages",
        "/v1/v1/v1/messages?beta=true",
        "/v1/messages/v1/messages",
        "/anthropic/v1/messages",
        "/a/b/c/v1/messages",
        "//v1/messages",
    ],
)
async def test_paths_with_too_much_in_front(path: str) -> None:
    async with pair() as (_, client):
        reply = await client.call("POST", path, body=request_body())
        assert reply.status == 200
        plain = path.partition("?")[0] == "/v1/messages"
        assert ("landline-warning" in reply.headers) is not plain
        counted = await client.call("POST", path.replace("messages", "messages/count_tokens"), body=request_body())
        # A whole endpoint as base URL is followed by a whole endpoint only.
        assert counted.status == 200
        if not plain:
            assert client.exchanges[0].warning in reply.headers["landline-warning"]


async def test_models_in_both_shapes_map_back_to_themselves() -> None:
    models = ("org/Big-Model", "Qwen3-Coder-Opus-distill", "my-sonnet/haiku.fable", "plain")
    async with pair(models=models, window=5000) as (server, client):
        claude = {"user-agent": "claude-cli/2.1.329 (external, cli)"}
        listed = (await client.call("GET", "/v1/models?limit=1000", headers=claude)).json
        assert [row["display_name"] for row in listed["data"]] == list(models)
        assert (listed["first_id"], listed["has_more"]) == (listed["data"][0]["id"], False)
        for row in listed["data"]:
            assert row["type"] == "model"
            assert row["id"].startswith("anthropic")
            assert not [tier for tier in ("opus", "sonnet", "haiku", "fable") if tier in row["id"].lower()]
            for suffix in ("", "[1m]"):
                reply = await client.messages(request_body() | {"model": row["id"] + suffix})
                assert server.chats[-1].json["model"] == row["display_name"]
                assert reply.json["model"] == row["id"] + suffix
            one = (await client.call("GET", f"/v1/models/{row['id']}", headers=claude)).json
            assert (one["id"], one["display_name"]) == (row["id"], row["display_name"])
        other = (await client.call("GET", "/v1/models")).json
        assert other["object"] == "list"
        assert [row["id"] for row in other["data"]] == list(models)
        assert {row["max_model_len"] for row in other["data"]} == {5000}
        doubled = await client.call("GET", "/v1/v1/models", headers={"anthropic-version": "2023-06-01"})
        assert doubled.json == listed


TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}, "eager_input_streaming": True, "defer_loading": False}]


@pytest.mark.row("5.05", "5.07", "5.08", "5.09")
@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "plain"])
async def test_rows_5_05_to_5_09_counts_agree_with_usage(kind: Any) -> None:
    """Exact through the backend; where it cannot count, an estimate that says so and learns from answers."""
    body = request_body("hello " * 900, system="be brief " * 50, tools=TOOLS)
    async with pair(kind=kind) as (server, client):
        used = (await client.messages(body)).json["usage"]["input_tokens"]
        assert used == count_tokens(server.chats[0].json)
        path = "/v1/messages/count_tokens?beta=true"
        counts = await asyncio.gather(*(client.call("POST", path, body=body) for _ in range(25)))
        assert {reply.status for reply in counts} == {200}
        told = {reply.json["input_tokens"] for reply in counts}
        if kind == "plain":
            assert {reply.headers["landline-token-count"] for reply in counts} == {"estimated"}
            assert max(told) == pytest.approx(used, rel=0.15)
        else:
            assert {reply.headers["landline-token-count"] for reply in counts} == {"exact"}
            assert told == {used}
        del body["max_tokens"]
        small = await client.call("POST", path, body={"model": "m", "messages": [{"role": "user", "content": "foo"}]})
        assert small.json["input_tokens"] > 0


async def test_health_and_ready_while_the_backend_comes_and_goes() -> None:
    up = False

    def override(request: Request) -> list[Step] | None:
        return None if up else json_answer(503, {"error": "Loading model"})

    async with pair(override=override) as (server, client):
        for method, path in (("HEAD", "/"), ("HEAD", "/api/hello"), ("GET", "/health")):
            assert (await client.call(method, path)).status == 200
        loading = await client.call("GET", "/ready")
        assert loading.status == 503
        assert loading.json["problem"].endswith("answered 503 when asked for its models: is it still loading?")
        up = True
        ready = await client.call("GET", "/ready")
        assert (ready.status, ready.json["status"], ready.json["kind"]) == (200, "ready", "vllm")
        assert ready.json["models"] == ["served"]
        port = server.port
    async with gateway_to(f"http://127.0.0.1:{port}") as client:
        ready = await client.call("GET", "/ready")
        assert (ready.status, ready.headers["retry-after"], ready.json["status"]) == (503, "2", "not ready")
        assert "refused the connection" in ready.json["problem"]
        assert (await client.call("GET", "/health")).status == 200


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_max_tokens_is_cut_to_what_is_left(kind: Any) -> None:
    """Exactly, by the backend's own count; the request goes out once."""
    body = request_body("hello " * 100, max_tokens=32_000)
    async with pair(kind=kind, window=2000) as (server, client):
        reply = await client.stream(body)
        check_stream(reply.body, asked_model=ASKED, backend_finish="stop")
        prompt = count_tokens(server.chats[0].json)
        left = server.chats[0].json["max_tokens"]
        assert 2000 - prompt - 32 <= left <= 2000 - prompt
        assert len(server.chats) == 1
        assert client.exchanges[0].notes.repairs == [f"max_tokens 32000 clamped to {left}"]
        await client.messages(body | {"max_tokens": 50})
        assert server.chats[1].json["max_tokens"] == 50


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/v1/v1", "/v1/chat/completions", "/v1/messages"])
async def test_base_urls_with_and_without_v1(tail: str) -> None:
    async with ModelServer() as server, gateway_to(server.url + tail) as client:
        assert (await client.messages()).status == 200
        assert {request.path for request in server.requests} <= {
            *("/v1/models", "/version", "/tokenize", "/v1/chat/completions")
        }


@pytest.mark.row("2.48")
async def test_row_2_48_only_true_streams() -> None:
    async with pair() as (server, client):
        for body in (request_body(), request_body(stream=False), request_body(stream=None)):
            reply = await client.messages(body)
            assert reply.headers["content-type"] == "application/json"
            assert reply.json["type"] == "message"
        assert all(request.json["stream"] is True for request in server.chats), "upstream is always streamed"


@pytest.mark.row("3.29")
async def test_row_3_29_characters_cut_between_reads() -> None:
    raw = sse(chunk({"content": "北京 \U0001f600"}), chunk({}, "stop"), usage_chunk(5, 5), DONE)
    steps: list[Step] = [step for byte in raw for step in (Send(bytes([byte])), Pause(0))]
    async with ModelServer(lambda body: steps) as server, gateway_to(server.url) as client:
        folded = check_stream((await client.stream()).body, asked_model=ASKED, backend_finish="stop")
        assert folded.content == [{"type": "text", "text": "北京 \U0001f600"}]


@pytest.mark.row("3.39", "3.40")
async def test_rows_3_39_3_40_ids_are_unique_and_thinking_is_signed() -> None:
    answer = Answer(thinking="hm", tool_calls=(("Bash", {}, "call_0"),))
    async with ModelServer(lambda body: answer) as server, gateway_to(server.url) as client:
        seen: set[str] = set()
        for _ in range(100):
            reply = await client.stream(request_body(tools=TOOLS))
            folded = check_stream(reply.body, asked_model=ASKED, tools=["Bash"], seen_ids=seen)
            assert folded.content[0]["signature"]
        assert len(seen) == 200


# ----------------------------------------------------------------------------------------------- native backends


async def test_a_native_backend_is_forwarded_byte_for_byte() -> None:
    """Both ways: unknown fields, their order and spelling; the protocol's headers; only the keys are changed."""
    body = b'{ "stream": true,"max_tokens":9, "model":"native" , "messages":[{"content":"h\\u00e9","role":"user"}]'
    body += b',"x":1.50}'
    headers = {
        "anthropic-beta": "a-1,b-2",
        "anthropic-version": "2023-06-01",
        "x-api-key": "client-key",
        "authorization": "Bearer client-key",
        "cookie": "c=1",
    }
    backend = {"protocol": "anthropic_messages", "key": "backend-key"}
    async with AnthropicServer() as server, gateway_to(server.url, backend=backend) as client:
        reply = await client.call("POST", "/v1/messages?beta=true", body=body, headers=headers)
        sent = server.messages[0]
        assert sent.body == body
        assert sent.query == "beta=true"
        assert (sent.headers["anthropic-beta"], sent.headers["anthropic-version"]) == ("a-1,b-2", "2023-06-01")
        assert sent.headers["x-api-key"] == "backend-key"
        assert "authorization" not in sent.headers
        assert "cookie" not in sent.headers
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert check_stream(reply.body, asked_model="native").id.startswith("msg_native_")
        counted = await client.call("POST", "/v1/messages/count_tokens", body=request_body(), headers=headers)
        assert counted.json["input_tokens"] == count_tokens(request_body())
        raw = b"event: ping\ndata: {}\n\n: comment\r\nodd bytes \xff"
        server.answer = lambda _: [Status(200, {"content-type": "text/event-stream"}), Send(raw)]
        assert (await client.call("POST", "/v1/messages", body=body)).body == raw
        error = b'{"type":"error","error":{"type":"overloaded_error","message":"m"},"extra":1}'
        head = {"content-type": "application/json", "retry-after": "7", "x-should-retry": "true", "set-cookie": "s=1"}
        server.answer = lambda _: [Status(529, head), Send(error)]
        failed = await client.call("POST", "/v1/messages", body=body)
        assert (failed.status, failed.body) == (529, error)
        assert (failed.headers["retry-after"], failed.headers["x-should-retry"]) == ("7", "true")
        assert "set-cookie" not in failed.headers


async def test_a_native_backend_that_is_down() -> None:
    async with AnthropicServer() as server:
        url = server.url
    async with gateway_to(url, backend={"protocol": "anthropic_messages"}) as client:
        reply = await client.messages()
        assert reply.error[:2] == (503, "api_error")
        assert (await client.messages(b"[1]")).error == (
            400,
            "invalid_request_error",
            "The request is not a JSON object with a model.",
        )


# ------------------------------------------------------------------------------------------- a process of its own


async def test_sigterm_lets_a_running_stream_finish(tmp_path: Path) -> None:
    finish = asyncio.Event()
    steps = [Send(sse(chunk({"content": "one "}))), WaitFor(finish), Send(sse(chunk({"content": "two"})))]
    end = [Send(sse(chunk({}, "stop"), usage_chunk(5, 5), DONE))]
    async with ModelServer(lambda body: [*steps, *end]) as server, served(server.url, tmp_path) as own:
        body = json.dumps(request_body(stream=True)).encode()
        async with own.client.connection() as (reader, writer):
            writer.write(http_request(body, headers={"connection": "close"}))
            got = await asyncio.wait_for(reader.readuntil(b"one "), 10)
            own.signal()
            await asyncio.sleep(0.4)
            assert await own.client.refuses()
            assert own.process.returncode is None
            finish.set()
            got += await own.client.rest(reader, timeout_s=10)
        assert b"message_stop" in got
        assert b"two" in got
        assert await own.stop() == 0
        assert '"outcome":"completed"' in own.stderr()


async def test_two_workers_share_the_port(tmp_path: Path) -> None:
    async with ModelServer() as server, served(server.url, tmp_path, "--workers", "2") as own:
        replies = await asyncio.gather(*(own.client.stream() for _ in range(20)))
        seen: set[str] = set()
        for reply in replies:
            check_stream(reply.body, asked_model=ASKED, backend_finish="stop", seen_ids=seen)
        await own.stop()


@pytest.mark.row("8.15")
async def test_row_8_15_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = await run_serve(tmp_path, "--port", str(port))
    assert code not in (0, -signal.SIGTERM)
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in text
    assert "choose one with --port" in text
