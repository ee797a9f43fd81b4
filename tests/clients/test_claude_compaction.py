"""The real Claude Code against a window that its conversation outgrows: it must compact by itself, and finish."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest

from landline.core.exchange import Outcome
from tests.clients.claude import Claude
from tests.clients.scene import Scene, bash, scene
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import Kind, ModelServer, count_tokens
from tests.fakes.upstream import Pause, Request, Step

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]

STEPS = 9
TOKENS_PER_STEP = 3000
ROOM_STEPS = 6  # the window holds the first prompt and so many steps
TOO_LONG = re.compile(rb"prompt is too long: (\d+) tokens > (\d+) maximum")


class QueueingServer(ModelServer):
    """A model server that says nothing for `queue_s`, neither yes nor no. Its window fits to the first prompt."""

    def __init__(self, answer: AgentScript, *, queue_s: float = 0, **options: Any) -> None:
        super().__init__(answer, **options)
        self.queue_s = queue_s
        self.refused = 0

    def _chat(self, request: Request) -> list[Step]:
        steps = super()._chat(request)
        if count_tokens(request.json) > self.window:
            self.refused += 1
        return [Pause(self.queue_s), *steps]


def long_task() -> AgentScript:
    filler = "for i in $(seq 600); do echo 0123456789abcdef$i; done"
    return AgentScript([bash(f"echo {n} >> log.txt; {filler}") for n in range(STEPS)] + [Answer(text="all done")])


async def first_prompt_tokens(claude: Claude) -> int:
    """What this version of the client sends before it has done anything."""
    async with scene(claude, ModelServer(lambda body: Answer(text="hi"))) as line:
        assert (await line.run()).exit_code == 0
        return count_tokens(line.chats[0])


@pytest.mark.parametrize(
    ("kind", "queue_s"),
    [("plain", 0.0), ("vllm", 0.0), ("llamacpp", 0.0), ("vllm", 1.0), ("plain", 1.0), ("llamacpp", 1.0)],
    ids=lambda x: str(x),
)
async def test_an_overflow_makes_the_client_compact_and_finish(claude: Claude, kind: Kind, queue_s: float):
    window = await first_prompt_tokens(claude) + ROOM_STEPS * TOKENS_PER_STEP
    script = long_task()
    server = QueueingServer(script, queue_s=queue_s, kind=kind, window=window)
    async with scene(claude, server, commit_after_s=0.5, heartbeat_s=0.5) as line:
        run = await line.run()
        print(script.calls, script.given, server.refused, window)
        print(line.story()[:9000])
        for s in line.calls:
            print(s.status, s.streamed, s.answer[:300])
        assert run.exit_code == 0, run.explained
        print(run.explained)
        assert run.said == "all done"
