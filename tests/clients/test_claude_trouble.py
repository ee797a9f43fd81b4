"""The real Claude Code when a backend dies or falls silent, and a backend when the real Claude Code is killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from landline.core.exchange import Outcome
from tests.clients.claude import Claude, kill
from tests.clients.scene import Scene, bash, check_append_only, scene
from tests.clients.tap import Spoken
from tests.fakes.anthropic_events import events_of
from tests.fakes.chat_stream import DONE, Answer, answer_deltas, chunk, sse, usage_chunk
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import ModelServer, Reply
from tests.fakes.stream_invariant import check_silence
from tests.fakes.upstream import Cut, Hang, Pause, Request, Send, Status, Step, json_answer

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


def check_cut(line: Scene, *, at: int) -> None:
    """The answer to that request ended in an error event, all others whole."""
    records = line.exchanges
    wanted = [Outcome.COMPLETED] * len(records)
    wanted[at] = Outcome.FAILED
    assert line.outcomes == wanted, line.story()
    assert "ended before the answer was complete" in records[at].error
    errors = [folded.error for folded in line.check_streams() if folded.error is not None]
    assert [error["type"] for error in errors] == ["api_error"]
    line.check_backend_saw_only_chat()


@pytest.mark.scenario("claude_code", "error")
async def test_a_refusal_is_told_in_words(claude: Claude):
    """2.1.329 tries a 400 six times at once, each time with less that a server may not know; 2.1.197 once."""
    refused = json_answer(400, {"error": {"message": "no such grammar"}})
    async with scene(claude, ModelServer(lambda body: refused)) as line:
        run = await line.run()
        assert run.exit_code == 1
        assert "no such grammar" in run.said, run.explained
        tries = 1 if claude.program.version == "2.1.197" else 6
        assert (len(line.calls), len(line.chats)) == (tries, tries), line.story()


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(Answer(text="This text is long enough to be cut in its middle."), id="text"),
        pytest.param(bash("echo 1 >> log.txt"), id="call"),
    ],
)
@pytest.mark.scenario("claude_code", "cut", "non_stream")
async def test_an_answer_cut_in_its_first_block_is_asked_for_once_more(claude: Claude, cut: Answer):
    script = AgentScript([bash("echo 0 >> log.txt"), cut, Answer(text="all done")])
    async with scene(claude, ModelServer(Unsteady(script, turn=1, instead=cut_in_the_middle))) as line:
        run = await line.run()
        assert run.exit_code == 0, run.explained
        called = bool(cut.tool_calls)
        assert run.said == ("all done" if called else cut.text)
        assert (claude.project / "log.txt").read_text().split() == ["0", "1"][: 1 + called]
        assert script.given == ([0, 1, 1, 2] if called else [0, 1, 1])
        assert len(line.calls) == len(line.chats) == len(script.given)
        check_cut(line, at=1)
        # The repeat asks the same, without streaming; nothing of the cut answer is in it.
        assert line.chats[2]["messages"] == line.chats[1]["messages"]
        assert not line.calls[2].streamed


async def test_a_thought_that_is_cut_is_thought_again_and_the_client_never_knows(claude: Claude):
    cut = Answer(thinking="A long thought, cut in its middle too.", text=".")
    script = AgentScript([bash("echo 0 >> log.txt"), cut, Answer(text="all done")])
    async with scene(claude, ModelServer(Unsteady(script, turn=1, instead=cut_in_the_middle))) as line:
        run = await line.run()
        assert (run.exit_code, run.said) == (0, "."), run.explained
        assert (len(line.calls), len(line.chats)) == (2, 3)
        assert line.outcomes == [Outcome.COMPLETED] * 2
        assert line.exchanges[1].backend_requests == 2
        line.check_streams()
        assert line.chats[2] == line.chats[1]


@pytest.mark.scenario("claude_code", "cut")
async def test_an_answer_cut_behind_a_whole_block(claude: Claude):
    """Whatever ends such a stream (an error event, a reset, an orderly end): 2.1.197 stops, with our words on what
    to do; later versions keep the blocks that were whole, and ask the model to go on."""
    cut = bash("echo 1 >> log.txt", text="I write a line.")
    script = AgentScript([bash("echo 0 >> log.txt"), cut, Answer(text="all done")])
    async with scene(claude, ModelServer(Unsteady(script, turn=1, instead=cut_in_the_middle))) as line:
        run = await line.run()
        check_cut(line, at=1)
        log = (claude.project / "log.txt").read_text().split()
        if claude.program.version == "2.1.197":
            assert (run.exit_code, log, len(line.calls)) == (1, ["0"], 2)
            assert run.said.startswith("API Error: The backend's stream ended before the answer was complete.")
            assert "model server" in run.said
            return
        assert run.exit_code == 0, run.explained
        assert (run.said, log, len(line.calls)) == ("all done", ["0", "1"], 4)
        *_, kept, resume = line.chats[2]["messages"]
        assert (kept["role"], kept["content"], kept.get("tool_calls")) == ("assistant", "I write a line.", None)
        assert resume["role"] == "user"


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
@pytest.mark.scenario("claude_code", "hang_up")
async def test_a_killed_client_frees_the_backend_at_once(claude: Claude, hanging: Callable[[Answer], list[Step]]):
    script = AgentScript([bash("echo 0"), Answer(text="a text that does not end")])
    model = Unsteady(script, turn=1, instead=hanging)
    server = ModelServer(model)
    async with scene(claude, server, commit_after_s=0.2) as line, asyncio.timeout(30):
        async with claude.started(line.tap.url, "do the task") as process:
            await until(lambda: len(server.chats) == 2)
            await asyncio.sleep(0.5)
            request = server.chats[1]
            assert request.closed_at is None
            killed_at = time.monotonic()
            kill(process)
            await request.done.wait()
        assert request.closed_at is not None
        waited_s = request.closed_at - killed_at
        print(f"closed {waited_s * 1000:.0f} ms after the client was killed")
        assert waited_s < HANG_UP_S
        await until(lambda: len(line.exchanges) == 2)
        assert line.outcomes == [Outcome.COMPLETED, Outcome.CLIENT_CLOSED]
        assert len(server.chats) == 2
        assert line.gateway.line.open == set()


async def until(reached: Callable[[], bool]) -> None:
    while not reached():
        await asyncio.sleep(0.005)


class Patient(ModelServer):
    """Silent before its headers, before its first chunk, and in the middle of thinking, text and call."""

    silence_s = 1.0

    def _chat(self, request: Request) -> list[Step]:
        answer = self.answer(request.json)
        assert isinstance(answer, Answer)
        silence, parts = Pause(self.silence_s), chunks(answer)
        # In the second answer once is enough.
        first = bool(answer.tool_calls)
        steps: list[Step] = [silence, Status(), silence] if first else []
        silent = {1, len(parts) // 2, len(parts) - 3} if first else {1}
        for at, part in enumerate(parts):
            steps.append(Send(part))
            if at in silent:
                steps.append(silence)
        return [*steps, Send(DONE)]


async def silent_session(claude: Claude, server: ModelServer, *, limit_s: float, **gateway: float) -> list[Spoken]:
    """A loop against a silent backend: nothing was repeated and nothing is to be seen of the heartbeats."""
    async with scene(claude, server, **gateway) as line:
        run = await line.run(timeout_s=600)
        assert run.exit_code == 0, run.explained
        assert run.said == "The end of a long thought."
        assert (claude.project / "log.txt").read_text() == "0\n"
        assert [text for text in run.stderr.splitlines() if text and "unrecognized_model" not in text] == []
        line.check_completed(requests=2)
        line.check_streams()
        check_append_only(line.chats)
        [said] = [message for message in line.chats[1]["messages"] if message["role"] == "assistant"]
        assert said["reasoning"] == "A thought that takes its time."
        assert said["content"] == "Now I run it."
        usages = [record.usage for record in line.exchanges if record.usage is not None]
        assert run.result["usage"]["input_tokens"] == sum(usage.prompt for usage in usages)
        assert run.result["usage"]["output_tokens"] == sum(usage.output for usage in usages)
        for spoken in line.calls:
            check_silence(spoken.pieces, limit_s=limit_s)
        return line.calls


def slow_task() -> AgentScript:
    first = bash("echo 0 >> log.txt", text="Now I run it.", thinking="A thought that takes its time.")
    return AgentScript([first, Answer(text="The end of a long thought.")])


async def test_heartbeats_through_a_silence_leave_no_trace(claude: Claude):
    server = Patient(slow_task())
    first, second = await silent_session(claude, server, limit_s=0.9, commit_after_s=0.3, heartbeat_s=0.3)
    # One at the end of each, and heartbeats in every silence outside thinking: two before any block, one in the call.
    assert event_count(first, "message_delta") >= 1 + 2 + 1
    assert event_count(second, "message_delta") >= 1 + 1


def event_count(spoken: Spoken, kind: str) -> int:
    return sum(event.type == kind for event in events_of(spoken.answer))


@pytest.mark.slow  # 6 minutes for each version
@pytest.mark.timeout(3600)
async def test_a_prefill_of_more_than_five_minutes(claude: Claude):
    """Claude Code 2.1.197 gives up after 300 s without an event, also between headers and first event."""

    class Prefilling(ModelServer):
        def _chat(self, request: Request) -> list[Step]:
            return [Pause(330 if len(self.chats) == 1 else 0), *super()._chat(request)]

    await silent_session(claude, Prefilling(slow_task()), limit_s=15)
