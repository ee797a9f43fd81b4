"""A whole line for one test: the real client, a tap, the gateway in this process, and a scripted model behind it."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from landline.config.settings import Backend, Gateway, Search, Settings
from landline.core.exchange import Exchange, Outcome
from landline.server.run import RunningGateway, running_gateway
from tests.clients.claude import Claude, Run
from tests.clients.tap import Spoken, Tap
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import Folded, check_stream

ASKED = "local-model"  # an id that nobody serves
SERVED = "served"
# What of the client's own dialect must never reach a chat-completions backend.
FOREIGN = (b"cache_control", b"x-anthropic-billing-header", b"anthropic-beta", b"context_management")


@dataclass(frozen=True)
class Scene:
    claude: Claude
    tap: Tap
    gateway: RunningGateway
    server: ModelServer

    async def run(self, prompt: str = "do the task", **options: Any) -> Run:
        return await self.claude.run(self.tap.url, prompt, **{"model": ASKED, **options})

    @property
    def exchanges(self) -> list[Exchange]:
        """The records of all finished calls of /v1/messages."""
        return [exchange for exchange in self.gateway.line.journal.recent if exchange.path == "/v1/messages"]

    @property
    def outcomes(self) -> list[Outcome]:
        return [exchange.outcome for exchange in self.exchanges]

    @property
    def calls(self) -> list[Spoken]:
        """What went over the wire between client and gateway."""
        return [spoken for spoken in self.tap.spoken if spoken.method == "POST"]

    @property
    def chats(self) -> list[Any]:
        """The bodies that the backend was sent."""
        return [request.json for request in self.server.chats]

    def check_streams(self) -> list[Folded]:
        """The stream invariant over every answer as it left the gateway; ids are unique over the whole session."""
        seen: set[str] = set()
        folded: list[Folded] = []
        for spoken in self.calls:
            if not spoken.streamed:
                continue
            tools = {tool["name"] for tool in spoken.asked.get("tools", ())}
            asked = spoken.asked["model"]
            folded.append(check_stream(spoken.answer, asked_model=asked, tools=tools, seen_ids=seen))
        return folded

    def check_backend_saw_only_chat(self) -> None:
        """Served names, our own headers, nothing of the client's dialect."""
        assert self.server.chats
        for request in self.server.chats:
            assert request.json["model"] in self.server.models
            assert request.json["stream"] is True
            own = set(request.headers) - {"x-claude-code-agent-id"}  # told on, for routers: `backend.agent_header`
            assert not [name for name in own if name.startswith(("anthropic", "x-claude", "x-stainless"))]
            assert request.headers.get("authorization") is None
            assert not [word for word in FOREIGN if word in request.body]

    def check_completed(self, *, requests: int) -> None:
        """So many requests, one each on both sides of the gateway, all answered whole and counted exactly."""
        records = self.exchanges
        assert (len(self.calls), len(records), len(self.chats)) == (requests, requests, requests), self.story()
        assert self.outcomes == [Outcome.COMPLETED] * requests, self.story()
        for record in records:
            assert record.usage is not None
            assert record.usage.exact
            assert record.model_served in self.server.models
            assert (record.status, record.error, record.backend_requests) == (200, "", 1)

    def story(self) -> str:
        """What happened, for the message of a failed assertion."""
        lines = [f"client: {spoken.method} {spoken.path} {spoken.status}" for spoken in self.calls]
        lines += [f"record: {msgspec.json.encode(record).decode()}" for record in self.exchanges]
        lines += [f"backend: {len(request.body)} bytes" for request in self.server.chats]
        return "\n".join(lines)


@contextlib.asynccontextmanager
async def scene(
    claude: Claude, server: ModelServer, *, search: Search | None = None, **gateway: Any
) -> AsyncIterator[Scene]:
    """`gateway` are settings of that table, for example heartbeat_s."""
    async with server:
        settings = Settings(
            gateway=Gateway(**{"drain_s": 2, **gateway}), backend=Backend(url=server.url), search=search or Search()
        )
        async with running_gateway(settings) as running, Tap(running.url) as tap:
            yield Scene(claude, tap, running, server)


def check_append_only(chats: Sequence[Any]) -> None:
    """Each request extends the one before it: same tools, and its messages begin with all the earlier ones."""
    for before, after in pairwise(chats):
        old, new = before["messages"], after["messages"]
        assert after.get("tools") == before.get("tools")
        assert len(new) > len(old)
        for index, message in enumerate(old):
            assert json.dumps(new[index]) == json.dumps(message), f"message {index} changed"


def repairs(records: Sequence[Exchange]) -> Counter[str]:
    return Counter(text for record in records for text in record.notes.repairs)


def dropped(records: Sequence[Exchange]) -> Counter[str]:
    return Counter(text for record in records for text in record.notes.dropped)


def write(path: object, content: str) -> Answer:
    return Answer(tool_calls=(("Write", {"file_path": str(path), "content": content}, ""),))


def bash(command: str, *, call_id: str = "", text: str = "", thinking: str = "") -> Answer:
    call = ("Bash", {"command": command, "description": "a step of the task"}, call_id)
    return Answer(text=text, thinking=thinking, tool_calls=(call,))
