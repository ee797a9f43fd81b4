"""The real Claude Code when a backend dies or falls silent, and a backend when the real Claude Code is killed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from landline.core.exchange import Outcome
from tests.clients.claude import Claude, kill
from tests.clients.scene import Scene, bash, check_append_only, scene
from tests.fakes.chat_stream import DONE, Answer, answer_deltas, chunk, sse, usage_chunk
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import ModelServer, Reply
from tests.fakes.stream_invariant import check_silence
from tests.fakes.upstream import Cut, Hang, Pause, Request, Send, Status, Step

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]

HANG_UP_S = 0.25  # the promise is 0.1 s; the rest is for a busy machine with two cores


class Unsteady:
    """A model that once, at its `turn`-th step (from 0), does something else instead."""

    def __init__(self, script: AgentScript, *, turn: int, instead: Callable[[Answer], list[Step]]) -> None:
        self.script = script
        self._turn = turn
        self._instead: Callable[[Answer], list[Step]] | None = instead

    def __call__(self, body: Any) -> Reply:
        answer = self.script(body)
        if self._instead is None or self.script.given[-1] != self._turn:
            return answer
        instead, self._instead = self._instead, None
        return instead(answer)


def chunks(answer: Answer) -> list[bytes]:
    whole = [chunk(delta) for delta in answer_deltas(answer)]
    return [sse(one) for one in (*whole, chunk({}, answer.finish_reason), usage_chunk(100, 20))]


def cut_in_the_middle(answer: Answer) -> list[Step]:
    sent = chunks(answer)
    return [Status(), Send(b"".join(sent[: len(sent) // 2])), Pause(0.1), Cut()]


@pytest.mark.parametrize("turn", [1, 2], ids=["in a tool call", "in the last text"])
async def test_a_backend_that_dies_once_is_asked_once_more(claude: Claude, turn: int):
    last = "This is the last text, and it is long enough to be cut in its middle."
    script = AgentScript([bash("echo 0"), bash("echo 1 >> log.txt", text="I write a line."), Answer(text=last)])
    model = Unsteady(script, turn=turn, instead=cut_in_the_middle)
    async with scene(claude, ModelServer(model)) as line:
        run = await line.run()
        print(run.explained)
        print([(s.status, s.streamed, s.asked.get("stream")) for s in line.calls])
        print(line.calls[turn].answer.decode()[-900:])
        print(line.calls[turn + 1].asked["messages"][-3:])
        assert run.exit_code == 0, run.explained
        print("SAID", run.said)
        assert (claude.project / "log.txt").read_text() == "1\n"
        assert len(line.calls) == len(line.chats) == 4, line.story()
        assert script.given == sorted([0, 1, 2, turn])
        wanted = [Outcome.COMPLETED] * 4
        wanted[turn] = Outcome.FAILED
        assert line.outcomes == wanted
        failed = line.exchanges[turn]
        assert "ended before the answer was complete" in failed.error
        line.check_streams()
        assert [folded.error is not None for folded in line.check_streams()] == []


def hang_in_prefill(answer: Answer) -> list[Step]:
    return [Hang()]


def hang_in_queue(answer: Answer) -> list[Step]:
    return [Status(), Hang()]


def hang_in_text(answer: Answer) -> list[Step]:
    return [Status(), Send(b"".join(chunks(answer)[:3])), Hang()]


def write_for_ever(answer: Answer) -> list[Step]:
    steps: list[Step] = [Status(), Send(b"".join(chunks(answer)[:3]))]
    for number in range(2000):
        steps += [Send(sse(chunk({"content": f" {number}"}))), Pause(0.01)]
    return steps


@pytest.mark.parametrize("hanging", [hang_in_prefill, hang_in_queue, hang_in_text, write_for_ever])
async def test_a_killed_client_frees_the_backend_at_once(
    claude: Claude, hanging: Callable[[Answer], list[Step]], record_property: Callable[[str, object], None]
):
    script = AgentScript([bash("echo 0"), Answer(text="a text that does not end")])
    model = Unsteady(script, turn=1, instead=hanging)
    server = ModelServer(model)
    async with scene(claude, server, commit_after_s=0.2) as line:
        async with claude.started(line.tap.url, "do the task") as process:
            async with asyncio.timeout(20):
                while len(server.chats) < 2:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.5)
            request = server.chats[1]
            assert request.closed_at is None
            killed_at = time.monotonic()
            kill(process)
            await asyncio.wait_for(request.done.wait(), 5)
        assert request.closed_at is not None
        waited_s = request.closed_at - killed_at
        record_property("closed_after_ms", round(waited_s * 1000, 1))
        print("CLOSED", claude.program.version, hanging.__name__, round(waited_s * 1000, 1))
        assert waited_s < HANG_UP_S
        while len(line.exchanges) < 2:
            await asyncio.sleep(0.005)
        assert line.outcomes == [Outcome.COMPLETED, Outcome.CLIENT_CLOSED]
        assert len(server.chats) == 2
        assert line.gateway.line.open == set()


class Patient(ModelServer):
    """Silent before its headers, before its first chunk, and in the middle of thinking, text and call."""

    silence_s = 1.3

    def _chat(self, request: Request) -> list[Step]:
        answer = self.answer(request.json)
        assert isinstance(answer, Answer)
        steps: list[Step] = [Pause(self.silence_s), Status(), Pause(self.silence_s)]
        parts = chunks(answer)
        for at, part in enumerate(parts):
            steps.append(Send(part))
            if at in {1, len(parts) // 2, len(parts) - 2}:
                steps.append(Pause(self.silence_s))
        return [*steps, Send(DONE)]


async def silent_session(claude: Claude, server: ModelServer, **gateway: float) -> Scene:
    """A loop against a silent backend: nothing was repeated and nothing is to be seen of the heartbeats."""
    async with scene(claude, server, **gateway) as line:
        run = await line.run(timeout_s=3000)
        assert run.exit_code == 0, run.explained
        assert run.said == "The end of a long thought."
        assert (claude.project / "log.txt").read_text() == "0\n"
        assert (len(line.calls), len(line.chats)) == (2, 2), line.story()
        assert line.outcomes == [Outcome.COMPLETED] * 2
        check_append_only(line.chats)
        line.check_streams()
        [said] = [message for message in line.chats[1]["messages"] if message["role"] == "assistant"]
        assert said["reasoning"] == "A thought that takes its time."
        assert said["content"] == "Now I run it."
        return line


def slow_task() -> AgentScript:
    first = bash("echo 0 >> log.txt", text="Now I run it.", thinking="A thought that takes its time.")
    return AgentScript([first, Answer(text="The end of a long thought.")])


async def test_heartbeats_through_a_silence_leave_no_trace(claude: Claude):
    line = await silent_session(claude, Patient(slow_task()), commit_after_s=0.4, heartbeat_s=0.4)
    for spoken in line.calls:
        beats = sum(piece.count(b'"stop_reason":null') for _, piece in spoken.pieces)
        assert beats >= 2
        print(beats, len(spoken.pieces))


@pytest.mark.skipif(os.environ.get("LANDLINE_SLOW_TESTS") != "1", reason="takes 12 minutes (LANDLINE_SLOW_TESTS=1)")
@pytest.mark.timeout(3600)
async def test_a_prefill_of_more_than_five_minutes(claude: Claude):
    """Claude Code 2.1.197 gives up after 300 s without an event, also between headers and first event."""

    class Prefilling(ModelServer):
        def _chat(self, request: Request) -> list[Step]:
            return [Pause(330), *super()._chat(request)]

    await silent_session(claude, Prefilling(slow_task()))
