"""What can be seen of a request afterwards: which model and server, how long landline took, what went wrong and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from landline.cli.main import cli
from landline.clients.doctor.finding import Severity
from landline.clients.live_gateway import read_snapshot
from landline.server.journal import json_line, text_line
from tests.failure_modes.test_client_setup import diagnosed, of_user, place
from tests.failure_modes.test_prefix import alerts, loop_of, never_hits
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.gateway_client import GatewayClient, gateway_to, request_body, until
from tests.fakes.model_server import ModelServer, count_tokens
from tests.fakes.upstream import Cut, Pause, Send, Step, json_answer

SESSION = {"x-claude-code-session-id": "session-1"}
KEY, WRONG, SHORT = "right-key-of-the-gateway", "sk-ant-wrong-canary-0123456789", "wrong-canary"


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[GatewayClient]:
    async with gateway_to(server.url) as running:
        yield running


async def live(client: GatewayClient) -> Any:
    return (await client.call("GET", "/landline/live")).json


@pytest.mark.row("9.02")
async def test_row_9_02_a_client_that_fell_back_is_counted_and_the_doctor_says_so(server: ModelServer) -> None:
    """As 3.38: the stream breaks in its words, and the client repeats it without streaming and without a word."""
    half = [Send(sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half "}))), Pause(0.02), Cut()]
    server.answer = lambda body: half if len(server.chats) == 1 else Answer(text="whole")
    async with gateway_to(server.url) as client:
        assert b"event: error" in (await client.stream(headers=SESSION)).body
        assert (await client.messages(headers=SESSION)).status == 200
        await client.settled(2)
        told = await live(client)
        snapshot = read_snapshot(json.dumps(told).encode(), client.url)
    assert told["totals"]["hidden_repeats"] == 1
    seen = diagnosed(of_user(), target=msgspec.structs.replace(place(), snapshot=snapshot)).of("silent_retries")
    assert seen.severity is Severity.WARNING
    assert seen.finding.startswith("1 of 2 requests repeated an earlier one; the first cause: bad_backend")


@pytest.mark.row("9.03")
async def test_row_9_03_a_session_without_hits_is_warned_of_and_its_rate_is_shown() -> None:
    exchanges = await loop_of(ModelServer(never_hits(told=True)))
    with_alert = [number for number, exchange in enumerate(exchanges, 1) if exchange.notes.alerts]
    assert with_alert == [4]  # the first turn has nothing to hit: after three that could have
    assert "prefix cache" in alerts(exchanges)[0]
    assert alerts(await loop_of(ModelServer(prefix_cache=True))) == []


@pytest.mark.row("9.03")
async def test_row_9_03_the_hit_rate_of_each_turn_is_shown() -> None:
    async with ModelServer(prefix_cache=True) as server, gateway_to(server.url) as client:
        words = [{"role": "user", "content": "long words " * 50}]
        for turn in (words, [*words, {"role": "assistant", "content": "a"}, {"role": "user", "content": "more"}]):
            await client.messages(request_body() | {"messages": turn}, headers=SESSION)
        last, first = (one.get("cache_hit_percent") for one in (await live(client))["finished"])
    assert first == 0
    assert last > 50


@pytest.mark.row("9.04")
async def test_row_9_04_a_prompt_that_was_cut_is_an_alert_with_what_to_change() -> None:
    """As 5.10: the answer is there and is good HTTP; only the numbers tell."""
    cut = ModelServer(lambda body: Answer(text="ok", usage=(count_tokens(body) // 3, 2, None)), kind="ollama")
    async with cut as server, gateway_to(server.url) as client:
        await client.messages(request_body("word " * 4000))
        (alert,) = (await client.settled()).notes.alerts
        assert "num_ctx" in alert
        assert (await live(client))["totals"]["alerts"] == {alert: 1}


@pytest.mark.row("9.05")
@pytest.mark.parametrize("stream", [False, True])
async def test_row_9_05_headers_and_record_say_which_model_and_server_answered(
    client: GatewayClient, server: ModelServer, *, stream: bool
) -> None:
    reply = await client.messages(request_body(model="claude-haiku-4-5", stream=stream))
    assert reply.headers["landline-model"] == "served"
    assert reply.headers["landline-backend"] == server.url
    record = json.loads(json_line(await client.settled()))
    told = [record[name] for name in ("model_asked", "model_served", "route", "backend")]
    assert told == ["claude-haiku-4-5", "served", "default", server.url]


@pytest.mark.row("9.05")
async def test_row_9_05_a_login_in_the_address_is_not_told(server: ModelServer) -> None:
    async with gateway_to(server.url.replace("//", "//user:canary@")) as client:
        reply = await client.messages()
    assert reply.headers["landline-backend"] == server.url.partition("//")[2]
    assert "canary" not in json_line(client.exchanges[0])


@pytest.mark.row("9.06")
@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"authorization": f"Bearer {WRONG}"}, "a key that begins with 'sk-a'"),
        ({"x-api-key": WRONG}, "a key that begins with 'sk-a'"),
        ({"x-api-key": SHORT}, "a short key"),
        ({}, "no key"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models", "/v1/messages/count_tokens"])
async def test_row_9_06_a_refused_login_is_told_with_its_address_and_without_its_key(
    server: ModelServer, path: str, headers: dict[str, str], told: str
) -> None:
    async with gateway_to(server.url, keys=(KEY,)) as client:
        method, body = ("GET", None) if path == "/v1/models" else ("POST", request_body())
        assert (await client.call(method, path, body=body, headers=headers)).status == 401
        exchange = await client.settled()
        assert (await client.messages(headers={"x-api-key": KEY})).status == 200
    for line in (json_line(exchange), text_line(exchange)):
        assert f"from 127.0.0.1, {told}" in line
        assert "canary" not in line
        assert WRONG[5:] not in line
    assert client.exchanges[1].stranger == ""


@pytest.mark.row("9.07")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prefill", [False, True], ids=["before its headers", "behind them"])
async def test_row_9_07_what_landline_itself_took_is_told(server: ModelServer, *, stream: bool, prefill: bool) -> None:
    delay_s = 0.08
    if prefill:
        server.prefill_s = delay_s
    else:
        server.override = lambda request: [Pause(delay_s), *_good()] if "chat" in request.path else None
    async with gateway_to(server.url) as client:
        await client.gateway.line.look()
        reply = await client.messages(request_body(stream=stream))
        exchange = await client.settled()
        totals = (await live(client))["totals"]
    assert exchange.ttft_s is not None
    overhead_ms = float(reply.headers["landline-overhead-ms"])
    upstream_ms = 1000 * exchange.waited_s
    assert upstream_ms >= 1000 * delay_s * 0.95
    assert 0 < overhead_ms <= 1000 * exchange.ttft_s - 1000 * delay_s * 0.95
    assert overhead_ms == pytest.approx(1000 * exchange.ttft_s - upstream_ms, abs=0.1)
    assert totals["overhead_ms"] == pytest.approx(overhead_ms, abs=0.1)
    assert json.loads(json_line(exchange))["overhead_ms"] == pytest.approx(overhead_ms, abs=0.1)


def _good() -> list[Step]:
    return [Send(sse(chunk({"role": "assistant", "content": "ok"}), chunk({}, "stop")) + b"data: [DONE]\n\n")]


@pytest.mark.row("9.07")
async def test_row_9_07_of_what_no_backend_was_asked_nothing_is_told(client: GatewayClient) -> None:
    reply = await client.messages(b"{")
    assert reply.status == 400
    assert "landline-overhead-ms" not in reply.headers


@pytest.mark.row("9.08")
@pytest.mark.parametrize("stream", [False, True])
async def test_row_9_08_the_backends_own_words_reach_the_client_without_its_key(*, stream: bool) -> None:
    key = "backend.canary.7"  # not of the form of keys, which is hidden whosever they are
    said = f"this fine server, opened by {key}, takes no such thing: frobnicate"
    refused = json_answer(400, {"error": {"message": said, "type": "BadRequestError"}})
    server = ModelServer(lambda body: refused, key=key)
    async with server, gateway_to(server.url, backend={"key": key}) as client:
        status, kind, message = (await client.messages(request_body(stream=stream))).error
        assert (status, kind) == (400, "invalid_request_error")
        assert "takes no such thing: frobnicate" in message
        assert "canary" not in message
        assert "frobnicate" not in json_line(await client.settled())  # the log has no words of others


CANARIES = {
    "LANDLINE_GATEWAY_KEYS": "canary-key-of-the-gateway",
    "ANTHROPIC_AUTH_TOKEN": "canary-token-of-the-user",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/canary-token-of-the-user",
    "SOME_API_KEY": "canary-key-of-somebody",
    "HTTPS_PROXY": "http://me:canary-login@127.0.0.1:9",
}


@pytest.mark.row("9.09")
async def test_row_9_09_one_command_makes_a_bundle_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HOME": str(tmp_path), "PATH": str(tmp_path), "NO_PROXY": "127.0.0.1", **CANARIES}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    key = CANARIES["LANDLINE_GATEWAY_KEYS"]
    answering = ModelServer(lambda _: Answer(text="canary words of the model"))
    async with answering as server, gateway_to(server.url, keys=(key,)) as client:
        headers = {"authorization": f"Bearer {key}", "x-canary": "canary-header", "user-agent": "a-client/1"}
        assert (await client.messages(request_body("canary words of the user"), headers=headers)).status == 200
        await until(lambda: len(client.exchanges) == 1)
        args = ["report", "--gateway", client.url, "--backend", server.url]
        made = await asyncio.to_thread(CliRunner().invoke, cli, args)
    assert made.exit_code == 0
    document = json.loads(made.stdout)
    assert "canary" not in made.stdout
    (request,) = document["gateway"]["finished"]
    assert (request["status"], request["client"], request["model_served"]) == (200, "a-client/1", "served")
    assert {"landline", "python", "system"} <= document["versions"].keys()
    assert document["doctor"]["checks"]
    assert document["settings"]["gateway.keys"]["value"] == "[key]"
