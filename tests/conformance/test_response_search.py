"""The real Python SDK of OpenAI reads responses in which the gateway searched the web."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from landline.config.settings import Search, Store
from landline.core.exchange import Outcome
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.gateway_client import GatewayClient, gateway_to, until
from tests.fakes.model_server import ModelServer
from tests.fakes.openai_streams import check_responses, response_events
from tests.fakes.upstream import Close, Send, Status, json_answer

URL = "https://docs.example.org/a"
PAGES = [
    {"url": URL, "title": "A", "text": "What is on it."},
    {"url": "https://elsewhere.example.net/b", "title": "B", "text": "Something else."},
]
SEARCH: Any = {"type": "web_search", "filters": {"allowed_domains": ["example.org"]}}
RUN: Any = {
    "type": "function",
    "name": "run",
    "description": "Runs",
    "strict": False,
    "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}},
}
LOOK = ("web_search", {"query": "a"}, "c1")
CALL = ("run", {"cmd": "ls"}, "c2")
Pair = tuple[ModelServer, GatewayClient]


def searches(tmp_path: Path) -> Search:
    file = tmp_path / "pages.json"
    file.write_text(json.dumps(PAGES))
    return Search(command=("sh", "-c", 'cat "$0"', str(file), "{query}"))


def model(body: Any) -> Answer:
    results = sum(message["role"] == "tool" for message in body["messages"])
    rounds = [
        Answer(thinking="I look.", text="Looking.", tool_calls=(LOOK,)),
        Answer(tool_calls=(("web_search", {"query": "b"}, "c1"), ("web_search", {"query": "c"}, "c3"))),
        Answer(),
        Answer(text=f"It is on {URL}.", tool_calls=()),
    ]
    return rounds[min(results, 3)]


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    store = Store(responses=True, file=str(tmp_path / "responses.sqlite3"))
    async with ModelServer(model) as server, gateway_to(server.url, search=searches(tmp_path), store=store) as client:
        yield server, client


@pytest_asyncio.fixture
async def sdk(pair: Pair) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{pair[1].url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def asked(sdk: openai.AsyncOpenAI, text: Any, *, streamed: bool, **fields: Any) -> Any:
    told: dict[str, Any] = {"model": "m", "input": text, "tools": [RUN, SEARCH]} | fields
    if not streamed:
        return await sdk.responses.create(**told)
    async with sdk.responses.stream(**told) as stream:
        return await stream.get_final_response()


def messages(server: ModelServer, at: int) -> list[Any]:
    return server.chats[at].json["messages"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_searches_in_rounds(pair: Pair, sdk: openai.AsyncOpenAI, *, streamed: bool) -> None:
    include: Any = ["web_search_call.action.sources"]
    response = await asked(sdk, "a?", streamed=streamed, include=include)
    kinds = [item.type for item in response.output]
    assert kinds == ["reasoning", "message", *["web_search_call"] * 3, "message"]
    looked = [item for item in response.output if item.type == "web_search_call"]
    assert [(item.action.query, item.status) for item in looked] == [(one, "completed") for one in "abc"]
    assert [source.url for source in looked[0].action.sources] == [URL]  # the other domain is not allowed
    [cited] = response.output[-1].content[0].annotations
    assert (cited.type, cited.url, cited.title, cited.start_index) == ("url_citation", URL, "A", 9)
    assert response.status == "completed"
    server, client = pair
    assert len(server.chats) == 3
    assert [tool["function"]["name"] for tool in server.chats[0].json["tools"]] == ["run", "web_search"]
    for at in (1, 2):
        assert messages(server, at)[: len(messages(server, at - 1))] == messages(server, at - 1)
    assert [one["role"] for one in messages(server, 2)] == ["user", *["assistant", "tool"] * 3]
    assert "What is on it." in messages(server, 2)[2]["content"]
    assert "Something else." not in json.dumps(messages(server, 2))
    record = client.exchanges[-1]
    assert (record.outcome, record.notes.dropped, record.backend_requests) == (Outcome.COMPLETED, [], 3)
    assert record.usage is not None
    assert response.usage.input_tokens < record.usage.prompt  # the window is filled once, the work was done three times


@pytest.mark.parametrize("how", [{}, {"include": ["reasoning.encrypted_content"]}, {"store": True}])
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_next_turn_begins_with_the_same_bytes(
    pair: Pair, sdk: openai.AsyncOpenAI, how: dict[str, Any], *, streamed: bool
) -> None:
    """By the items, by what a client cannot read of them, and by what is kept here."""
    question: Any = {"role": "user", "content": "a?"}
    first = await asked(sdk, [question], streamed=streamed, **how)
    before = messages(pair[0], -1)
    more: Any = {"role": "user", "content": "and?"}
    if "store" in how:
        await asked(sdk, [more], streamed=streamed, previous_response_id=first.id)
    else:
        items = [item.model_dump(mode="json", exclude_none=True) for item in first.output]
        if "include" in how:  # as Codex keeps them: no ids, and of a search its action alone
            items = [{name: value for name, value in item.items() if name != "id"} for item in items]
            for item in items:
                assert item["type"] != "web_search_call" or "encrypted_content" not in item
        await asked(sdk, [question, *items, more], streamed=streamed)
    after = messages(pair[0], -1)
    assert after[: len(before)] == before
    assert [one["role"] for one in after[len(before) :]] == ["assistant", "user"]


async def test_what_a_client_has_lost_is_said(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    lost: Any = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "a"}}
    foreign: Any = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "open_page"}}
    pair[0].answer = lambda body: Answer(text="hi")
    await asked(
        sdk, [{"role": "user", "content": "a?"}, lost, foreign, {"role": "user", "content": "b?"}], streamed=False
    )
    told = messages(pair[0], -1)
    assert [one["role"] for one in told] == ["user", "assistant", "tool", "assistant", "tool", "user"]
    assert "not here any more" in told[2]["content"]


async def test_a_call_of_the_client_beside_a_search(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    """The search is run, and the client's turn comes."""
    pair[0].answer = lambda body: Answer(tool_calls=(LOOK, CALL))
    response = await asked(sdk, "a?", streamed=True)
    assert [item.type for item in response.output] == ["function_call", "web_search_call"]
    assert len(pair[0].chats) == 1


async def test_a_model_that_only_searches_comes_to_an_end(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    pair[0].answer = lambda body: Answer(tool_calls=(("web_search", {"query": str(len(body["messages"]))}, "c1"),))
    response = await asked(sdk, "a?", streamed=True)
    assert len(response.output) == 21
    assert [item.status for item in response.output[-2:]] == ["completed", "failed"]
    assert response.status == "completed"
    assert pair[0].chats[-1].json["tool_choice"] == "none"


async def test_a_search_that_fails_is_told_to_the_model(sdk: openai.AsyncOpenAI, pair: Pair) -> None:
    async with gateway_to(pair[0].url, search=Search(command=("false",))) as client:
        own = sdk.with_options(base_url=f"{client.url}/v1")
        response = await asked(own, "a?", streamed=True)
        assert [item.status for item in response.output if item.type == "web_search_call"] == ["failed"] * 3
        assert "The search failed" in messages(pair[0], 1)[2]["content"]
        assert client.exchanges[-1].notes.alerts


async def test_a_forced_search_is_forced_once(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    choice: Any = {"type": "web_search"}
    await asked(sdk, "a?", streamed=False, tool_choice=choice)
    first, second, _ = (request.json["tool_choice"] for request in pair[0].chats)
    assert first == {"type": "function", "function": {"name": "web_search"}}
    assert second == "auto"


async def test_a_tool_of_the_clients_own_by_that_name(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    pair[0].answer = lambda body: Answer(tool_calls=(LOOK,))
    response = await asked(sdk, "a?", streamed=False, tools=[RUN | {"name": "web_search"}, SEARCH])
    assert [(item.type, item.name) for item in response.output] == [("function_call", "web_search")]
    assert len(pair[0].chats) == 1


async def test_the_bytes_of_a_stream_and_a_break_in_it(pair: Pair) -> None:
    body = {"model": "m", "input": "a?", "tools": [SEARCH], "stream": True}
    reply = await pair[1].call("POST", "/v1/responses", body=body)
    folded = check_responses(reply.body, asked_model="m")
    assert [block["type"] for block in folded.content] == ["thinking", "text", "search", "search", "search", "text"]
    pair[0].requests.clear()
    begun = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half"}))
    broken = [Status(), Send(begun), Close(finish=False)]
    pair[0].answer = lambda asked: broken if asked["messages"][-1]["role"] == "tool" else model(asked)
    reply = await pair[1].call("POST", "/v1/responses", body=body)
    failed = response_events(reply.body)[-1]
    assert failed["type"] == "response.failed"
    assert [item["type"] for item in failed["response"]["output"]] == ["reasoning", "message", "web_search_call"]
    await until(lambda: pair[1].exchanges[-1].outcome is Outcome.FAILED)
    pair[0].answer = lambda asked: json_answer(400, {"error": {"message": "no such grammar"}})
    reply = await pair[1].call("POST", "/v1/responses", body=body)
    assert (reply.status, "no such grammar" in reply.json["error"]["message"]) == (400, True)
