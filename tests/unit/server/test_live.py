"""GET /landline/live: running calls in their phases, the last ones, totals; no bodies, no keys."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from landline.config.settings import Backend, Settings
from landline.core.exchange import Exchange, Outcome
from landline.core.model import Usage
from landline.server.journal import Journal
from landline.server.line import Line
from landline.server.live import Phase, Totals, finished, phase, running, without_credentials
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.gateway_client import gateway_to, request_body, until
from tests.fakes.model_server import ModelServer
from tests.fakes.upstream import Hang, Request, Send, Status, Step

CANARY = "canary-of-the-prompt"
KEY = "sk-live-key-0123456789"


def exchange(**fields: object) -> Exchange:
    return Exchange(**({"id": "req_1", "path": "/v1/messages"} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Phase.RECEIVED),
        ({"backend_requests": 1}, Phase.QUEUED),
        ({"backend_requests": 1, "headers_s": 0.1, "stream": True}, Phase.PREFILL),
        ({"backend_requests": 1, "headers_s": 0.1}, Phase.WHOLE),
        ({"backend_requests": 1, "headers_s": 0.1, "ttft_s": 0.2, "stream": True}, Phase.DECODE),
    ],
)
def test_the_phase_follows_from_the_record(fields: dict[str, object], expected: Phase) -> None:
    assert phase(exchange(**fields)) is expected


def test_records_show_a_cache_hit_and_only_the_beginning_of_a_session() -> None:
    usage = Usage(prompt=400, cached=100, cached_told=True, output=5)
    one = exchange(session="0123456789abcdef", usage=usage, outcome=Outcome.COMPLETED, status=200, cache_salt="s4lt")
    shown = finished(one)
    assert (shown["session"], shown["cache_hit_percent"], shown["outcome"]) == ("01234567", 25.0, "completed")
    assert "cache_hit_percent" not in finished(exchange(usage=Usage(prompt=400)))
    repeat = exchange(repeats_of="req_0", repeat_cause="the first stream was cut")
    assert running(repeat, 0)["repeat_cause"] == "the first stream was cut"
    assert "s4lt" not in json.dumps(shown)
    assert running(exchange(), 1.23456)["seconds"] == 1.235


def test_totals_add_up_and_keep_a_bounded_number_of_alerts() -> None:
    totals = Totals()
    for number in range(200):
        one = exchange(outcome=Outcome.FAILED if number % 2 else Outcome.COMPLETED, usage=Usage(prompt=10, output=1))
        one.notes.alert("the same")
        one.notes.alert(f"text {number}")
        totals.add(one)
    shown = totals.shown()
    assert (shown["requests"], shown["prompt_tokens"], shown["output_tokens"]) == (200, 2000, 200)
    assert shown["outcomes"] == {"completed": 100, "failed": 100}
    assert shown["alerts"]["the same"] == 200
    assert len(shown["alerts"]) == 64


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@gpu:8000/v1x?key=secret", "http://gpu:8000/v1x"),
        ("https://[::1]:8000", "https://[::1]:8000"),
        ("http://gpu:notaport", ""),
    ],
)
def test_addresses_are_shown_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


async def test_calls_are_shown_in_their_phases() -> None:
    def script(request: Request) -> list[Step] | None:
        if request.path != "/v1/chat/completions":
            return None
        text = json.dumps(request.json)
        if "prefill please" in text:
            return [Status(), Hang()]
        if "decode please" in text:
            return [Send(sse(chunk({"role": "assistant", "content": "begun"}))), Hang()]
        return [Hang()] if "queue please" in text else None

    server = ModelServer(lambda _: Answer(text=f"done {CANARY}", usage=(800, 5, 600)), override=script)
    async with server, gateway_to(server.url, keys=(KEY,)) as client:
        headers = {"x-api-key": KEY, "user-agent": "claude-cli/2.1.329", "x-claude-code-session-id": "s" * 36}
        assert (await client.messages(request_body(CANARY), headers=headers)).status == 200
        tasks = [
            asyncio.create_task(client.stream(request_body(f"{name} please {CANARY}"), headers=headers))
            for name in ("queue", "prefill", "decode")
        ]
        try:
            await until(lambda: len(server.chats) == 4)
            await asyncio.sleep(0.05)
            reply = await client.call("GET", "/landline/live", headers={"authorization": f"Bearer {KEY}"})
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        live = reply.json
        assert sorted(call["phase"] for call in live["running"]) == ["decode", "prefill", "queued"]
        assert {(call["client"], call["session"]) for call in live["running"]} == {("claude-cli/2.1.329", "s" * 8)}
        [last] = live["finished"]
        assert (last["outcome"], last["prompt_tokens"], last["cache_hit_percent"]) == ("completed", 800, 75.0)
        assert live["totals"]["requests"] == 1
        [backend] = live["backends"]
        assert (backend["kind"], backend["reachable"]) == ("vllm", True)
        assert [(model["id"], model["window"]) for model in backend["models"]] == [("served", 131_072)]
        assert (live["workers"], reply.headers["cache-control"]) == (1, "no-store")
        assert not [secret for secret in (CANARY, KEY, "s" * 9) if secret.encode() in reply.body]


async def test_a_key_is_needed_and_foreign_hosts_are_refused() -> None:
    async with ModelServer() as server, gateway_to(server.url, keys=(KEY,)) as client:
        for headers in ({}, {"x-api-key": "wrong"}):
            refused = await client.call("GET", "/landline/live", headers=headers)
            assert refused.status == 401
            assert b"totals" not in refused.body
    async with ModelServer() as server, gateway_to(server.url) as client:
        assert (await client.call("GET", "/landline/live")).status == 200
        assert (await client.call("GET", "/landline/live", headers={"host": "evil.example"})).status == 403
        assert (await client.call("POST", "/landline/live")).status in (404, 405)


@pytest.mark.parametrize(("form", "begins"), [("text", "landline: the backend's"), ("json", '{"finding":"the')])
async def test_the_log_says_once_what_is_wrong_with_the_backend(form: str, begins: str) -> None:
    out = io.StringIO()
    async with ModelServer(window=4096) as server:
        line = Line(Settings(backend=Backend(url=server.url)), journal=Journal(out, form=form))
        await line.start()
        await until(lambda: bool(out.getvalue()))
        await line.stop()
    assert out.getvalue().startswith(begins)
    assert out.getvalue().count("4096") == out.getvalue().count("\n") == 1
