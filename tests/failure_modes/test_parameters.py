"""Parameters of requests: limits, choices, sampling, stop strings, whole answers, probes, signed thinking."""

from __future__ import annotations

from typing import Any

import pytest

from landline.config.settings import Sampling
from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseEnd
from landline.core.exchange import Outcome
from landline.protocols.openai_chat.dialect import STANDARD, Dialect
from landline.transforms.stop_strings import StopStrings
from landline.upstream.dialects import DIALECTS, BackendKind
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.gateway_client import ASKED, gateway_to, request_body
from tests.fakes.model_server import AnthropicServer, Kind, ModelServer, json_answer
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Hang, Request, Send, Status, Step
from tests.property.requests import chat_of

TOOL = {"name": "T", "description": "d", "input_schema": {"type": "object"}}


@pytest.mark.row("2.38")
@pytest.mark.parametrize("asked", [32_000, 128_000])
async def test_row_2_38_the_output_asked_for_is_cut_to_the_window(asked: int) -> None:
    body = request_body("word " * 13_600, max_tokens=asked)
    async with ModelServer(window=32_768) as server, gateway_to(server.url) as client:
        assert (await client.messages(body)).status == 200
        assert 10_000 < server.chats[0].json["max_tokens"] < 32_768 - 17_000
        assert len(server.chats) == 1


@pytest.mark.row("2.39")
def test_row_2_39_parameters_that_nobody_asked_for_are_not_passed_on() -> None:
    strange = {"store": True, "metadata": {"user_id": "u"}, "service_tier": "auto", "parallel_tool_calls": True}
    asked = {"messages": [{"role": "user", "content": "x"}]}
    assert chat_of(asked | strange) == chat_of(asked)
    assert set(chat_of(asked)) == {"model", "messages", "stream", "max_tokens", "stream_options"}


CONFIGURED = {"temperature": 0.6, "top_k": 20}


@pytest.mark.row("2.40")
@pytest.mark.parametrize(
    ("settings", "asked", "sent"),
    [
        ({}, {}, {}),
        ({}, {"temperature": 0, "top_p": 0.5, "top_k": 7}, {"temperature": 0, "top_p": 0.5, "top_k": 7}),
        (CONFIGURED, {}, CONFIGURED),
        (CONFIGURED, {"temperature": 1, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5, "top_k": 20}),
        (CONFIGURED | {"override": True}, {"temperature": 1, "top_p": 0.5}, CONFIGURED | {"top_p": 0.5}),
    ],
)
async def test_row_2_40_sampling_is_the_clients_or_the_users_or_the_backends(
    settings: dict[str, Any], asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    async with ModelServer() as server, gateway_to(server.url, sampling=Sampling(**settings)) as client:
        await client.messages(request_body(**asked))
        got = server.chats[0].json
        assert {name: got[name] for name in ("temperature", "top_p", "top_k") if name in got} == sent
        overruled = (await client.settled()).notes.repairs
        assert overruled == (["sampling of the client overruled by the settings"] if "override" in settings else [])


QWEN, MISTRAL = "Qwen/Qwen3.8-27B", "mistralai/Devstral-Small-2-24B-Instruct-2512"
RECIPE = {"temperature": 1.0, "top_p": 0.95, "top_k": 20}
RECIPE_NOTE = "sampling defaults of the family qwen3.8: temperature 1, top_p 0.95, top_k 20"


@pytest.mark.row("2.40")
@pytest.mark.parametrize(
    ("model", "kind", "settings", "asked", "sent", "note"),
    [
        (QWEN, "vllm", {}, {}, RECIPE, RECIPE_NOTE),
        (QWEN, "plain", {}, {}, {"temperature": 1.0, "top_p": 0.95}, RECIPE_NOTE.replace(", top_k 20", "")),
        (QWEN, "vllm", {}, {"temperature": 0.2}, {"temperature": 0.2}, ""),  # numbers of two sources are not mixed
        (QWEN, "vllm", {"top_k": 7}, {}, {"top_k": 7}, ""),
        (QWEN, "vllm", {"family_defaults": False}, {}, {}, ""),
        (MISTRAL, "vllm", {}, {}, {}, ""),  # what third parties say is not sent
    ],
)
async def test_row_2_40_what_the_family_recommends_where_nobody_says_anything(
    model: str, kind: Kind, settings: dict[str, Any], asked: dict[str, Any], sent: dict[str, Any], note: str
) -> None:
    async with (
        ModelServer(lambda body: Answer(thinking="hm", text="yes"), kind=kind, models=[model]) as server,
        gateway_to(server.url, sampling=Sampling(**settings)) as client,
    ):
        await client.messages(request_body(**asked))
        got = server.chats[0].json
        assert {name: got[name] for name in ("temperature", "top_p", "top_k") if name in got} == sent
        settled = (await client.settled()).notes
        assert (settled.repairs, settled.dropped) == ([note] if note else [], [])


@pytest.mark.row("2.41")
def test_row_2_41_each_tool_choice_in_the_backends_words() -> None:
    def choice(dialect: Dialect, **told: Any) -> tuple[Any, Any]:
        body = {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL], "tool_choice": told}
        sent = chat_of(body, dialect=dialect)
        return sent.get("tool_choice"), sent.get("parallel_tool_calls")

    named = {"type": "function", "function": {"name": "T"}}
    assert choice(STANDARD, type="auto") == ("auto", None)
    assert choice(STANDARD, type="any") == ("required", None)
    assert choice(STANDARD, type="tool", name="T") == (named, None)
    assert choice(DIALECTS[BackendKind.LLAMACPP], type="tool", name="T") == ("required", None)
    assert choice(STANDARD, type="auto", disable_parallel_tool_use=True) == ("auto", False)


@pytest.mark.row("2.41")
async def test_row_2_41_a_named_choice_that_ends_with_stop_is_a_tool_use() -> None:
    answer = Answer(tool_calls=(("T", {}, "c1"),), finish="stop")
    body = request_body(tools=[TOOL], tool_choice={"type": "tool", "name": "T"})
    async with ModelServer(lambda _: answer) as server, gateway_to(server.url) as client:
        assert (await client.messages(body)).json["stop_reason"] == "tool_use"


STOPS = ["one", "two", "", "three", "four", "END", "hm"]


@pytest.mark.row("2.42")
async def test_row_2_42_stop_strings_count_in_text_only_and_end_the_backends_work() -> None:
    said = sse(chunk({"reasoning": "two hm"}), chunk({"content": "so E"}), chunk({"content": "ND of it"}))
    steps: list[Step] = [Status(), Send(said), Hang()]
    async with ModelServer(lambda _: steps) as server, gateway_to(server.url) as client:
        reply = await client.stream(request_body(stop_sequences=STOPS))
        folded = check_stream(reply.body, asked_model=ASKED, backend_finish="stop")
        assert [block.get("thinking") or block.get("text") for block in folded.content] == ["two hm", "so "]
        assert (folded.stop_reason, folded.stop_sequence) == ("stop_sequence", "END")
        assert "stop" not in server.chats[0].json
        assert (await client.settled()).outcome is Outcome.COMPLETED


@pytest.mark.row("2.42")
def test_row_2_42_without_thinking_the_backend_gets_four_of_them() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "thinking": {"type": "disabled"}}
    assert chat_of(body | {"stop_sequences": STOPS})["stop"] == ["one", "two", "three", "four"]
    assert chat_of(body | {"stop_sequences": ["", "a"]})["stop"] == ["a"]
    assert "stop" not in chat_of(body | {"stop_sequences": [""]})


@pytest.mark.row("2.42")
@pytest.mark.parametrize("size", [1, 2, 3, 99])
@pytest.mark.parametrize(("text", "left"), [("xABCDy", "xA"), ("xABx", "xABx"), ("AB", "AB"), ("xyAAABC", "xyAAA")])
def test_row_2_42_however_the_text_is_cut(size: int, text: str, left: str) -> None:
    stopping = StopStrings(("ABCDE", "BC", "BCD"))
    batches: list[list[Event]] = [[BlockStart(0, BlockKind.TEXT)]]
    batches += [[BlockDelta(0, text[at : at + size])] for at in range(0, len(text), size)]
    batches.append([BlockStop(0)])
    out: list[Event] = []
    for batch in batches:
        out += stopping.push(batch)
        if out and isinstance(out[-1], ResponseEnd):
            break
    assert "".join(event.text for event in out if isinstance(event, BlockDelta)) == left


# ------------------------------------------------------------------------------------------------ whole and streamed


@pytest.mark.row("2.48")
@pytest.mark.row("2.49")
@pytest.mark.parametrize("asked", [{}, {"stream": False}])
async def test_row_2_48_and_2_49_whole_answers_of_a_backend_that_only_streams(asked: dict[str, Any]) -> None:
    def override(request: Request) -> list[Step] | None:
        if request.path == "/v1/chat/completions" and request.json.get("stream") is not True:
            return json_answer(400, {"error": {"message": "Stream must be set to true"}})
        return None

    async with ModelServer(override=override) as server, gateway_to(server.url) as client:
        reply = await client.messages(request_body(**asked))
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        assert reply.json["content"] == [{"type": "text", "text": "hello"}]


@pytest.mark.row("2.50")
async def test_row_2_50_probes_are_answered() -> None:
    async with ModelServer() as server, gateway_to(server.url) as client:
        for method, path in (
            ("HEAD", "/"),
            ("GET", "/"),
            ("OPTIONS", "/v1/messages"),
            ("POST", "/api/event_logging/batch"),
            ("POST", "/api/event_logging"),
        ):
            reply = await client.call(method, path, body={} if method == "POST" else None)
            assert 200 <= reply.status < 300, (method, path, reply.status)
        assert server.chats == []


# ------------------------------------------------------------------------------------------------ verbatim


SIGNED = '{ "role":"assistant","content":[{"type":"thinking","thinking":"a\\/b \\u00e9  é","signature":"Eq+/=="} ] }'


@pytest.mark.row("2.16")
async def test_row_2_16_signed_thinking_crosses_byte_for_byte() -> None:
    begin = '{"model": "served", "max_tokens":64,"messages":[{"role":"user","content":"x"},'
    body = (begin + SIGNED + ',{"role":"user","content":"y"}]}').encode()
    said = b'{"type":"message",  "content":[' + SIGNED.encode() + b"]}"

    def override(request: Request) -> list[Step] | None:
        return json_answer(200, said) if request.path == "/v1/messages" else None

    native = {"protocol": "anthropic_messages"}
    async with AnthropicServer(override=override) as server, gateway_to(server.url, backend=native) as client:
        reply = await client.messages(body)
        assert reply.body == said
        assert server.requests_to("/v1/messages")[0].body == body
