"""Codex, OpenCode and Qwen Code, the real ones, put through every scenario of the table of clients."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from landline.core.exchange import Outcome
from tests.clients.agent_scene import agent_scene, task
from tests.clients.agents import AGENTS, MODEL, Agent
from tests.clients.claude import kill
from tests.clients.scene import check_append_only
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.gateway_client import until
from tests.fakes.model_server import ModelServer, Reply
from tests.fakes.openai_streams import check_chat, check_responses
from tests.fakes.upstream import Close, Hang, Pause, Send, Status, json_answer

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

HANG_UP_S = 1.0  # a busy machine takes its time to end a process of 500 MB
DONE = Answer(text="all done")
BEGUN = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half of a sentence"}))
CHECKS = {"/v1/responses": check_responses, "/v1/chat/completions": check_chat}


# What the user of each sees of a first request that is larger than the window.
TOO_LONG = {
    "codex": "ran out of room in the model's context window",
    "opencode": "tools alone cannot be made shorter by a summary. Serve the model with a larger window",
    "qwen_code": "tokens > 4000 maximum",
}


def each_agent(*scenarios: str, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """One test per client, which fills these cells of its row."""
    parameters = [
        pytest.param(agent, id=name, marks=pytest.mark.scenario(name, *scenarios))
        for name, agent in AGENTS.items()
        if name not in but
    ]
    return pytest.mark.parametrize("agent", parameters)


def calls(*made: Any, **fields: Any) -> Answer:
    return Answer(
        tool_calls=tuple((name, given, f"call_{at}_{name}") for at, (name, given, _) in enumerate(made)), **fields
    )


@each_agent("loop")
async def test_a_loop_writes_a_file_and_runs_a_command(tmp_path: Path, agent: Agent) -> None:
    file = tmp_path / "project" / "hello.txt"
    work = calls(agent.write(file, "hello"), thinking="I write it.", text="Writing.")
    script = task(work, calls(agent.execute("cat hello.txt > copy.txt")), DONE)
    async with agent_scene(agent, tmp_path, ModelServer(script, prefix_cache=True)) as scene:
        run = await scene.run()
        assert run.exit_code == 0, run.explained
        assert "all done" in run.stdout
        assert file.read_text() == "hello"
        assert (scene.project / "copy.txt").read_text() == "hello"
        assert [(one.path, one.status) for one in scene.turns] == [(agent.path, 200)] * 3
        answers = [CHECKS[agent.path](one.answer, asked_model=MODEL) for one in scene.turns]
        assert [block["type"] for block in answers[0].content] == ["thinking", "text", "tool_use"]
        assert [answer.stop_reason for answer in answers] == ["tool_use", "tool_use", "end_turn"]
        check_append_only(scene.chats)
        said = next(message for message in scene.chats[-1]["messages"] if message.get("tool_calls"))
        assert (said["content"], said["reasoning"]) == ("Writing.", "I write it.")
        assert [record.outcome for record in scene.exchanges] == [Outcome.COMPLETED] * 3
        assert all(record.notes.repairs == [] for record in scene.exchanges)


@each_agent("parallel")
async def test_parallel_calls_come_back_in_one_turn(tmp_path: Path, agent: Agent) -> None:
    one, two = tmp_path / "project" / "one.txt", tmp_path / "project" / "two.txt"
    made = calls(agent.write(one, "1"), agent.write(two, "2"), agent.execute("echo three"), text="Three at once.")
    async with agent_scene(agent, tmp_path, ModelServer(task(made, DONE))) as scene:
        run = await scene.run()
        assert run.exit_code == 0, run.explained
        assert (one.read_text(), two.read_text()) == ("1", "2")
        assert len(scene.turns) == 2
        said, *results = [one for one in scene.chats[1]["messages"] if one["role"] == "tool" or one.get("tool_calls")]
        ids = [call["id"] for call in said["tool_calls"]]
        assert len(set(ids)) == 3
        assert [result["tool_call_id"] for result in results] == ids
        assert "three" in results[2]["content"]


@each_agent("error")
async def test_a_refusal_is_told_once_in_words(tmp_path: Path, agent: Agent) -> None:
    refused = json_answer(400, {"error": {"message": "no such grammar"}})
    async with agent_scene(agent, tmp_path, ModelServer(task(refused))) as scene:
        run = await scene.run()
        assert run.exit_code == 1
        assert "no such grammar" in run.said
        assert len(scene.turns) == 1, scene.story()


@each_agent("error")
async def test_a_server_that_fails_for_a_moment_is_asked_again(tmp_path: Path, agent: Agent) -> None:
    failing: list[Reply] = [json_answer(503, {"error": {"message": "loading"}})] * 2
    script = task(calls(agent.execute("echo 1 > log.txt")), DONE)
    answer = lambda body: failing.pop() if failing and body.get("tools") else script(body)  # noqa: E731
    async with agent_scene(agent, tmp_path, ModelServer(answer)) as scene:
        run = await scene.run()
        assert run.exit_code == 0, run.explained
        assert (scene.project / "log.txt").read_text() == "1\n"


@each_agent("overflow")
async def test_a_first_request_that_does_not_fit_is_told_and_not_repeated(tmp_path: Path, agent: Agent) -> None:
    async with agent_scene(agent, tmp_path, ModelServer(task(DONE), window=4_000)) as scene:
        run = await scene.run()
        assert run.exit_code == 1
        assert TOO_LONG[agent.name] in run.said, run.explained
        assert len(scene.turns) == 1, scene.story()
        assert scene.chats == []


@each_agent("overflow", but=("codex", "qwen_code"))
async def test_a_conversation_that_outgrows_the_window_is_summed_up_once(tmp_path: Path, agent: Agent) -> None:
    """OpenCode is told a window that is too large, so that it learns the true one by an overflow."""
    rest: list[Reply] = [
        calls(agent.execute(f"echo {n} >> log.txt; head -c 6000 /dev/zero | tr '\\0' x")) for n in range(5)
    ]
    rest.append(DONE)
    asked = lambda body: rest.pop(0) if body.get("tools") else Answer(text="A summary of what was done.")  # noqa: E731
    async with agent_scene(agent, tmp_path, ModelServer(asked, window=12_000)) as scene:
        run = await scene.run(output=500)
        assert "all done" in run.stdout, run.explained  # its exit code is 1: it has seen an error
        assert (scene.project / "log.txt").read_text().split() == ["0", "1", "2", "3", "4"]
        refused = [spoken for spoken in scene.turns if spoken.status == 400]
        assert all(b"context_length_exceeded" in spoken.answer for spoken in refused)
        assert (len(refused), len(scene.turns)) == (1, 7), scene.story()


@each_agent("cut", but=("qwen_code",))
async def test_an_answer_that_is_cut_is_asked_for_again(tmp_path: Path, agent: Agent) -> None:
    broken: list[Reply] = [[Status(), Send(BEGUN), Pause(0.2), Close(finish=False)]]
    script = task(calls(agent.execute("echo 1 >> log.txt")), DONE)
    answer = lambda body: broken.pop() if broken and body.get("tools") else script(body)  # noqa: E731
    async with agent_scene(agent, tmp_path, ModelServer(answer)) as scene:
        run = await scene.run()
        assert run.exit_code == 0, run.explained
        assert (scene.project / "log.txt").read_text() == "1\n"
        assert len(scene.turns) == 3


@each_agent("cut", but=("codex", "opencode"))
async def test_an_answer_that_is_cut_is_told(tmp_path: Path, agent: Agent) -> None:
    """Qwen Code 0.15.10 does not ask again behind the first words: it ends, with ours on what to look at."""
    broken = [Status(), Send(BEGUN), Pause(0.2), Close(finish=False)]
    async with agent_scene(agent, tmp_path, ModelServer(task(broken))) as scene:
        run = await scene.run()
        assert run.exit_code == 1
        assert "stream ended before the answer was complete. Did the model server crash or restart?" in run.said
        assert len(scene.turns) == 1, scene.story()


@each_agent("hang_up")
async def test_a_killed_client_frees_the_backend_at_once(tmp_path: Path, agent: Agent) -> None:
    server = ModelServer(task([Status(), Send(BEGUN), Hang()]))
    async with agent_scene(agent, tmp_path, server) as scene:
        async with agent.started(scene.root, scene.setup()) as process:
            await until(lambda: bool(scene.chats), timeout_s=60)
            request = next(one for one in server.chats if one.json.get("tools"))
            await asyncio.sleep(0.5)
            assert request.closed_at is None
            killed_at = asyncio.get_running_loop().time()
            kill(process)
            await asyncio.wait_for(request.done.wait(), 5)
        assert request.closed_at is not None
        assert request.closed_at - killed_at < HANG_UP_S
        await until(lambda: bool(scene.exchanges))
        assert scene.exchanges[-1].outcome is Outcome.CLIENT_CLOSED
        assert len(scene.chats) == 1


@each_agent("non_stream", but=("codex", "opencode"))
async def test_a_call_beside_the_loop_is_not_streamed(tmp_path: Path, agent: Agent) -> None:
    """Qwen Code 0.15.10 makes one behind a failed turn."""
    async with agent_scene(agent, tmp_path, ModelServer(task(DONE), window=4_000)) as scene:
        await scene.run()
        [spoken] = [spoken for spoken in scene.posts if not spoken.asked.get("stream")]
        assert (spoken.status, spoken.streamed) == (200, False)
        [choice] = json.loads(spoken.answer)["choices"]
        assert choice["message"]["content"] == "A title"


@each_agent("non_stream", but=("qwen_code",))
async def test_every_request_is_streamed(tmp_path: Path, agent: Agent) -> None:
    async with agent_scene(agent, tmp_path, ModelServer(task(DONE))) as scene:
        run = await scene.run()
        assert run.exit_code == 0, run.explained
        assert [spoken.asked.get("stream") for spoken in scene.posts] == [True] * len(scene.posts)
