"""Whose turn a request is, by the headers of each client, and what a backend is told of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from landline.config.settings import Backend
from landline.policy.identity import agent_of, session_of, told_to
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import gateway_to, request_body
from tests.fakes.model_server import ModelServer

# As they were recorded.
CLIENTS = {
    "Claude Code": ({"x-claude-code-session-id": "s1"}, "s1", ""),
    "its subagent": ({"x-claude-code-session-id": "s1", "x-claude-code-agent-id": "a1"}, "s1", "a1"),
    "OpenCode": ({"x-session-id": "s2", "x-session-affinity": "s2"}, "s2", ""),
    "Codex": ({"session-id": "s3", "thread-id": "s3"}, "s3", ""),
    "Codex's subagent": ({"session-id": "s3", "thread-id": "t4"}, "s3", "t4"),
    "Qwen Code": ({"x-stainless-lang": "js"}, "", ""),
}
SECRETS = {
    "authorization": "Bearer client-secret",
    "x-api-key": "client-secret",
    "cookie": "c=client-secret",
    "x-codex-turn-metadata": '{"workspace":"client-secret"}',
}
NAMES = ("x-session-id", "x-session-affinity")


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_names_its_session_and_its_subagent(name: str) -> None:
    headers, session, agent = CLIENTS[name]
    told = {key.encode(): value for key, value in headers.items()}
    assert (session_of(told), agent_of(told)) == (session, agent)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/embeddings"])
@pytest.mark.parametrize("name", CLIENTS)
async def test_a_backend_is_told_in_one_way_and_of_nothing_else(name: str, path: str) -> None:
    """Read, forwarded or verbatim: the same headers, and no secret of the client's."""
    headers, session, agent = CLIENTS[name]
    bodies: dict[str, Any] = {
        "/v1/responses": {"model": "m", "input": "x"},
        "/v1/embeddings": {"model": "m", "input": "x"},
    }
    async with ModelServer(lambda body: Answer(text="hi")) as server, gateway_to(server.url) as client:
        await client.call("POST", path, body=bodies.get(path, request_body()), headers=headers | SECRETS)
        sent = [request for request in server.requests if request.method == "POST"][-1].headers
        assert [sent.get(one, "") for one in NAMES] == [session] * 2
        assert sent.get("x-claude-code-agent-id", "") == agent
        assert "client-secret" not in str(sent)


def test_the_names_are_those_of_the_settings() -> None:
    own = {"authorization": "Bearer backend"}
    assert told_to(own, "s", "a", ("x-one",), "x-two") == own | {"x-one": "s", "x-two": "a"}
    assert told_to(own, "s", "a", (), "") == own
    assert told_to(own, "", "a", ("x-one",), "x-two") == own


@pytest.mark.parametrize(
    "name", ["Authorization", "x-api-key", "a b", "x\r\ny", "", "content-length", "Host", "x" * 65]
)
def test_a_name_that_would_break_a_request_is_no_setting(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"session_headers": [name]}, Backend)
    if name:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"agent_header": name}, Backend)
    assert msgspec.convert({"session_headers": ["x-dynamo-session-id"], "agent_header": ""}, Backend)


@pytest.mark.parametrize("told", ["é" * 20, "a" * 500, "a\tb"])
def test_what_is_told_on_can_stand_in_a_header(told: str) -> None:
    headers = {b"x-claude-code-session-id": told, b"x-claude-code-agent-id": told}
    for name in (session_of(headers), agent_of(headers)):
        assert name
        assert len(name) <= 120
        assert all("!" <= char <= "~" for char in name)
