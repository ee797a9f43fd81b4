"""The real Python SDK of OpenAI, with the Responses API, against the served gateway: what it reads, what it raises."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from landline.core.exchange import Outcome
from landline.protocols.openai_responses.request import NO_SEARCHER
from tests.fakes.chat_stream import DONE, Answer, chunk, sse
from tests.fakes.gateway_client import GatewayClient, gateway_to, until
from tests.fakes.model_server import ModelServer, count_tokens
from tests.fakes.openai_streams import check_responses, response_events
from tests.fakes.upstream import Close, Hang, Pause, Send, Status, json_answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "gpt-of-mine"
KEY = {"authorization": "Bearer secret"}
CODEX = KEY | {"user-agent": "codex_exec/0.169.0 (Linux; x86_64)"}
OBJECT = {"type": "object", "properties": {"cmd": {"type": "string"}}}
Pair = tuple[ModelServer, GatewayClient]


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "Runs", "strict": False, "parameters": OBJECT}


# Those of Codex 0.169.0, and a custom one.
TOOLS: list[Any] = [
    function("exec_command"),
    {"type": "namespace", "name": "multi_agent_v1", "description": "Agents", "tools": [function("spawn_agent")]},
    {"type": "custom", "name": "apply_patch", "description": "Patches"},
    {"type": "web_search"},
]
LS = ("exec_command", {"cmd": "ls 'a b'"}, "call_1")
SPAWN = ("multi_agent_v1__spawn_agent", {"cmd": "x"}, "call_2")
PATCH = ("apply_patch", {"input": '*** Begin Patch\n"ü"'}, "call_3")
ANSWERS = {
    "text": Answer(text="Grüße, 北京 \U0001f600"),
    "thinking": Answer(thinking="let me see", text="done"),
    "thinking only": Answer(thinking="hm"),
    "tool": Answer(text="I run it.", tool_calls=(LS,)),
    "parallel tools of every kind": Answer(thinking="three", tool_calls=(LS, SPAWN, PATCH)),
    "one id for all": Answer(tool_calls=(LS, (LS[0], {"cmd": "b"}, "call_1"))),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair() -> AsyncIterator[Pair]:
    async with (
        ModelServer(models=("org/served-1", "second"), kind="vllm") as server,
        gateway_to(server.url, keys=("secret",), heartbeat_s=0.2, commit_after_s=0.4) as client,
    ):
        yield server, client


@pytest_asyncio.fixture(loop_scope="module")
async def sdk(pair: Pair) -> AsyncIterator[openai.AsyncOpenAI]:
    pair[0].answer = lambda body: Answer(text="hello")
    pair[0].requests.clear()
    async with openai.AsyncOpenAI(base_url=f"{pair[1].url}/v1", api_key="secret", max_retries=0) as client:
        yield client


def said(text: Any = "hello", **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": text, "tools": TOOLS, "store": False} | fields


@pytest.mark.parametrize("name", ANSWERS)
async def test_streamed_and_plain_are_the_same_response(pair: Pair, sdk: openai.AsyncOpenAI, name: str) -> None:
    """Mode invariance, by the SDK's own accumulator, which wants the events in their order."""
    answer = ANSWERS[name]
    pair[0].answer = lambda body: answer
    plain = await sdk.responses.create(**said())
    async with sdk.responses.stream(**said()) as stream:
        kinds = [event.type async for event in stream]
        streamed = await stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert _bare(streamed) == _bare(plain)
    assert (plain.model, plain.status) == (MODEL, "completed")
    assert plain.id != streamed.id
    assert plain.usage is not None
    assert plain.usage.input_tokens == count_tokens(pair[0].chats[0].json)
    assert plain.output_text == answer.text
    thought = [part.text for item in plain.output if item.type == "reasoning" for part in item.content or ()]
    assert "".join(thought) == answer.thinking
    assert [_called(item) for item in plain.output if item.type.endswith("_call")] == [
        ("multi_agent_v1" if name == SPAWN[0] else None, name.rpartition("__")[2], arguments)
        for name, arguments, _ in answer.tool_calls
    ]
    ids = [item.call_id for item in plain.output if item.type.endswith("_call")]  # type: ignore[union-attr]
    assert len(set(ids)) == len(ids)


def _bare(response: Any) -> dict[str, Any]:
    """Without ids and times, which are another's each time, and what the helper adds."""
    told = response.model_dump(mode="json", exclude={"id", "created_at", "output"})
    output = [
        item.model_dump(
            mode="json",
            exclude={"id": True, "call_id": True, "parsed_arguments": True, "content": {"__all__": {"parsed"}}},
        )
        for item in response.output
    ]
    return told | {"output": output}


def _called(item: Any) -> tuple[str | None, str, Any]:
    if item.type == "custom_tool_call":
        return None, item.name, {"input": item.input}
    return (item.namespace or None), item.name, json.loads(item.arguments)


async def test_a_tool_loop(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    """What the SDK got it sends back unchanged; the prompt is only extended, and thinking is the model's own again."""
    pair[0].answer = lambda body: (
        ANSWERS["parallel tools of every kind"] if len(body["messages"]) == 3 else Answer(text="done")
    )
    asked: list[Any] = [
        {"role": "developer", "content": "rules"},
        {"role": "developer", "content": "skills"},
        {"role": "user", "content": "where"},
        {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
    ]
    options: dict[str, Any] = {"include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto"}}
    first = await sdk.responses.create(**said(asked, **options))
    outputs = [
        {"type": f"{item.type}_output", "call_id": item.call_id, "output": f"result {at}"}
        for at, item in enumerate(first.output)
        if item.type in ("function_call", "custom_tool_call")
    ]
    # As Codex does it: of thinking only what it cannot read is kept.
    history = [item.model_dump(mode="json", exclude_none=True) for item in first.output]
    history = [item | {"summary": []} if item["type"] == "reasoning" else item for item in history]
    second = await sdk.responses.create(**said([*asked, *history, *outputs], **options))
    assert second.output_text == "done"
    before, after = (request.json for request in pair[0].chats)
    assert after["tools"] == before["tools"]
    assert after["messages"][: len(before["messages"])] == before["messages"]
    roles = [one["role"] for one in after["messages"]]
    assert roles == ["system", "user", "user", "assistant", "tool", "tool", "tool"]
    assert after["messages"][0]["content"] == "rules\n\nskills"
    called = after["messages"][3]
    assert called["reasoning"] == "three"
    assert [call["function"]["name"] for call in called["tool_calls"]] == [LS[0], SPAWN[0], PATCH[0]]
    assert [json.loads(call["function"]["arguments"]) for call in called["tool_calls"]] == [LS[1], SPAWN[1], PATCH[1]]
    assert [call["id"] for call in called["tool_calls"]] == [one["tool_call_id"] for one in after["messages"][4:]]
    assert [one["content"] for one in after["messages"][4:]] == ["result 1", "result 2", "result 3"]
    assert pair[1].exchanges[-1].notes.dropped == [NO_SEARCHER]


async def test_the_bytes_of_a_stream(pair: Pair) -> None:
    pair[0].answer = lambda body: ANSWERS["parallel tools of every kind"]
    body = said(stream=True, reasoning={"summary": "auto"})
    reply = await pair[1].call("POST", "/v1/responses", body=body, headers=CODEX | {"session-id": "thread-1"})
    assert reply.headers["content-type"].startswith("text/event-stream")
    folded = check_responses(reply.body, asked_model=MODEL)
    assert [block["type"] for block in folded.content] == ["thinking", "tool_use", "tool_use", "tool_use"]
    assert {block["name"] for block in folded.content[1:]} == {LS[0], "multi_agent_v1.spawn_agent", PATCH[0]}
    assert b"response.reasoning_summary_text.delta" in reply.body
    exchange = pair[1].exchanges[-1]
    assert (exchange.path, exchange.session, exchange.outcome) == ("/v1/responses", "thread-1", Outcome.COMPLETED)


async def test_structured_output(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    pair[0].answer = lambda body: Answer(text='{"a": 1}')
    form: Any = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    answer = await sdk.responses.create(model=MODEL, input="x", text=form, max_output_tokens=50)
    assert json.loads(answer.output_text) == {"a": 1}
    sent = pair[0].chats[-1].json
    assert sent["response_format"]["json_schema"]["schema"] == schema
    assert sent["max_tokens"] == 50


async def test_an_answer_cut_by_length_is_incomplete(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    pair[0].answer = lambda body: Answer(text="half a sent", finish="length")
    plain = await sdk.responses.create(**said())
    assert plain.status == "incomplete"
    assert plain.incomplete_details is not None
    assert plain.incomplete_details.reason == "max_output_tokens"
    events = [event async for event in await sdk.responses.create(**said(stream=True))]
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.output_text == plain.output_text == "half a sent"


async def test_errors_have_the_classes_and_codes_of_the_sdk(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="landline keeps no responses") as refused:
        await sdk.responses.create(**said(previous_response_id="resp_1"))
    assert refused.value.code == "invalid_request"
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=r"prompt is too long: \d+ tokens > 131072") as refused:
            await sdk.responses.create(**said("word " * 200_000, stream=stream))
        assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError):
        await sdk.with_options(api_key="wrong").responses.create(**said())
    with pytest.raises(openai.NotFoundError, match="landline keeps no responses"):
        await sdk.responses.retrieve("resp_1")
    assert not pair[0].chats
    pair[0].answer = lambda body: json_answer(500, {"error": {"message": "boom"}})
    with pytest.raises(openai.InternalServerError, match="boom"):
        await sdk.responses.create(**said("b"))
    pair[0].answer = lambda body: json_answer(400, {"error": {"message": "no such grammar"}})
    with pytest.raises(openai.BadRequestError, match="no such grammar"):
        await sdk.responses.create(**said("b", stream=True))


async def test_codex_is_told_in_its_stream(pair: Pair) -> None:
    """It shows a 400 raw, and repeats a 5xx 30 times."""
    told = said("word " * 200_000, stream=True)
    reply = await pair[1].call("POST", "/v1/responses", body=told, headers=CODEX)
    assert reply.status == 200
    assert [event["type"] for event in response_events(reply.body)][-1] == "response.failed"
    error = check_responses(reply.body, asked_model=MODEL).error
    assert error is not None
    assert error["code"] == "context_length_exceeded"
    assert pair[1].exchanges[-1].outcome is Outcome.REFUSED
    reply = await pair[1].call("POST", "/v1/responses", body=told | {"stream": False}, headers=CODEX)
    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(("known", "code"), [(True, "rate_limit_exceeded"), (False, "invalid_prompt")])
async def test_codex_and_a_backend_that_is_gone(known: bool, code: str) -> None:
    """One that was there before comes back, so it is waited for; one that never was does not."""
    running = contextlib.AsyncExitStack()
    server = await running.enter_async_context(ModelServer(kind="vllm"))
    if not known:
        await running.aclose()
    async with gateway_to(server.url) as client:
        if known:
            await until(lambda: client.gateway.line.backend.seen)
            await running.aclose()
        reply = await client.call("POST", "/v1/responses", body=said(stream=True), headers=CODEX)
        error = response_events(reply.body)[-1]["response"]["error"]
        assert (reply.status, error["code"]) == (200, code)
        assert ("try again in 5s" in error["message"]) is known
        plain = await client.call("POST", "/v1/responses", body=said(stream=True))
        assert plain.status == 503


async def test_a_cut_stream_fails(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    begun = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half"}))
    pair[0].answer = lambda body: [Status(), Send(begun), Close(finish=False)]
    events = [event async for event in await sdk.responses.create(**said(stream=True))]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "server_error"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "half"
    with pytest.raises(RuntimeError, match="Didn't receive"):
        async with sdk.responses.stream(**said("again")) as stream:
            await stream.get_final_response()
    await until(lambda: pair[1].exchanges[-1].outcome is Outcome.FAILED)


async def test_silence_is_filled_with_events(pair: Pair) -> None:
    begun = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "slow"}))
    end = sse(chunk({}, "stop"), DONE)
    pair[0].answer = lambda body: [Status(), Pause(0.7), Send(begun), Pause(0.5), Send(end)]
    reply = await pair[1].call("POST", "/v1/responses", body=said(stream=True), headers=KEY)
    assert check_responses(reply.body, asked_model=MODEL).content == [{"type": "text", "text": "slow"}]
    kinds = [event["type"] for event in response_events(reply.body)]
    assert kinds.count("response.in_progress") >= 3
    assert kinds.index("response.output_text.delta") < len(kinds) - 1 - kinds[::-1].index("response.in_progress")


async def test_a_hang_up_ends_the_work_of_the_backend(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    pair[0].answer = lambda body: [Status(), Send(sse(chunk({"content": "one"}))), Hang()]
    stream = await sdk.responses.create(**said(stream=True))
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    await asyncio.wait_for(pair[0].chats[-1].done.wait(), 5)
    assert pair[0].chats[-1].closed_at is not None
    await until(lambda: pair[1].exchanges[-1].outcome is Outcome.CLIENT_CLOSED)


async def test_a_repeat_joins_the_request_that_still_runs(pair: Pair) -> None:
    """Not streamed behind a broken stream, as for every client with a session."""
    pair[0].answer = lambda body: [Status(), Pause(0.5), Send(sse(chunk({"content": "once"}), chunk({}, "stop"), DONE))]
    headers = KEY | {"session-id": "thread-2"}
    before = len(pair[0].chats)
    first = asyncio.create_task(pair[1].call("POST", "/v1/responses", body=said("once", stream=True), headers=headers))
    await until(lambda: len(pair[0].chats) > before)
    second = await pair[1].call("POST", "/v1/responses", body=said("once", stream=False), headers=headers)
    await asyncio.gather(first, return_exceptions=True)
    assert second.json["output"][0]["content"][0]["text"] == "once"
    assert len(pair[0].chats) == before + 1


async def test_a_base_url_without_its_version(pair: Pair) -> None:
    pair[0].answer = lambda body: Answer(text="hello")
    reply = await pair[1].call("POST", "/responses", body=said(), headers=KEY)
    assert reply.status == 200
    assert "lacks '/v1'" in reply.headers["landline-warning"]
