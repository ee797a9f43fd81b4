"""The real Claude Code in plain tool loops: one request per turn, nothing repeated, and a prompt that only grows."""

from __future__ import annotations

from itertools import pairwise

import pytest

from landline.core.exchange import Outcome
from tests.clients.claude import Claude
from tests.clients.scene import SERVED, Scene, bash, check_append_only, dropped, repairs, scene, write
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import ModelServer, count_tokens

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]


def check_counted(line: Scene) -> None:
    """What was recorded and what the client added up are the backend's own numbers."""
    for record, chat in zip(line.exchanges, line.chats, strict=True):
        assert record.usage is not None
        assert record.usage.prompt == count_tokens(chat)
        assert record.usage.output > 0


@pytest.mark.scenario("claude_code", "loop")
async def test_a_loop_writes_a_file_and_runs_a_command(claude: Claude):
    file = claude.project / "hello.txt"
    script = AgentScript([write(file, "hello\n"), bash("cat hello.txt > copy.txt"), Answer(text="all done")])
    async with scene(claude, ModelServer(script, prefix_cache=True)) as line:
        run = await line.run("create hello.txt")
        assert run.exit_code == 0, run.explained
        assert run.said == "all done"
        assert file.read_text() == "hello\n"
        assert (claude.project / "copy.txt").read_text() == "hello\n"

        line.check_completed(requests=3)
        assert script.given == [0, 1, 2]
        assert [folded.stop_reason for folded in line.check_streams()] == ["tool_use", "tool_use", "end_turn"]
        line.check_backend_saw_only_chat()
        check_append_only(line.chats)
        check_counted(line)


async def test_a_turn_costs_its_new_tokens_only_and_the_client_is_told_so(claude: Claude):
    script = AgentScript([bash(f"echo {number}") for number in range(12)] + [Answer(text="all done")])
    async with scene(claude, ModelServer(script, prefix_cache=True)) as line:
        run = await line.run()
        assert run.exit_code == 0, run.explained
        line.check_completed(requests=13)
        check_append_only(line.chats)
        if claude.program.version == "2.1.197":  # puts a reminder between two turns of a long loop
            roles = [message["role"] for message in line.calls[-1].asked["messages"]]
            assert "system" in roles[2:]
        usages = [record.usage for record in line.exchanges if record.usage is not None]
        assert usages[0].cached == 0
        for before, now in pairwise(usages):
            assert now.cached >= before.prompt - 1
            assert now.fresh < 600
        told = run.result["usage"]
        assert told["input_tokens"] == sum(usage.fresh for usage in usages)
        assert told["cache_read_input_tokens"] == sum(usage.cached for usage in usages)
        assert told["output_tokens"] == sum(usage.output for usage in usages)


@pytest.mark.scenario("claude_code", "parallel")
async def test_parallel_calls_of_one_answer_come_back_in_one_turn(claude: Claude):
    one, two = claude.project / "one.txt", claude.project / "two.txt"
    calls = [*write(one, "1").tool_calls, *write(two, "2").tool_calls, *bash("echo three").tool_calls]
    script = AgentScript([Answer(text="Three at once.", tool_calls=tuple(calls)), Answer(text="all done")])
    async with scene(claude, ModelServer(script)) as line:
        run = await line.run()
        assert run.exit_code == 0, run.explained
        assert (one.read_text(), two.read_text()) == ("1", "2")
        line.check_completed(requests=2)
        line.check_backend_saw_only_chat()
        check_append_only(line.chats)
        first, _ = line.check_streams()
        assert [block["type"] for block in first.content] == ["text", "tool_use", "tool_use", "tool_use"]

        said, *results = [message for message in line.chats[1]["messages"] if message["role"] in {"assistant", "tool"}]
        assert said["content"] == "Three at once."
        ids = [call["id"] for call in said["tool_calls"]]
        assert len(set(ids)) == 3
        assert all(ident.startswith("call_s0_") for ident in ids)  # the backend's own
        assert [result["tool_call_id"] for result in results] == ids
        assert "three" in results[2]["content"]


async def test_a_backend_that_uses_one_tool_id_for_all_calls(claude: Claude):
    native = "functions.Bash:0"
    script = AgentScript([bash(f"echo {n} >> log.txt", call_id=native) for n in range(4)] + [Answer(text="all done")])
    async with scene(claude, ModelServer(script)) as line:
        run = await line.run()
        assert run.exit_code == 0, run.explained
        assert run.said == "all done"
        assert (claude.project / "log.txt").read_text().split() == ["0", "1", "2", "3"]
        line.check_completed(requests=5)
        check_append_only(line.chats)
        line.check_streams()  # ids that the client met are unique

        messages = line.chats[-1]["messages"]
        called = [call["id"] for message in messages for call in message.get("tool_calls", ())]
        answered = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
        assert called == answered == [native] * 4


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_thinking_comes_back_to_the_backend_as_its_own(claude: Claude, field: str):
    thought = "The user wants a file.\n\nSo I write one: ünïcode and all."
    script = AgentScript([bash("echo 1", thinking=thought, text="I begin."), Answer(thinking="Over.", text="all done")])
    async with scene(claude, ModelServer(script, reasoning_field=field)) as line:
        run = await line.run()
        assert run.exit_code == 0, run.explained
        assert run.said == "all done"
        line.check_completed(requests=2)
        line.check_streams()
        check_append_only(line.chats)
        [said] = [message for message in line.chats[1]["messages"] if message["role"] == "assistant"]
        assert said["reasoning"] == said["reasoning_content"] == thought
        assert said["content"] == "I begin."


@pytest.mark.parametrize("asked", ["sonnet[1m]", "haiku", "claude-opus-4-6", "Somebody/Else-7B"])
async def test_any_model_name_is_answered_by_a_served_one(claude: Claude, asked: str):
    async with scene(claude, ModelServer(lambda body: Answer(text="here"), models=("first", SERVED))) as line:
        run = await line.run(model=asked)
        assert run.exit_code == 0, run.explained
        assert run.said == "here"
        line.check_completed(requests=1)
        line.check_streams()  # the client reads the name that it asked for
        line.check_backend_saw_only_chat()
        [record] = line.exchanges
        assert record.outcome is Outcome.COMPLETED
        assert record.model_asked == line.calls[0].asked["model"]
        assert record.model_served == "first"


async def test_what_cannot_be_carried_is_recorded_and_nothing_else(claude: Claude):
    async with scene(claude, ModelServer(lambda body: Answer(text="here"))) as line:
        assert (await line.run()).exit_code == 0
        lost = {"billing line"}
        names = {tool["name"] for tool in line.calls[0].asked["tools"]}
        if "DeferredToolPlaceholder" in names:
            lost.add("tool DeferredToolPlaceholder")
        if "WebSearch" in names:
            lost.add("tool WebSearch (no search service is configured: search.url or search.command)")
        assert set(dropped(line.exchanges)) == lost
        assert set(repairs(line.exchanges)) == {"system message inside the conversation re-roled to user, in place"}
