"""The real Python SDK of OpenAI, with chat completions, against the served gateway: what it reads, what it raises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai.lib.streaming.chat import ChatCompletionStreamState

from landline.core.exchange import Outcome
from tests.fakes.chat_stream import DONE, Answer, chunk, sse
from tests.fakes.gateway_client import GatewayClient, gateway_to, until
from tests.fakes.model_server import ModelServer, count_tokens
from tests.fakes.openai_streams import check_chat
from tests.fakes.upstream import Close, Hang, Pause, Send, Status, json_answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "gpt-of-mine"
Pair = tuple[ModelServer, GatewayClient]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "Bash", "parameters": {"type": "object", "properties": {"command": {}}}}},
    {"type": "function", "function": {"name": "Now"}},
]
ANSWERS = {
    "text": Answer(text="Grüße, 北京 \U0001f600"),
    "thinking": Answer(thinking="let me see", text="done"),
    "tool": Answer(text="I run it.", tool_calls=(("Bash", {"command": "ls 'a b'"}, "call_1"),)),
    "tool without arguments": Answer(tool_calls=(("Now", "", "call_1"),)),
    "parallel tools": Answer(
        thinking="two", tool_calls=(("Bash", {"command": "a"}, "same"), ("Bash", {"command": "b"}, "same"))
    ),
    "cut by length": Answer(text="half a sent", finish="length"),
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
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "tools": TOOLS} | fields


@pytest.mark.parametrize("name", ANSWERS)
async def test_streamed_and_plain_are_the_same_message(pair: Pair, sdk: openai.AsyncOpenAI, name: str) -> None:
    """Mode invariance, by the SDK's own accumulator."""
    answer = ANSWERS[name]
    pair[0].answer = lambda body: answer
    plain = await sdk.chat.completions.create(**said())
    streamed = await accumulated(sdk)
    [one], [other] = plain.choices, streamed.choices
    assert _bare(one) == _bare(other)
    assert plain.model == streamed.model == MODEL
    assert plain.id != streamed.id
    assert plain.usage is not None
    assert plain.usage.model_dump() == streamed.usage.model_dump()
    assert plain.usage.prompt_tokens == count_tokens(pair[0].chats[0].json)
    assert (one.message.content or "") == answer.text
    assert (one.message.model_extra or {}).get("reasoning_content", "") == answer.thinking
    calls = one.message.tool_calls or []
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        (name, arguments or {}) for name, arguments, _ in answer.tool_calls
    ]
    assert len({call.id for call in calls}) == len(calls)
    assert one.finish_reason == answer.finish_reason


async def accumulated(sdk: openai.AsyncOpenAI) -> Any:
    """What the SDK's helper makes of a stream."""
    # The manager takes strict tools only, so its accumulator is given the stream of the plain call.
    state = ChatCompletionStreamState()
    async for one in await sdk.chat.completions.create(**said(stream=True, stream_options={"include_usage": True})):
        state.handle_chunk(one)
    try:
        return state.get_final_completion()
    except openai.LengthFinishReasonError as error:
        return error.completion


def _bare(choice: Any) -> dict[str, Any]:
    """Without ids, which are another's each time, and what the helper adds."""
    message = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
    calls = [
        (call["function"]["name"], call["function"]["arguments"]) for call in message.pop("tool_calls", None) or []
    ]
    content = message.pop("content", None) or ""
    return {"finish": choice.finish_reason, "calls": calls, "content": content} | message


async def test_a_tool_loop(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    """What the SDK got it sends back unchanged; the backend sees its own ids, the results, and the thinking."""
    pair[0].answer = lambda body: (
        ANSWERS["parallel tools"] if len(body["messages"]) == 2 else Answer(thinking="so", text="done")
    )
    messages: list[Any] = [{"role": "developer", "content": "rules"}, {"role": "user", "content": "hello"}]
    first = await sdk.chat.completions.create(**said() | {"messages": messages})
    message = first.choices[0].message
    assert message.tool_calls is not None
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result {at}"}
        for at, call in enumerate(message.tool_calls)
    ]
    messages = [*messages, message, *results]
    second = await sdk.chat.completions.create(**said() | {"messages": messages})
    assert second.choices[0].message.content == "done"
    before, after = (request.json["messages"] for request in pair[0].chats)
    assert after[: len(before)] == before
    assert [one["role"] for one in after] == ["system", "user", "assistant", "tool", "tool"]
    assert after[2]["reasoning"] == "two"
    assert [one["tool_call_id"] for one in after[3:]] == [call["id"] for call in after[2]["tool_calls"]]
    assert [one["content"] for one in after[3:]] == ["result 0", "result 1"]


async def test_calls_left_in_the_text_are_read_there(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    """The same repairs as for every client."""
    written = '<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}\n</tool_call>'
    pair[0].answer = lambda body: Answer(text=written)
    answer = (await accumulated(sdk)).choices[0]
    assert answer.finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments) for call in answer.message.tool_calls] == [{"command": "ls"}]
    assert not answer.message.content


async def test_the_bytes_of_a_stream(pair: Pair) -> None:
    pair[0].answer = lambda body: ANSWERS["parallel tools"]
    reply = await pair[1].call("POST", "/v1/chat/completions", body=said(stream=True), headers=KEY)
    assert reply.headers["content-type"].startswith("text/event-stream")
    folded = check_chat(reply.body, asked_model=MODEL, usage_asked=False)
    assert [block["type"] for block in folded.content] == ["thinking", "tool_use", "tool_use"]
    exchange = pair[1].exchanges[-1]
    assert (exchange.path, exchange.outcome) == ("/v1/chat/completions", Outcome.COMPLETED)
    assert (exchange.model_asked, exchange.model_served) == (MODEL, "org/served-1")
    assert reply.headers["x-request-id"] == exchange.id


KEY = {"authorization": "Bearer secret"}


async def test_models_are_listed(sdk: openai.AsyncOpenAI) -> None:
    listed = [model async for model in sdk.models.list()]
    assert [model.id for model in listed] == ["org/served-1", "second"]
    assert [(model.model_extra or {})["max_model_len"] for model in listed] == [131_072] * 2
    assert (await sdk.models.retrieve("any-name")).id == "any-name"


async def test_errors_have_the_classes_and_codes_of_the_sdk(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="at least one message is required") as refused:
        await sdk.chat.completions.create(**said() | {"messages": []})
    assert (refused.value.type, refused.value.code) == ("invalid_request_error", "invalid_request")
    with pytest.raises(openai.BadRequestError, match=r"prompt is too long: \d+ tokens > 131072 maximum") as refused:
        await sdk.chat.completions.create(**said("word " * 200_000, stream=True))
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError) as refused:
        await sdk.with_options(api_key="wrong", max_retries=2).chat.completions.create(**said())
    assert refused.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError, match="landline serves no GET /v1/chat/completions/x") as refused:
        await sdk.chat.completions.retrieve("x")
    assert refused.value.code == "not_found"
    assert not pair[0].chats


async def test_a_failing_backend(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    pair[0].answer = lambda body: json_answer(429, {"error": {"message": "slow down"}})
    with pytest.raises(openai.RateLimitError):
        await sdk.chat.completions.create(**said("a"))
    pair[0].answer = lambda body: json_answer(500, {"error": {"message": "boom"}})
    with pytest.raises(openai.InternalServerError, match="boom") as failed:
        await sdk.chat.completions.create(**said("b"))
    assert failed.value.type == "server_error"


async def test_a_cut_stream_is_an_error(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    begun = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half"}))
    pair[0].answer = lambda body: [Status(), Send(begun), Close(finish=False)]
    seen: list[str] = []
    with pytest.raises(openai.APIError, match="backend"):
        async for one in await sdk.chat.completions.create(**said(stream=True)):
            seen += [choice.delta.content or "" for choice in one.choices]
    assert "".join(seen) == "half"
    await until(lambda: pair[1].exchanges[-1].outcome is Outcome.FAILED)


async def test_silence_is_filled_with_chunks(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    begun = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "slow"}))
    pair[0].answer = lambda body: [
        Status(),
        Pause(0.7),
        Send(begun),
        Pause(0.5),
        Send(sse(chunk({}, "stop"), DONE)),
    ]
    reply = await pair[1].call("POST", "/v1/chat/completions", body=said(stream=True), headers=KEY)
    assert check_chat(reply.body, asked_model=MODEL, usage_asked=False).content == [{"type": "text", "text": "slow"}]
    assert reply.body.count(b'"delta":{},"finish_reason":null') >= 2


async def test_a_hang_up_ends_the_work_of_the_backend(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    pair[0].answer = lambda body: [Status(), Send(sse(chunk({"content": "one"}))), Hang()]
    stream = await sdk.chat.completions.create(**said(stream=True))
    async for one in stream:
        if one.choices[0].delta.content:
            break
    await stream.close()
    await asyncio.wait_for(pair[0].chats[-1].done.wait(), 5)
    assert pair[0].chats[-1].closed_at is not None
    await until(lambda: pair[1].exchanges[-1].outcome is Outcome.CLIENT_CLOSED)


async def test_what_needs_nothing_of_ours_is_forwarded(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    """The backend's bytes both ways, but for the name of the model."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "logprobs": True,
        "guided_json": {"y": [1, 2.50]},
    }
    pair[0].answer = lambda body: json_answer(200, b'{"whatever": 1.50}')
    reply = await pair[1].call("POST", "/v1/chat/completions", body=body, headers=KEY)
    assert reply.body == b'{"whatever": 1.50}'
    assert pair[0].chats[-1].json == body | {"model": "org/served-1"}
    named = json.dumps(body | {"model": "second"}).encode()
    await pair[1].call("POST", "/v1/chat/completions", body=named, headers=KEY)
    assert pair[0].chats[-1].body == named
    assert "authorization" not in pair[0].chats[-1].headers
    exchange = pair[1].exchanges[-1]
    assert (exchange.outcome, exchange.model_served, exchange.notes.dropped) == (Outcome.COMPLETED, "second", [])
    # A picture by its address would be fetched by the backend: that is never forwarded.
    content = [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/x"}}]
    with pytest.raises(openai.BadRequestError, match="Images by URL are not fetched"):
        await sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}], logprobs=True)  # type: ignore[arg-type]


async def test_what_is_only_forwarded(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    """Completions and embeddings: neither is read."""
    vectors = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m"}
    pair[0].override = lambda request: (
        json_answer(200, vectors | {"usage": {"prompt_tokens": 1, "total_tokens": 1}})
        if request.path == "/v1/embeddings"
        else json_answer(404, {"error": {"message": "no completions here", "code": 404}})
        if request.path == "/v1/completions"
        else None
    )
    try:
        found = await sdk.embeddings.create(model="second", input="x", encoding_format="float")
        assert found.data[0].embedding == [0.5]
        assert pair[0].requests[-1].json["model"] == "second"
        with pytest.raises(openai.NotFoundError, match="no completions here"):
            await sdk.completions.create(model=MODEL, prompt="x")
        assert pair[0].requests[-1].json == {"model": "org/served-1", "prompt": "x"}
        with pytest.raises(openai.BadRequestError, match="messages: is not forwarded"):
            await sdk.post("/embeddings", cast_to=object, body={"model": "m", "messages": []})
    finally:
        pair[0].override = None
