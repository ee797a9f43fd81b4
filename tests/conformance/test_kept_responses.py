"""The real Python SDK of OpenAI goes on from responses that the gateway keeps, fetches them and deletes them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from landline.config.settings import Store
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import GatewayClient, gateway_to
from tests.fakes.model_server import ModelServer

KEYS = ("secret", "another")
TOOL: Any = {
    "type": "function",
    "name": "run",
    "description": "Runs",
    "strict": False,
    "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}},
}
CALL = Answer(thinking="let me see", text="I run it.", tool_calls=(("run", {"cmd": "ls 'ä'"}, "call_1"),))
Pair = tuple[ModelServer, GatewayClient]


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    store = Store(responses=True, file=str(tmp_path / "responses.sqlite3"))
    async with ModelServer() as server, gateway_to(server.url, keys=KEYS, store=store) as client:
        server.answer = lambda body: CALL if body["messages"][-1]["role"] == "user" else Answer(text="done")
        yield server, client


@pytest_asyncio.fixture
async def sdk(pair: Pair) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{pair[1].url}/v1", api_key="secret", max_retries=0) as client:
        yield client


async def asked(sdk: openai.AsyncOpenAI, text: Any, *, streamed: bool = False, **fields: Any) -> Any:
    told: dict[str, Any] = {"model": "m", "input": text, "tools": [TOOL], "instructions": "rules"} | fields
    if not streamed:
        return await sdk.responses.create(**told)
    async with sdk.responses.stream(**told) as stream:
        return await stream.get_final_response()


def outputs(response: Any) -> list[Any]:
    calls = [item.call_id for item in response.output if item.type == "function_call"]
    return [{"type": "function_call_output", "call_id": call, "output": "a file"} for call in calls]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("how", [{}, {"reasoning": {"summary": "auto"}}, {"include": ["reasoning.encrypted_content"]}])
async def test_a_chain_sends_the_prompt_of_one_who_sends_everything(
    pair: Pair, sdk: openai.AsyncOpenAI, how: dict[str, Any], *, streamed: bool
) -> None:
    """Three turns by `previous_response_id`, and the same by hand: byte for byte the same requests to the backend."""
    kept = {"store": True, "streamed": streamed} | how
    first = await asked(sdk, "wherever", **kept)
    second = await asked(sdk, outputs(first), previous_response_id=first.id, **kept)
    third = await asked(sdk, "and now?", previous_response_id=second.id, **kept)
    assert (first.store, second.store, third.previous_response_id) == (True, True, second.id)
    assert second.output_text == "done"
    assert third.output_text == CALL.text
    by_chain = [request.body for request in pair[0].chats]
    pair[0].requests.clear()
    history: list[Any] = [{"role": "user", "content": "wherever"}]
    for response, more in ((first, outputs(first)), (second, [{"role": "user", "content": "and now?"}])):
        await asked(sdk, history, streamed=streamed, **how)
        history += [item.model_dump(mode="json", exclude_none=True) for item in response.output]
        history += more
    await asked(sdk, history, streamed=streamed, **how)
    # What the SDK hands back must still have the ids that it was told: they are in what was kept.
    assert [request.body for request in pair[0].chats] == by_chain
    told = [json.loads(body)["messages"] for body in by_chain]
    assert told[1][: len(told[0])] == told[0]
    assert told[2][: len(told[1])] == told[1]
    sessions = {exchange.session for exchange in pair[1].exchanges if exchange.path == "/v1/responses"}
    assert pair[1].exchanges[0].id in sessions, "the turns of a chain are one session"


async def test_what_is_kept_can_be_fetched_listed_and_deleted(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    first = await asked(sdk, "hello", store=True)
    second = await asked(sdk, outputs(first), store=True, previous_response_id=first.id)
    again = await sdk.responses.retrieve(second.id)
    assert again.model_dump() == second.model_dump()
    items = [item async for item in sdk.responses.input_items.list(second.id, order="asc", limit=2)]
    assert [item.type for item in items] == ["message", "reasoning", "message", "function_call", "function_call_output"]
    assert items[0].content[0].text == "hello"  # type: ignore[union-attr]
    assert len({item.id for item in items}) == len(items)  # type: ignore[union-attr]
    youngest = await sdk.responses.input_items.list(second.id)
    assert [item.id for item in youngest.data] == [item.id for item in reversed(items)]  # type: ignore[union-attr]
    await sdk.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match="is kept"):
        await sdk.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.delete(first.id)
    third = await asked(sdk, "go on", store=False, previous_response_id=second.id)  # stands without the first
    assert third.store is False
    with pytest.raises(openai.BadRequestError, match=r"no response 'resp_[0-9a-f]{24}' is kept"):
        await asked(sdk, "go on", previous_response_id=third.id)


async def test_another_key_finds_nothing(sdk: openai.AsyncOpenAI) -> None:
    mine = await asked(sdk, "hello", store=True)
    other = sdk.with_options(api_key="another")
    with pytest.raises(openai.BadRequestError, match="is kept"):
        await asked(other, "go on", previous_response_id=mine.id)
    for call in (other.responses.retrieve, other.responses.delete, other.responses.input_items.list):
        with pytest.raises(openai.NotFoundError):
            await call(mine.id)
    assert (await sdk.responses.retrieve(mine.id)).id == mine.id


async def test_only_what_is_asked_for_is_kept(pair: Pair, sdk: openai.AsyncOpenAI) -> None:
    for fields in ({}, {"store": False}):
        response = await asked(sdk, "hello", **fields)
        assert response.store is False
        with pytest.raises(openai.NotFoundError):
            await sdk.responses.retrieve(response.id)


@pytest.mark.parametrize("streamed", [False, True])
async def test_without_the_setting_nothing_is_kept_and_the_response_says_so(*, streamed: bool) -> None:
    async with ModelServer() as server, gateway_to(server.url) as client:
        server.answer = lambda body: Answer(text="hello")
        sdk = openai.AsyncOpenAI(base_url=f"{client.url}/v1", api_key="any", max_retries=0)
        response = await asked(sdk, "hello", store=True, streamed=streamed)
        assert (response.store, response.output_text) == (False, "hello")
        assert "store.responses = true" in " ".join(client.exchanges[-1].notes.dropped)
        with pytest.raises(openai.BadRequestError, match=r"store\.responses = true"):
            await asked(sdk, "go on", previous_response_id=response.id)
        for call in (sdk.responses.retrieve, sdk.responses.delete, sdk.responses.input_items.list):
            with pytest.raises(openai.NotFoundError, match=r"store\.responses = true"):
                await call(response.id)
        await sdk.close()
