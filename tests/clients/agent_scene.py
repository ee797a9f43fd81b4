"""A whole line for one test of Codex, OpenCode or Qwen Code: the client, a tap, the gateway and a scripted model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landline.config.settings import Backend, Gateway, Settings
from landline.core.exchange import Exchange
from landline.server.run import RunningGateway, running_gateway
from tests.clients.agents import Agent, Run, Setup
from tests.clients.tap import Spoken, Tap
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer, Reply


@dataclass(frozen=True)
class AgentScene:
    agent: Agent
    root: Path
    tap: Tap
    gateway: RunningGateway
    server: ModelServer

    async def run(self, **setup: Any) -> Run:
        return await self.agent.run(self.root, self.setup(**setup))

    def setup(self, **setup: Any) -> Setup:
        (self.root / "project").mkdir(parents=True, exist_ok=True)
        return Setup(self.tap.url, **setup)

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def posts(self) -> list[Spoken]:
        return [spoken for spoken in self.tap.spoken if spoken.method == "POST"]

    @property
    def turns(self) -> list[Spoken]:
        """The requests of the main loop: those with tools."""
        return [spoken for spoken in self.posts if spoken.asked.get("tools")]

    @property
    def exchanges(self) -> list[Exchange]:
        """The records of the main loop's finished requests."""
        records = [one for one in self.gateway.line.journal.recent if one.path == self.agent.path]
        return [one for one in records if not one.side]

    @property
    def chats(self) -> list[Any]:
        """The bodies of the main loop that the backend was sent."""
        return [request.json for request in self.server.chats if request.json.get("tools")]

    def story(self) -> str:
        """What happened, for the message of a failed assertion."""
        lines = [f"{one.path} {one.status} {'tools' if one.asked.get('tools') else 'side'}" for one in self.posts]
        return "\n".join([*lines, *(f"{one.outcome} {one.error}" for one in self.exchanges)])


@contextlib.asynccontextmanager
async def agent_scene(agent: Agent, root: Path, server: ModelServer, **gateway: Any) -> AsyncIterator[AgentScene]:
    """`gateway` are settings of that table."""
    async with server:
        settings = Settings(gateway=Gateway(**{"drain_s": 1, **gateway}), backend=Backend(url=server.url))
        async with running_gateway(settings) as running, Tap(running.url) as tap:
            yield AgentScene(agent, root, tap, running, server)


def turn_of(body: Any) -> int:
    """How many answers with calls stand in a request."""
    return sum(bool(message.get("tool_calls")) for message in body["messages"])


def task(*answers: Reply) -> Callable[[Any], Reply]:
    """The next step, by the calls that stand in the request; a call beside the loop gets a title."""
    return lambda body: answers[turn_of(body)] if body.get("tools") else Answer(text="A title")


def asked_again(body: Any) -> str:
    """What makes two requests the same."""
    return json.dumps(body["messages"])
