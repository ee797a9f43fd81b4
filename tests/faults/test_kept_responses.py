"""Kept responses whose file is locked, damaged or gone: no answer is lost, and what is not kept is said."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from landline.config.settings import Store
from landline.core.exchange import Outcome
from landline.server.response_file import VERSION
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import GatewayClient, Reply, gateway_to, until
from tests.fakes.model_server import ModelServer
from tests.fakes.openai_streams import check_responses, response_events
from tests.fakes.upstream import Close, Send

ASKED: dict[str, Any] = {"model": "m", "input": "hello", "store": True}
KEY = {"authorization": "Bearer any"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "responses.sqlite3"


@pytest_asyncio.fixture
async def client(path: Path) -> AsyncIterator[GatewayClient]:
    store = Store(responses=True, file=str(path), limit_mib=1)
    async with (
        ModelServer(lambda body: Answer(text="hi")) as server,
        gateway_to(server.url, store=store, heartbeat_s=0.2) as client,
    ):
        yield client


async def ask(client: GatewayClient, **fields: Any) -> Reply:
    return await client.call("POST", "/v1/responses", body=ASKED | fields, headers=KEY)


async def get(client: GatewayClient, ident: str, method: str = "GET") -> Reply:
    return await client.call(method, f"/v1/responses/{ident}", headers=KEY)


def told(reply: Reply, *, streamed: bool) -> dict[str, Any]:
    """The response, as it ended."""
    if not streamed:
        return reply.json
    check_responses(reply.body, asked_model="m")
    events = response_events(reply.body)
    assert events[0]["response"]["store"] is True
    return events[-1]["response"]


def damage(path: Path) -> None:
    path.write_bytes(b"half a database, and no more of it" * 50)


def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("break_it", "why"), [(damage, "is damaged"), (newer, "written by a newer landline")])
async def test_a_file_that_cannot_be_used(
    client: GatewayClient, path: Path, break_it: Any, why: str, *, streamed: bool
) -> None:
    said: list[str] = []
    client.gateway.line.kept._tell = said.append  # the journal's, which writes nothing here
    first = (await ask(client)).json
    break_it(path)
    for _ in range(2):
        response = told(await ask(client, stream=streamed), streamed=streamed)
        assert response["output"][0]["content"][0]["text"] == "hi"
        assert (response["status"], response["store"]) == ("completed", False)
        await until(lambda: client.exchanges[-1].outcome is Outcome.COMPLETED)
        assert any(why in alert for alert in client.exchanges[-1].notes.alerts)
    assert len(said) == 1, "told once"
    assert "landline store clear" in said[0]
    for reply in (await ask(client, previous_response_id=first["id"]), await get(client, first["id"])):
        assert reply.status == 503
        assert why in reply.json["error"]["message"]
        assert "landline store clear" in reply.json["error"]["message"]
        assert reply.headers["x-should-retry"] == "false"


async def test_a_locked_file_costs_an_answer_a_moment_and_other_requests_nothing(
    client: GatewayClient, path: Path
) -> None:
    first = (await ask(client)).json
    file = client.gateway.line.kept._file
    put, tried = file.put, []
    file.put = lambda kept: (tried.append(kept.id), put(kept))[1]  # type: ignore[method-assign]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert told(await ask(client, stream=True), streamed=True)["store"] is False
        assert len(tried) == 1
        assert (await ask(client)).json["store"] is False
        assert len(tried) == 1, "it is left alone for a while"
        assert (await client.messages()).status == 200
        refused = await ask(client, previous_response_id=first["id"])
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert (await ask(client, previous_response_id=first["id"], store=False)).status == 200


async def test_what_is_too_large_is_answered_and_not_kept(client: GatewayClient, path: Path) -> None:
    client.gateway.line.kept._file._limit = 2_000  # no prompt that fits a window is larger than the smallest setting
    large = (await ask(client, input=os.urandom(4_000).hex())).json
    assert (large["status"], large["store"]) == ("completed", False)
    assert "store.limit_mib" in client.exchanges[-1].notes.alerts[-1]
    assert (await ask(client)).json["store"] is True  # the next one is


@pytest.mark.parametrize(
    "ident", ["resp_1", "x" * 5_000, "resp_' OR '1'='1", "resp_" + "0" * 24, "%00", "resp_%F0%9F", "r%2Fs"]
)
async def test_ids_that_nobody_gave(client: GatewayClient, ident: str) -> None:
    await ask(client)
    for method in ("GET", "DELETE"):
        reply = await get(client, ident, method)
        assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")
        assert len(reply.body) < 1_000
    reply = await ask(client, previous_response_id=ident)
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_request")
    assert len(reply.body) < 1_000


@pytest.mark.parametrize("query", ["limit=0", "limit=1000", "limit=x", "limit=%00", "after=nobody"])
async def test_pages_that_there_are_not(client: GatewayClient, query: str) -> None:
    first = (await ask(client)).json
    reply = await get(client, f"{first['id']}/input_items?{query}")
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_request")
    reply = await get(client, f"{first['id']}?stream=true")
    assert reply.status == 400


async def test_an_answer_that_failed_is_not_kept(client: GatewayClient, path: Path) -> None:
    server_said: list[Any] = [Send(b""), Close(finish=False)]
    async with (
        ModelServer(lambda body: server_said) as server,
        gateway_to(server.url, store=Store(responses=True, file=str(path))) as broken,
    ):
        reply = await ask(broken, stream=True)
        ident = response_events(reply.body)[-1]["response"]["id"] if reply.status == 200 else "resp_" + "0" * 24
        assert (await get(broken, ident)).status == 404
    assert not path.exists()


async def test_two_gateways_on_one_file(client: GatewayClient, path: Path) -> None:
    """Two processes of one gateway: a response is there for the other one before its client has its end."""
    async with (
        ModelServer(lambda body: Answer(text="ho")) as server,
        gateway_to(server.url, store=Store(responses=True, file=str(path))) as other,
    ):
        previous = None
        for turn in range(6):
            asked = (client, other)[turn % 2]
            reply = await ask(asked, previous_response_id=previous, stream=True)
            assert reply.status == 200
            previous = response_events(reply.body)[-1]["response"]["id"]
        assert [message["content"] for message in server.chats[-1].json["messages"]] == [
            *["hello", "hi", "hello", "ho", "hello", "hi", "hello", "ho", "hello", "hi", "hello"]
        ]
        path.unlink()
        assert (await ask(client, previous_response_id=previous)).status == 400
        assert (await ask(client)).json["store"] is True
