"""models.local_titles: a title without a model, recorded as such; every other call goes its way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from landline.config.settings import Models
from tests.fakes.gateway_client import ASKED as ASKED_MODEL
from tests.fakes.gateway_client import GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import check_stream

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
ASKED = "<session>\nfix the login button. It does nothing\n</session>\n\nWrite the title in the language of the user."


def title_request(**fields: Any) -> dict[str, Any]:
    form = {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}}
    return request_body(ASKED, tools=[], output_config=form) | fields


async def asked(gateway: GatewayClient, stream: bool) -> str:
    reply = await gateway.messages(title_request(stream=stream))
    assert reply.status == 200
    if not stream:
        return reply.json["content"][0]["text"]
    check_stream(reply.body, asked_model=ASKED_MODEL)
    frames = [json.loads(line[6:]) for line in reply.body.decode().splitlines() if line.startswith("data: ")]
    return "".join(frame["delta"].get("text", "") for frame in frames if frame["type"] == "content_block_delta")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_title_is_made_here_when_asked_to(stream: bool):
    async with ModelServer() as server, gateway_to(server.url, models=Models(local_titles=True)) as gateway:
        assert json.loads(await asked(gateway, stream)) == {"title": "Fix the login button"}
        exchange = await gateway.settled()
        assert (await gateway.stream()).status == 200  # another request goes its way
    assert len(server.chats) == 1
    assert (exchange.backend_requests, exchange.side, exchange.usage) == (0, True, None)
    assert "models.local_titles" in exchange.notes.repairs[0]


@pytest.mark.parametrize("stream", [True, False])
async def test_by_default_the_model_is_asked(stream: bool):
    async with ModelServer() as server, gateway_to(server.url) as gateway:
        assert await asked(gateway, stream) == "hello"
    assert len(server.chats) == 1
