"""Names that clients ask for, and addresses that they ask at: any of them finds a served model."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from landline.clients.claude_code import TIER_VARIABLES, launch_environment
from landline.config.settings import Models
from landline.policy.routing import route
from landline.server.journal import Journal, json_line, text_line
from tests.fakes.gateway_client import GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer

QWEN, GLM = "Qwen/Qwen3.5-27B", "zai-org/GLM-4.7"
AGENT = {"x-claude-code-agent-id": "agent-1"}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer(models=(QWEN, GLM)) as running:
        yield running


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[GatewayClient]:
    async with gateway_to(server.url, models=Models(tiers={"haiku": GLM})) as running:
        yield running


async def asked_for(client: GatewayClient, server: ModelServer, model: str, **options: Any) -> str:
    """The model that the backend is asked for, when a client asks for that one."""
    before = len(server.chats)
    reply = await client.messages(request_body(model=model), **options)
    assert (reply.status, reply.json["model"]) == (200, model)
    (chat,) = server.chats[before:]
    return chat.json["model"]


# ------------------------------------------------------------------------------------------------ addresses


@pytest.mark.row("1.01")
@pytest.mark.row("1.02")
@pytest.mark.parametrize(
    ("path", "told"),
    [("/v1/v1/messages", "'/v1'"), ("/v1/messages/v1/messages", "'/v1/messages'"), ("/a/v1/messages", "'/a'")],
)
async def test_row_1_01_and_1_02_a_base_url_with_too_much_in_it_works_and_is_warned_of(
    client: GatewayClient, server: ModelServer, path: str, told: str
) -> None:
    for stream in (False, True):
        body = request_body(stream=stream)
        reply = await client.call("POST", f"{path}?beta=true", body=body)
        assert reply.status == 200
        assert reply.headers["landline-warning"] == f"base URL ends in {told}: leave that away"
    for line in (json_line(await client.settled()), text_line(client.exchanges[0])):
        assert f"base URL ends in {told}" in line
    assert len(server.chats) == 2


@pytest.mark.row("1.11")
async def test_row_1_11_every_route_takes_a_query(client: GatewayClient) -> None:
    for method, path, body in (
        ("GET", "/v1/models?limit=1000", None),
        ("GET", f"/v1/models/{QWEN}?x=1", None),
        ("POST", "/v1/messages?beta=true", request_body()),
        ("POST", "/v1/messages/count_tokens?beta=true", request_body()),
        ("GET", "/health?x", None),
        ("GET", "/ready?x", None),
    ):
        assert (await client.call(method, path, body=body)).status == 200, path


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.row("1.03")
async def test_row_1_03_no_model_is_answered_with_404(client: GatewayClient, server: ModelServer) -> None:
    assert await asked_for(client, server, "claude-haiku-4-5-20251001") == GLM
    assert await asked_for(client, server, "nobody-knows-this") == QWEN


@pytest.mark.row("1.03")
async def test_row_1_03_strict_settings_refuse_with_the_names_that_are_served(server: ModelServer) -> None:
    strict = Models(strict=True, aliases={"fast": GLM}, tiers={"haiku": GLM})
    async with gateway_to(server.url, models=strict) as client:
        status, kind, message = (await client.messages(request_body(model="nobody-knows-this"))).error
        assert (status, kind) == (400, "invalid_request_error")
        assert QWEN in message
        assert GLM in message
        assert "nobody" not in json_line(client.exchanges[0]).replace('"model_asked":"nobody-knows-this"', "")
        for known in (QWEN, "GLM-4.7[1m]", "fast", "claude-haiku-4-5", f"anthropic.landline.{GLM}"):
            assert (await client.messages(request_body(model=known))).status == 200, known
    assert len(server.chats) == 5


@pytest.mark.row("1.04")
async def test_row_1_04_no_id_of_the_vendors_reaches_the_backend(client: GatewayClient, server: ModelServer) -> None:
    ids = ("claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5-20251001", "claude-fable-5", "claude-3-5-haiku")
    seen = {name: await asked_for(client, server, name) for name in ids}
    assert {chat.json["model"] for chat in server.chats} <= set(server.models)
    assert [name for name, model in seen.items() if model == GLM] == [name for name in ids if "haiku" in name]


def environment(**options: Any) -> dict[str, str]:
    return launch_environment(
        base_url="http://127.0.0.1:4000",
        token="t",
        model=QWEN,
        window=131_072,
        max_output=32_000,
        inherited={},
        **options,
    )


@pytest.mark.row("1.04")
def test_row_1_04_launch_names_the_model_for_every_tier() -> None:
    env = environment()
    names = ("ANTHROPIC_MODEL", *TIER_VARIABLES.values(), "ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL")
    assert {env.get(name) for name in names} == {QWEN}
    assert environment(tiers={"haiku": GLM})["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == GLM


@pytest.mark.row("1.05")
async def test_row_1_05_a_subagent_is_answered_by_a_served_model(client: GatewayClient, server: ModelServer) -> None:
    assert await asked_for(client, server, "claude-sonnet-4-6", headers=AGENT) == QWEN
    assert await asked_for(client, server, "claude-haiku-4-5", headers=AGENT) == GLM  # Explore of 2.1.197
    assert client.exchanges[0].agent == "agent-1"
    assert environment()["CLAUDE_CODE_SUBAGENT_MODEL"] == QWEN


@pytest.mark.row("1.06")
@pytest.mark.parametrize(
    ("word", "model"),
    [("haiku", GLM), ("sonnet", QWEN), ("opus", QWEN), ("default", QWEN), ("opusplan", QWEN), ("inherit", QWEN)],
)
async def test_row_1_06_words_of_the_clients_are_names_too(
    client: GatewayClient, server: ModelServer, word: str, model: str
) -> None:
    assert await asked_for(client, server, word) == model


@pytest.mark.row("1.07")
async def test_row_1_07_the_switch_for_a_long_window_is_no_part_of_a_name(
    client: GatewayClient, server: ModelServer
) -> None:
    for asked in (f"{GLM}[1m]", f"{GLM}[1M][1m]", "GLM-4.7[1m]", "haiku[1m]"):
        assert await asked_for(client, server, asked) == GLM
    assert await asked_for(client, server, "sonnet-4-5-20250929") == QWEN
    server.models = ("odd", "odd[1m]")  # a served name that really ends so wins
    await client.gateway.line.look()
    assert await asked_for(client, server, "odd[1m]") == "odd[1m]"


@pytest.mark.row("1.08")
@pytest.mark.parametrize("agent", ["claude-code/2.1.329", "python-httpx/1"])
async def test_row_1_08_each_listed_id_is_shown_and_comes_back_as_its_model(
    client: GatewayClient, server: ModelServer, agent: str
) -> None:
    reply = await client.call("GET", "/v1/models?limit=1000", headers={"user-agent": agent})
    rows = reply.json["data"]
    if agent.startswith("claude"):  # it drops what begins otherwise
        assert all(row["id"].startswith(("claude", "anthropic")) for row in rows)
        assert [row["display_name"] for row in rows] == [QWEN, GLM]
    else:
        assert [row["id"] for row in rows] == [QWEN, GLM]
    assert [await asked_for(client, server, row["id"]) for row in rows] == [QWEN, GLM]


@pytest.mark.row("1.09")
async def test_row_1_09_which_of_several_answers_is_settled_and_told() -> None:
    """A base name that two models have, and an alias that is a served name as well: the same choice each time."""
    out = io.StringIO()
    models = Models(default="b/Qwen", aliases={"a/Qwen": "b/Qwen"})
    async with ModelServer(models=("a/Qwen", "b/Qwen")) as server, gateway_to(server.url, models=models) as client:
        for _ in range(2):
            assert await asked_for(client, server, "qwen") == "b/Qwen"
            assert await asked_for(client, server, "a/Qwen") == "a/Qwen"
        journal = Journal(out)
        for exchange in client.exchanges:
            journal.put(exchange)
        await journal.stop()
        finished = (await client.call("GET", "/landline/live")).json["finished"]
    rules = [json.loads(line)["route"] for line in out.getvalue().splitlines()]
    assert rules == ["default: 2 models have that base name", "exact"] * 2
    assert [one["route"] for one in reversed(finished)] == rules


@pytest.mark.row("1.09")
async def test_row_1_09_which_of_several_servers_answered_is_told(server: ModelServer) -> None:
    async with ModelServer(models=(QWEN,)) as other:
        async with gateway_to(server.url, backend={"replicas": (other.url,)}) as client:
            reply = await client.messages(headers={"x-claude-code-session-id": "s-1"})
        chosen = server if server.chats else other
        assert reply.headers["landline-backend"] == chosen.url
        assert json.loads(json_line(client.exchanges[0]))["backend"] == chosen.url


@pytest.mark.row("1.10")
@pytest.mark.parametrize("asked", ["Qwen3.5-27B", "qwen3.5-27b", "other/QWEN3.5-27B"])
async def test_row_1_10_the_name_behind_the_slash_is_enough(
    client: GatewayClient, server: ModelServer, asked: str
) -> None:
    assert await asked_for(client, server, asked) == QWEN
    assert route(asked, client.gateway.line.names).rule == "base name"
