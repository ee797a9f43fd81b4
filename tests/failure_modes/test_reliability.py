"""Time, crashes and load: slow prefills, servers that die or fail at random, memory and overhead."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from landline.config.settings import Gateway
from landline.core.exchange import Exchange, Outcome
from landline.core.stream import Pipeline
from landline.errors import LandlineError
from landline.policy.prefill import PrefillRate
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from landline.server.run import listen
from tests.fakes.chat_stream import DONE, Answer, call_delta, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, request_body, until
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import FAILED, check_silence, check_stream
from tests.fakes.upstream import Close, Cut, Hang, Pause, Request, Send, Status, Step, json_answer

QUICK = {"commit_after_s": 0.1, "heartbeat_s": 0.05}
BEGIN = sse(chunk({"role": "assistant", "content": ""}))
THOUGHT = BEGIN + sse(chunk({"reasoning": "hm"}))
END = sse(chunk({}, "stop"), usage_chunk(10, 5), DONE)
WHOLE = BEGIN + sse(chunk({"content": "whole"})) + END
BROKEN = json_answer(500, {"error": {"message": "boom", "code": 500}})
TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.server.opening.AGAIN_AFTER_S", (0.01, 0.01))


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[GatewayClient]:
    async with gateway_to(server.url, **QUICK) as running:
        yield running


def in_reads(data: bytes) -> list[Step]:
    """Event by event, as servers send."""
    events = [event + b"\n\n" for event in data.removesuffix(b"\n\n").split(b"\n\n")]
    return [step for event in events for step in (Send(event), Pause(0.003))]


def in_turn(server: ModelServer, *answers: list[Step]) -> None:
    """Each request gets the next answer; the last one stays."""
    server.answer = lambda body: answers[min(len(server.chats), len(answers)) - 1]


async def text_of(client: GatewayClient, **body: Any) -> list[Any]:
    reply = await client.stream(request_body(**body))
    assert reply.status == 200
    return check_stream(reply.body, asked_model=ASKED, tools=["Bash"]).content


@pytest.mark.row("8.01", "8.05", "8.16")
@pytest.mark.parametrize("steps", [[Pause(0.35)], [Status(), Pause(0.35)]], ids=["no headers", "no token"])
async def test_row_8_01_8_05_8_16_a_long_silence_costs_one_request(
    server: ModelServer, client: GatewayClient, steps: list[Step]
) -> None:
    """Prefill or loading for many times what a client waits for a word (times shortened alike)."""
    server.answer = lambda body: [*steps, Send(WHOLE)]
    reply = await client.stream()
    check_silence(reply.arrivals, limit_s=0.25)
    assert check_stream(reply.body, asked_model=ASKED, backend_finish="stop").content[0]["text"] == "whole"
    assert reply.body.count(b'"stop_reason":null,"stop_sequence":null},"usage"') >= 2
    assert len(server.chats) == 1


@pytest.mark.row("8.02")
async def test_row_8_02_silence_within_the_answer_is_bridged(server: ModelServer, client: GatewayClient) -> None:
    server.answer = lambda body: [Send(BEGIN + sse(chunk({"content": "half "}))), Pause(0.3), Send(WHOLE)]
    reply = await client.stream()
    check_silence(reply.arrivals, limit_s=0.2)
    assert check_stream(reply.body, asked_model=ASKED, backend_finish="stop").content[0]["text"] == "half whole"


@pytest.mark.row("8.03")
def test_row_8_03_a_prompt_that_would_be_read_for_hours_is_refused() -> None:
    rate = PrefillRate()
    for _ in range(3):
        rate.check(session="s", prompt=10**9)  # nothing is known yet
        rate.learn(session="s", prompt=1_000, fresh=1_000, waited_s=20)
    rate.check(session="", prompt=179_000)  # at 50 tokens/s about an hour: may be wrong, is sent
    rate.learn(session="long", prompt=150_000, fresh=100, waited_s=1)
    rate.check(session="long", prompt=300_000)  # half of it is cached
    with pytest.raises(LandlineError) as caught:
        rate.check(session="", prompt=300_000)
    assert caught.value.text.startswith("prompt is too long: 300000 tokens > 90000 maximum (the backend reads 50 tok")


@pytest.mark.row("8.03")
async def test_row_8_03_nothing_is_sent(server: ModelServer, client: GatewayClient) -> None:
    await client.stream()
    (rate,) = client.gateway.line.prefill.values()
    for _ in range(3):
        rate.learn(session="", prompt=1_000, fresh=1_000, waited_s=1e6)
    reply = await client.stream(request_body("word " * 100))
    assert reply.status == 400
    assert reply.error[2].startswith("prompt is too long: ")
    assert len(server.chats) == 1


@pytest.mark.row("8.07")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "broken", [[Status(), Pause(0.02), Cut()], [Send(BEGIN), Pause(0.02), Cut()], [Send(BEGIN), Close(finish=False)]]
)
async def test_row_8_07_a_reset_before_the_first_word_is_not_seen(
    server: ModelServer, client: GatewayClient, broken: list[Step], *, stream: bool
) -> None:
    in_turn(server, broken, in_reads(WHOLE))
    reply = await client.messages(request_body(stream=stream))
    assert reply.status == 200
    if stream:
        assert check_stream(reply.body, asked_model=ASKED, backend_finish="stop").content[0]["text"] == "whole"
    exchange = await client.settled()
    assert (exchange.backend_requests, len(server.chats)) == (2, 2)
    assert exchange.notes.repairs == ["asked again: the backend failed before it had said a word"]


@pytest.mark.row("8.07", "8.11")
async def test_row_8_07_8_11_behind_the_first_word_it_is_one_error(server: ModelServer, client: GatewayClient) -> None:
    in_turn(server, [Send(BEGIN + sse(chunk({"content": "half"}))), Pause(0.02), Cut()], [Send(WHOLE)])
    reply = await asyncio.wait_for(client.stream(), 1)
    assert check_stream(reply.body, asked_model=ASKED, backend_finish=FAILED).error is not None
    assert len(server.chats) == 1
    assert (await client.settled()).outcome is Outcome.FAILED


@pytest.mark.row("8.11")
async def test_row_8_11_a_server_that_dies_is_not_ready(client: GatewayClient, server: ModelServer) -> None:
    server.answer = lambda body: [Send(BEGIN + sse(chunk({"content": "half"}))), Hang()]
    answer = asyncio.create_task(client.stream())
    await until(lambda: bool(server.chats))
    await asyncio.sleep(0.02)
    await server.__aexit__(None, None, None)
    reply = await asyncio.wait_for(answer, 1)
    assert check_stream(reply.body, asked_model=ASKED, backend_finish=FAILED).error is not None
    assert (await client.stream()).status == 503
    assert (await client.call("GET", "/ready")).status == 503


@pytest.mark.row("3.35")
@pytest.mark.parametrize("broken", [Cut(), Close(finish=False), Send(sse({"error": {"message": "no", "code": 503}}))])
async def test_row_3_35_a_failure_among_thoughts_goes_on_in_the_same_stream(
    server: ModelServer, client: GatewayClient, broken: Step
) -> None:
    in_turn(
        server,
        [Send(THOUGHT), Pause(0.02), broken],
        in_reads(THOUGHT + sse(chunk({"reasoning": " yes"}), chunk({"content": "whole"})) + END),
    )
    content = await text_of(client)
    assert [block["type"] for block in content] == ["thinking", "text"]
    assert (content[0]["thinking"], content[1]["text"]) == ("hm\n\nhm yes", "whole")


@pytest.mark.row("3.35")
async def test_row_3_35_a_second_try_without_thoughts(server: ModelServer, client: GatewayClient) -> None:
    in_turn(server, [Send(THOUGHT), Pause(0.02), Cut()], in_reads(WHOLE))
    assert [block["type"] for block in await text_of(client)] == ["thinking", "text"]


@pytest.mark.row("3.18")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("words", ["", "I look."])
async def test_row_3_18_a_lost_call_is_asked_for_once_more(
    server: ModelServer, client: GatewayClient, words: str, *, stream: bool
) -> None:
    def answer(body: Any) -> Any:
        if body.get("stream"):
            said = sse(chunk({"content": words})) if words else b""
            return [Send(BEGIN + said + sse(chunk({}, "tool_calls"), usage_chunk(9, 5), DONE))]
        return Answer(text=words, tool_calls=[("Bash", {"a": 1}, "c1")])

    server.answer = answer
    body = request_body(tools=TOOLS, stream=stream)
    reply = await client.messages(body)
    folded = check_stream(reply.body, asked_model=ASKED, tools=["Bash"]).content if stream else reply.json["content"]
    assert [block["type"] for block in folded] == ["text", "tool_use"][not words :]
    assert folded[-1]["input"] == {"a": 1}
    assert (await client.settled()).backend_requests == len(server.chats) == 2


@pytest.mark.row("3.18")
async def test_row_3_18_a_call_that_stays_lost_ends_the_turn(server: ModelServer, client: GatewayClient) -> None:
    server.answer = lambda body: (
        [Send(BEGIN + sse(chunk({"content": "I look."}), chunk({}, "tool_calls"), DONE))] if body["stream"] else BROKEN
    )
    reply = await client.stream(request_body(tools=TOOLS))
    assert check_stream(reply.body, asked_model=ASKED, tools=["Bash"]).content == [{"type": "text", "text": "I look."}]
    assert b'"stop_reason":"end_turn"' in reply.body
    assert len(server.chats) == 2


@pytest.mark.row("8.12")
async def test_row_8_12_a_random_500_is_not_seen(server: ModelServer, client: GatewayClient) -> None:
    in_turn(server, BROKEN, [Send(WHOLE)])
    assert (await text_of(client))[0]["text"] == "whole"
    assert len(server.chats) == 2


@pytest.mark.row("8.12")
async def test_row_8_12_a_lasting_500_is_asked_three_times(server: ModelServer, client: GatewayClient) -> None:
    server.answer = lambda body: BROKEN
    reply = await client.stream()
    assert reply.status == 502
    assert "boom" in reply.error[2]
    assert len(server.chats) == 3


def sick(request: Request) -> list[Step] | None:
    return {"/health": json_answer(503, b""), "/v1/chat/completions": BROKEN}.get(request.path)


@pytest.mark.row("8.13")
async def test_row_8_13_a_dead_engine_is_not_asked(
    server: ModelServer, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.override = sick
    for _ in range(3):
        reply = await client.stream()
        assert reply.error[:2] == (503, "api_error")
        assert f"The backend {server.url} says that it is not healthy" in reply.error[2]
        assert reply.headers["retry-after"] == "5"
    assert len(server.chats) == 1
    server.override = None
    monkeypatch.setattr("landline.server.health.ASK_AGAIN_S", 0)
    assert (await client.stream()).status == 200


@pytest.mark.row("8.17")
async def test_row_8_17_refused_requests_close_no_backend(server: ModelServer, client: GatewayClient) -> None:
    refused = [json_answer(status, {"error": {"message": "no"}}) for status in (404, *[400] * 6)]
    in_turn(server, *refused, [Send(WHOLE)])
    for _ in refused:
        assert (await client.stream()).status in (400, 502)
    assert client.gateway.line.backend.reachable
    assert not server.requests_to("/health")
    assert (await text_of(client))[0]["text"] == "whole"
    assert len(server.chats) == len(refused) + 1


async def one_stream(pieces: list[bytes]) -> int:
    """One answer through decoder and encoder."""
    exchange = Exchange(id="req_0", path="/v1/messages")
    pipeline = Pipeline(ChatStreamDecoder(notes=exchange.notes), ())
    encoder = MessagesEncoder(MessageHead("msg_0", ASKED, 1))
    return sum(len(encoder.encode(pipeline.feed(piece))) for piece in pieces)


@pytest.mark.row("8.08")
async def test_row_8_08_sessions_leave_a_bounded_trace(client: GatewayClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of finished calls is bounded whatever their number (shortened: 40 calls, room for 10)."""
    monkeypatch.setattr("landline.server.repeats.KEPT_CALLS", 10)
    repeats = client.gateway.line.repeats
    for number in range(40):
        await client.messages(request_body(str(number)), headers={"x-claude-code-session-id": str(number)})
    assert repeats.held <= 10
    assert not client.gateway.line.open


@pytest.mark.row("8.08")
async def test_row_8_08_streams_leave_nothing_behind() -> None:
    pieces = [sse(chunk({"content": "word "}))] * 5 + [END]
    for _ in range(50):
        await one_stream(pieces)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(300):
            await one_stream(pieces)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


@pytest.mark.row("8.09")
async def test_row_8_09_events_of_one_read_leave_in_one_write(
    server: ModelServer, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps the overhead small: no task and no write per token. A thousand tokens in one read are few writes."""
    writes: list[int] = []
    from landline.server.delivery import Delivery

    write = Delivery.write

    def counted(self: Delivery, data: bytes, *, last: bool = False) -> bool:
        writes.append(len(data))
        return write(self, data, last=last)

    monkeypatch.setattr(Delivery, "write", counted)
    server.answer = lambda body: [Send(BEGIN + sse(chunk({"content": "word "})) * 1000 + END)]
    assert (await text_of(client))[0]["text"] == "word " * 1000
    assert 0 < len(writes) < 40


@pytest.mark.row("8.10")
async def test_row_8_10_a_web_page_is_no_answer(server: ModelServer, client: GatewayClient) -> None:
    for status in (200, 502):
        page = [Status(status, {"content-type": "text/html"}), Send(b"<html>x</html>")]
        server.answer = lambda body, page=page: page  # pyright: ignore
        status_told, kind, text = (await client.stream()).error
        assert (status_told, kind) == (502, "api_error")
        assert "with a web page instead of a model's answer" in text
        assert "<" not in text


@pytest.mark.row("8.14")
async def test_row_8_14_an_empty_prompt_is_never_sent(server: ModelServer, client: GatewayClient) -> None:
    assert (await client.stream(request_body(messages=[]))).status == 400
    assert (await client.stream(request_body(""))).status == 400
    assert not server.chats


@pytest.mark.row("8.15")
def test_row_8_15_the_second_gateway_names_the_address_of_the_first() -> None:
    with listen(Gateway(port=0)) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(LandlineError, match=f"Cannot listen on 127.0.0.1:{port}: Address already in use"):
            listen(Gateway(port=port)).close()


@pytest.mark.row("8.12")
async def test_row_8_12_an_error_that_stalls_is_not_waited_for_three_times(
    server: ModelServer, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landline.server.opening.ERROR_BODY_S", 0.05)
    monkeypatch.setattr("landline.server.opening.AGAIN_WITHIN_S", 0.04)
    server.answer = lambda body: [Status(500, {"content-type": "application/json"}), Hang()]
    assert (await asyncio.wait_for(client.messages(), 1)).status == 502
    assert len(server.chats) == 1


@pytest.mark.row("8.12")
async def test_row_8_12_a_server_that_names_a_wait_is_not_asked_before(
    server: ModelServer, client: GatewayClient
) -> None:
    said = b'{"error":{"message":"boom"}}'
    steps: list[Step] = [Status(500, {"content-type": "application/json", "retry-after": "7"}), Send(said)]
    server.answer = lambda body: steps
    reply = await client.stream()
    assert (reply.status, reply.headers["retry-after"]) == (502, "7")
    assert len(server.chats) == 1


@pytest.mark.row("8.13")
async def test_row_8_13_ready_tells_what_requests_are_told(
    server: ModelServer, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.override = sick
    assert (await client.stream()).status == 503
    for _ in range(2):
        assert (await client.call("GET", "/ready")).status == 503
    server.override = None
    monkeypatch.setattr("landline.server.health.ASK_AGAIN_S", 0)
    assert (await client.call("GET", "/ready")).status == 200


HARMONY = 'unexpected tokens remaining in message header: Some("to=functions.x")'


@pytest.mark.row("4.29")
async def test_row_4_29_a_failure_of_harmony_is_asked_again(server: ModelServer, client: GatewayClient) -> None:
    in_turn(server, json_answer(500, {"error": {"message": HARMONY}}), [Send(WHOLE)])
    assert (await text_of(client))[0]["text"] == "whole"
    assert len(server.chats) == 2


@pytest.mark.row("4.48")
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
async def test_row_4_48_an_empty_call_is_asked_for_once_more(
    server: ModelServer, client: GatewayClient, *, stream: bool
) -> None:
    def answer(body: Any) -> Any:
        if body.get("stream"):
            empty = sse(chunk(call_delta(0, "", name="", id="c0")), chunk({}, "tool_calls"), usage_chunk(9, 5), DONE)
            return [Send(BEGIN + empty)]
        return Answer(tool_calls=[("Bash", {"a": 1}, "c1")])

    server.answer = answer
    reply = await client.messages(request_body(tools=TOOLS, stream=stream))
    folded = check_stream(reply.body, asked_model=ASKED, tools=["Bash"]).content if stream else reply.json["content"]
    assert [(block["name"], block["input"]) for block in folded] == [("Bash", {"a": 1})]
    assert len(server.chats) == 2
