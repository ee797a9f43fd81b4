"""What one more request brings, where its user wants that: a call that cannot be run, a turn that ended in thinking."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from landline.config.settings import Models
from landline.transforms.second_asking import NUDGE
from tests.fakes.chat_stream import DONE, Answer, call_delta, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Send, json_answer

ADD = {
    "name": "Add",
    "input_schema": {
        "type": "object",
        "properties": {"first": {"type": "integer"}, "second": {"type": "integer"}},
        "required": ["first", "second"],
    },
}
READ = {"name": "Read", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}
BEGIN = sse(chunk({"role": "assistant", "content": ""}))
FIRST, WHOLE = '{"first": 42}', {"first": 42, "second": 7}
Calls = tuple[tuple[str, str], ...]


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer(kind="vllm") as running:
        yield running


@pytest.fixture
async def asking(server: ModelServer) -> AsyncIterator[GatewayClient]:
    async with gateway_to(server.url, models=Models(ask_again=True, nudge=True)) as running:
        yield running


@pytest.fixture
async def plain(server: ModelServer) -> AsyncIterator[GatewayClient]:
    async with gateway_to(server.url) as running:
        yield running


def called(*calls: tuple[str, str], finish: str = "tool_calls", size: int = 4) -> list[Any]:
    """A stream of these calls, their arguments in pieces."""
    deltas: list[dict[str, Any]] = []
    for at, (name, arguments) in enumerate(calls):
        deltas.append(call_delta(at, "", name=name, id=f"c{at}"))
        deltas += [call_delta(at, arguments[begin : begin + size]) for begin in range(0, len(arguments), size)]
    return [Send(BEGIN + sse(*map(chunk, deltas), chunk({}, finish), usage_chunk(9, 5), DONE))]


def scripted(server: ModelServer, first: Any, second: Any) -> None:
    """`first` for what is streamed, `second` for the request behind it."""
    server.answer = lambda body: first if body.get("stream") else second


async def content(client: GatewayClient, *, stream: bool, tools: list[Any]) -> list[Any]:
    reply = await client.messages(request_body(tools=tools, stream=stream))
    assert reply.status == 200
    names = [tool["name"] for tool in tools]
    return check_stream(reply.body, asked_model=ASKED, tools=names).content if stream else reply.json["content"]


@pytest.mark.row("4.13")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("size", [1, 4, 99])
async def test_row_4_13_a_call_without_a_required_argument_is_asked_for_once_more(
    server: ModelServer, asking: GatewayClient, size: int, *, stream: bool
) -> None:
    scripted(server, called(("Add", FIRST), size=size), Answer(tool_calls=(("Add", WHOLE, "c9"),)))
    (call,) = await content(asking, stream=stream, tools=[READ, ADD])
    assert call["input"] == WHOLE
    exchange = await asking.settled()
    assert exchange.backend_requests == len(server.chats) == 2
    asked = server.chats[1].json
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "Add"}}
    assert asked["messages"] == server.chats[0].json["messages"]
    assert (exchange.notes.calls[-1].before, exchange.notes.calls[-1].after) == (FIRST, '{"first": 42,"second":7}')
    assert "asked once more, not streamed: a tool call cannot be run" in exchange.notes.repairs


@pytest.mark.row("4.13")
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((("Read", '{"path": "a"}'), ("Add", FIRST), ("Read", '{"path": "b"}')), WHOLE, WHOLE),
        ((("Add", '{"second": 7}'),), {"first": 1, "second": 8}, {"second": 7}),  # another value than what has left
        ((("Add", FIRST),), {"first": 42}, {"first": 42}),  # the same once more
        ((("Add", "[]"),), WHOLE, WHOLE),
        ((("Add", FIRST),), "no JSON", {"first": 42}),
    ],
)
async def test_row_4_13_what_is_known_no_better_stays_and_nothing_behind_it_is_lost(
    server: ModelServer, asking: GatewayClient, first: Calls, second: Any, expected: Any
) -> None:
    scripted(server, called(*first), Answer(tool_calls=(("Add", second, "c9"),)))
    blocks = await content(asking, stream=True, tools=[READ, ADD])
    assert [block["name"] for block in blocks] == [name for name, _ in first]
    assert [block["input"] for block in blocks if block["name"] == "Add"] == [expected]
    assert len(server.chats) == 2


@pytest.mark.row("4.13")
@pytest.mark.parametrize("failing", [json_answer(500, {"error": {"message": "boom"}}), Answer(text="Sorry.")])
async def test_row_4_13_a_second_asking_that_brings_nothing_costs_nothing_of_the_first(
    server: ModelServer, asking: GatewayClient, failing: Any
) -> None:
    scripted(server, called(("Add", FIRST), ("Read", '{"path": "b"}')), failing)
    blocks = await content(asking, stream=True, tools=[READ, ADD])
    assert [block["input"] for block in blocks] == [{"first": 42}, {"path": "b"}]


@pytest.mark.row("4.13")
async def test_row_4_13_good_calls_and_calls_that_were_cut_are_asked_for_once(
    server: ModelServer, asking: GatewayClient
) -> None:
    scripted(server, called(("Add", json.dumps(WHOLE))), Answer(text="never"))
    assert (await content(asking, stream=True, tools=[ADD]))[0]["input"] == WHOLE
    scripted(server, called(("Add", '{"first": 4'), finish="length"), Answer(text="never"))
    reply = await asking.messages(request_body(tools=[ADD], stream=True))
    assert b'"stop_reason":"max_tokens"' in reply.body
    assert len(server.chats) == 2


@pytest.mark.row("4.13")
async def test_row_4_13_nothing_is_asked_again_unless_it_is_wanted(server: ModelServer, plain: GatewayClient) -> None:
    scripted(server, called(("Add", FIRST)), Answer(tool_calls=(("Add", WHOLE, "c9"),)))
    assert (await content(plain, stream=True, tools=[ADD]))[0]["input"] == {"first": 42}
    assert len(server.chats) == 1


@pytest.mark.row("4.13")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("second", "expected"), [(json.dumps(WHOLE), WHOLE), ("Sorry.", {"first": 42})])
async def test_row_4_13_where_tools_are_told_in_words_the_arguments_are_asked_for_as_such(
    server: ModelServer, second: str, expected: Any, *, stream: bool
) -> None:
    written = '<tool_call>\n{"name": "Add", "arguments": {"first": 42}}\n</tool_call>'
    said = [chunk({"content": written[at : at + 7]}) for at in range(0, len(written), 7)]
    scripted(server, [Send(BEGIN + sse(*said, chunk({}, "stop"), usage_chunk(9, 5), DONE))], Answer(text=second))
    async with gateway_to(server.url, models=Models(ask_again=True, tools="words")) as client:
        (call,) = await content(client, stream=stream, tools=[READ, ADD])
    assert call["input"] == expected
    *before, asked = server.chats[1].json["messages"]
    assert before == server.chats[0].json["messages"][: len(before)]
    assert "Call Add now." in json.dumps(asked)
    assert server.chats[1].json["response_format"]["json_schema"]["schema"] == ADD["input_schema"]
    assert "tools" not in server.chats[1].json


def planned(body: Any) -> list[Any]:
    return [Send(BEGIN + sse(chunk({"reasoning": "I will call Add."}), chunk({}, "stop"), usage_chunk(9, 5), DONE))]


@pytest.mark.row("4.31")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("second", "kinds"),
    [
        (Answer(tool_calls=(("Add", WHOLE, "c9"),)), ["thinking", "tool_use"]),
        (Answer(text="Done."), ["thinking", "text"]),
        (Answer(thinking="Hm.", text="Done."), ["thinking", "thinking", "text"]),
        (json_answer(500, {"error": {"message": "boom"}}), ["thinking"]),
    ],
)
async def test_row_4_31_a_turn_that_ends_in_thinking_is_asked_to_go_on(
    server: ModelServer, asking: GatewayClient, second: Any, kinds: list[str], *, stream: bool
) -> None:
    scripted(server, planned({}), second)
    blocks = await content(asking, stream=stream, tools=[ADD])
    assert [block["type"] for block in blocks] == kinds
    assert (await asking.settled()).backend_requests == len(server.chats) == 2
    *before, plan, nudge = server.chats[1].json["messages"]
    assert before == server.chats[0].json["messages"]
    assert plan["role"] == "assistant"
    assert "I will call Add." in json.dumps(plan)
    assert (nudge["role"], nudge["content"]) == ("user", NUDGE)


@pytest.mark.row("4.31")
@pytest.mark.parametrize(
    "first",
    [
        lambda: [Send(BEGIN + sse(chunk({"reasoning": "Hm."}), chunk({}, "length"), usage_chunk(9, 5), DONE))],
        lambda: [Send(BEGIN + sse(chunk({"reasoning": "Hm."}), chunk({"content": "Yes."}), chunk({}, "stop"), DONE))],
        lambda: called(("Add", json.dumps(WHOLE))),
    ],
)
async def test_row_4_31_only_then(server: ModelServer, asking: GatewayClient, first: Callable[[], Any]) -> None:
    scripted(server, first(), Answer(text="never"))
    await content(asking, stream=True, tools=[ADD])
    assert len(server.chats) == 1


@pytest.mark.row("4.31")
@pytest.mark.parametrize("tools", [[ADD], []])
async def test_row_4_31_no_nudge_unless_it_is_wanted(
    server: ModelServer, plain: GatewayClient, tools: list[Any]
) -> None:
    scripted(server, planned({}), Answer(text="never"))
    await content(plain, stream=True, tools=tools)
    assert len(server.chats) == 1
