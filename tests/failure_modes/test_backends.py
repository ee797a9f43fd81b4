"""Several replicas of one model: each session has its own, whoever asks and whenever the gateway was started."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from landline.policy.affinity import ranked
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import check_stream

SESSION = "x-claude-code-session-id"
BEGINNING = "0b1e5a1c-1111-4222-8333-44445555"


@contextlib.asynccontextmanager
async def replicas(number: int = 2) -> AsyncIterator[list[ModelServer]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(ModelServer(kind="plain")) for _ in range(number)]


@contextlib.asynccontextmanager
async def gateway_before(*servers: ModelServer) -> AsyncIterator[GatewayClient]:
    first, *rest = [server.url for server in servers]
    async with gateway_to(first, backend={"replicas": tuple(f"{url}/v1" for url in rest)}) as client:
        yield client


def session_of(server: ModelServer, servers: list[ModelServer]) -> str:
    """An id that belongs to that server; all of them begin alike."""
    urls = [one.url for one in servers]
    names = (f"{BEGINNING}{n:04}" for n in range(100))
    return next((name for name in names if ranked(name, urls)[0] == server.url), BEGINNING)


def asked(servers: list[ModelServer]) -> list[int]:
    return [len(server.chats) for server in servers]


@pytest.mark.row("6.11")
async def test_row_6_11_a_session_stays_with_one_replica_and_so_do_its_subagents() -> None:
    async with replicas() as servers, gateway_before(*servers) as client:
        for server in servers:
            for agent in ("", "agent-1", "agent-2"):
                headers = {SESSION: session_of(server, servers), "x-claude-code-agent-id": agent}
                assert (await client.messages(request_body(f"as {agent}"), headers=headers)).status == 200
        assert asked(servers) == [3, 3]


@pytest.mark.row("6.11")
async def test_row_6_11_the_session_in_the_metadata_counts_where_no_header_tells_it() -> None:
    async with replicas() as servers, gateway_before(*servers) as client:
        for server in servers:
            user = json.dumps({"device_id": "d", "account_uuid": "", "session_id": session_of(server, servers)})
            before = len(server.chats)
            for turn in range(5):
                await client.messages(request_body(f"turn {turn}", metadata={"user_id": user}))
            assert len(server.chats) - before == 5


@pytest.mark.row("6.11")
async def test_row_6_11_without_a_session_any_replica_answers() -> None:
    async with replicas() as servers, gateway_before(*servers) as client:
        await asyncio.gather(*(client.messages() for _ in range(24)))
        assert sum(asked(servers)) == 24
        assert min(asked(servers)) > 0


@pytest.mark.row("6.11")
async def test_row_6_11_a_replica_that_is_gone_is_left_before_the_first_byte() -> None:
    async with replicas() as servers, gateway_before(*servers) as client:
        headers = {SESSION: session_of(servers[1], servers)}
        await client.messages(request_body("first"), headers=headers)
        await servers[1].__aexit__(None, None, None)  # gone: nobody listens there any more
        reply = await client.stream(request_body("second"), headers=headers)
        check_stream(reply.body, asked_model=ASKED)
        assert asked(servers) == [1, 1]
        assert "sent to another replica" in client.exchanges[1].notes.repairs[0]
        third = await client.messages(request_body("third"), headers=headers)
        assert third.status == 200
        assert client.exchanges[2].notes.repairs == []  # known by now: nothing has to be mended


@pytest.mark.row("6.11")
async def test_row_6_11_a_router_behind_the_gateway_is_told_the_session() -> None:
    async with ModelServer() as server:
        async with gateway_to(server.url) as client:
            await client.messages(headers={SESSION: BEGINNING})
            await client.messages(headers={"session-id": BEGINNING, "thread-id": "t2"})  # as Codex names a subagent
            await client.messages()
        async with gateway_to(server.url, backend={"session_headers": ()}) as client:
            await client.messages(headers={SESSION: BEGINNING})
        told = [request.headers.get("x-session-id") for request in server.chats]
        assert told == [BEGINNING, BEGINNING, None, None]
        assert [request.headers.get("x-session-affinity") for request in server.chats] == told
        agents = [request.headers.get("x-claude-code-agent-id") for request in server.chats]
        assert agents == [None, "t2", None, None]


@pytest.mark.row("6.12")
async def test_row_6_12_a_restart_and_a_second_gateway_choose_the_same_replica() -> None:
    async with replicas(3) as servers:
        headers = {SESSION: session_of(servers[2], servers)}
        for order in (servers, servers, servers[::-1]):
            async with gateway_before(*order) as client, gateway_before(*order) as beside:
                await client.messages(headers=headers)
                await beside.messages(headers=headers)
        assert asked(servers) == [0, 0, 6]


@pytest.mark.row("6.12")
def test_row_6_12_the_choice_depends_on_nothing_but_session_and_addresses() -> None:
    urls = [f"http://10.0.0.{n}:8000" for n in (1, 2, 3)]
    found = {name: [url[-6] for url in ranked(name, urls)] for name in ("a", "b", "session-1")}
    assert found == {"a": ["3", "2", "1"], "b": ["2", "1", "3"], "session-1": ["1", "2", "3"]}
    assert ranked("a", urls) == ranked("a", urls[::-1])
    assert [url for url in ranked("a", urls) if url != urls[2]] == ranked("a", urls[:2])  # only its own sessions move
