"""The real Codex on the Responses API: one loop with its tools, and how it takes what goes wrong."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from landline.clients import known
from landline.clients.codex_launch import own_instructions
from landline.clients.first_request import Trap
from landline.clients.launching import Request
from landline.config.settings import Backend, Gateway, Search, Settings
from landline.core.exchange import Exchange, Outcome
from landline.protocols.openai_responses.request import NO_SEARCHER
from landline.server.run import running_gateway
from tests.clients.codex import Codex, Run
from tests.clients.npm_clients import CODEX
from tests.clients.scene import check_append_only
from tests.clients.tap import Spoken, Tap
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.model_server import ModelServer, Reply
from tests.fakes.openai_streams import check_responses, response_events
from tests.fakes.upstream import Close, Send, Status, json_answer
from tests.fixtures_real import client_program

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]

MODEL = "local-model"
NO_SEARCH = Search()


@dataclass(frozen=True)
class Scene:
    run: Run
    spoken: list[Spoken]
    exchanges: list[Exchange]
    server: ModelServer

    @property
    def chats(self) -> list[Any]:
        return [request.json for request in self.server.chats]


@contextlib.asynccontextmanager
async def ran(root: Path, server: ModelServer, *, url: str = "", search: Search = NO_SEARCH) -> AsyncIterator[Scene]:
    """One run of Codex on a line of its own, to its end."""
    codex = Codex(CODEX.path(), root)
    async with server:
        settings = Settings(gateway=Gateway(drain_s=1), backend=Backend(url=url or server.url), search=search)
        async with running_gateway(settings) as gateway, Tap(gateway.url) as tap:
            run = await codex.run(tap.url, "create hello.txt", model=MODEL)
            posts = [spoken for spoken in tap.spoken if spoken.method == "POST"]
            yield Scene(run, posts, list(gateway.line.journal.recent), server)


def steps(*answers: Answer) -> Callable[[Any], Reply]:
    """The next step of a task, by the results that stand in the request."""
    return lambda body: answers[sum(message["role"] == "tool" for message in body["messages"])]


def execute(command: str, ident: str = "", **fields: Any) -> Answer:
    return Answer(tool_calls=(("exec_command", {"cmd": command}, ident),), **fields)


async def test_a_loop_writes_a_file(tmp_path: Path) -> None:
    work = execute("echo hello > hello.txt", thinking="I write it.", text="Writing.")
    agents = Answer(tool_calls=(("multi_agent_v1__close_agent", {"target": "nobody"}, "call_2"),))
    script = steps(work, agents, Answer(text="all done"))
    async with ran(tmp_path, ModelServer(script, prefix_cache=True)) as scene:
        assert scene.run.exit_code == 0, scene.run.explained
        assert scene.run.stdout.strip() == "all done"
        assert "I write it." in scene.run.stderr
        assert (tmp_path / "project" / "hello.txt").read_text() == "hello\n"
        assert [spoken.path for spoken in scene.spoken] == ["/v1/responses"] * 3
        check_append_only(scene.chats)
        first, second, last = (check_responses(spoken.answer, asked_model=MODEL) for spoken in scene.spoken)
        assert [block["type"] for block in first.content] == ["thinking", "text", "tool_use"]
        assert second.content[0]["name"] == "multi_agent_v1.close_agent"
        assert last.stop_reason == "end_turn"
        said = scene.chats[-1]["messages"]
        roles = [message["role"] for message in said]
        assert roles[0] == "system"
        assert roles[-4:] == ["assistant", "tool", "assistant", "tool"]
        assert roles.count("system") == 1
        assert (said[-4]["reasoning"], said[-4]["content"]) == ("I write it.", "Writing.")
        assert "Process exited with code 0" in said[-3]["content"]
        assert "unsupported call" not in said[-1]["content"]  # it knew the tool in its namespace
        records = scene.exchanges
        assert [record.outcome for record in records] == [Outcome.COMPLETED] * 3
        assert len({record.session for record in records}) == 1
        assert records[0].session
        assert all(record.notes.dropped == [NO_SEARCHER] for record in records)
        assert records[1].usage is not None
        assert records[1].usage.cached > records[0].usage.prompt - 2  # type: ignore[union-attr]


@pytest.mark.scenario("codex", "loop")
async def test_twenty_calls_are_twenty_one_requests(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One request a turn and nothing twice: counted at the client, in the gateway's records and at the backend."""
    script = steps(
        *(execute(f"echo {number} >> log.txt", f"call_{number}") for number in range(20)), Answer(text="all done")
    )
    async with ran(tmp_path, ModelServer(script, prefix_cache=True)) as scene:
        assert scene.run.exit_code == 0, scene.run.explained
        assert (tmp_path / "project" / "log.txt").read_text().split() == [str(number) for number in range(20)]
        assert [spoken.path for spoken in scene.spoken] == ["/v1/responses"] * 21
        assert [record.outcome for record in scene.exchanges] == [Outcome.COMPLETED] * 21
        assert [record.backend_requests for record in scene.exchanges] == [1] * 21
        assert [record.repeats_of for record in scene.exchanges] == [""] * 21
        assert len(scene.chats) == 21
        asked = [json.dumps(chat["messages"]) for chat in scene.chats]
        repeated = len(asked) - len(set(asked))
        assert repeated == 0
        check_append_only(scene.chats)
        calls = sum(len(message.get("tool_calls", ())) for message in scene.chats[-1]["messages"])
        told = {"tool calls": calls, "turns": calls + 1, "requests": len(scene.spoken), "repeated requests": repeated}
        for name, number in told.items():
            record_property(f"figure: Codex, {name}", number)


def test_its_own_words_are_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each launch: refused with a 402 and left to itself, it would ask six times in seven seconds."""
    asked: list[bytes] = []
    take = Trap.take
    monkeypatch.setattr(Trap, "take", lambda trap, data: (asked.append(data), take(trap, data))[1])
    for name in ("home", "folder"):
        (tmp_path / name).mkdir()
    launching = Request(
        args=(), environ={"PATH": os.environ["PATH"]}, home=tmp_path / "home", cwd=tmp_path, folder=tmp_path / "folder"
    )
    assert own_instructions(client_program(known.CODEX), launching).startswith("You are a coding agent")
    assert len(asked) == 1


async def test_a_subagent_has_the_session_of_its_main_loop_and_a_name_of_its_own(tmp_path: Path) -> None:
    spawn = Answer(tool_calls=(("multi_agent_v1__spawn_agent", {"message": "SUBTASK"}, "call_1"),))
    main = steps(spawn, execute("sleep 1", "call_2"), Answer(text="all done"))

    def script(body: Any) -> Reply:
        asked = [message["content"] for message in body["messages"] if message["role"] == "user"]
        return Answer(text="sub done") if "SUBTASK" in json.dumps(asked) else main(body)

    async with ran(tmp_path, ModelServer(script)) as scene:
        assert scene.run.exit_code == 0, scene.run.explained
        assert len(scene.spoken) >= 4
        assert len({record.session for record in scene.exchanges}) == 1
        agents = {record.agent for record in scene.exchanges}
        assert "" in agents
        assert len(agents) == 2


async def test_a_search_runs_in_the_gateway_between_its_own_calls(tmp_path: Path) -> None:
    """What was found stands in each later prompt, though the client keeps nothing but what it cannot read of it."""
    pages = tmp_path / "pages.json"
    pages.write_text(json.dumps([{"url": "https://docs.example.org/a", "title": "A", "text": "The word is xyzzy."}]))
    search = Search(command=("sh", "-c", 'cat "$0"', str(pages), "{query}"))
    look = Answer(thinking="I look first.", tool_calls=(("web_search", {"query": "the word"}, "c1"),))
    script = steps(look, execute("echo xyzzy > hello.txt"), Answer(text="all done"))
    async with ran(tmp_path, ModelServer(script, prefix_cache=True), search=search) as scene:
        assert scene.run.exit_code == 0, scene.run.explained
        assert scene.run.stdout.strip() == "all done"
        assert (tmp_path / "project" / "hello.txt").read_text() == "xyzzy\n"
        assert len(scene.spoken) == 2
        assert len(scene.chats) == 3
        first = check_responses(scene.spoken[0].answer, asked_model=MODEL)
        assert [block["type"] for block in first.content] == ["thinking", "search", "thinking", "tool_use"]
        check_append_only(scene.chats)
        roles = [message["role"] for message in scene.chats[-1]["messages"]]
        assert roles[-4:] == ["assistant", "tool", "assistant", "tool"]
        assert "The word is xyzzy." in scene.chats[-1]["messages"][-3]["content"]
        assert not any(record.notes.dropped for record in scene.exchanges)
        assert "the word" in scene.run.stderr  # it shows what was searched


async def test_calls_left_in_the_text_are_run(tmp_path: Path) -> None:
    call = json.dumps({"name": "exec_command", "arguments": {"cmd": "echo raw > hello.txt"}})
    script = steps(Answer(text=f"<tool_call>\n{call}\n</tool_call>"), Answer(text="all done"))
    async with ran(tmp_path, ModelServer(script)) as scene:
        assert scene.run.exit_code == 0, scene.run.explained
        assert (tmp_path / "project" / "hello.txt").read_text() == "raw\n"
        assert len(scene.spoken) == 2


async def test_a_prompt_that_is_too_long_is_told_in_words_it_knows(tmp_path: Path) -> None:
    async with ran(tmp_path, ModelServer(steps(Answer(text="never")), window=4_000)) as scene:
        assert scene.run.exit_code == 1
        assert "ran out of room in the model's context window" in scene.run.stderr
        assert (len(scene.spoken), len(scene.chats)) == (1, 0)


async def test_a_backend_that_never_answered_costs_one_request(tmp_path: Path) -> None:
    """Of a 503 it would make 30."""
    async with ran(tmp_path, ModelServer(), url="http://127.0.0.1:9") as scene:
        assert scene.run.exit_code == 1
        assert "Start the model server, or point landline at it" in scene.run.stderr
        assert len(scene.spoken) == 1


async def test_an_answer_cut_by_length_is_not_asked_for_again(tmp_path: Path) -> None:
    async with ran(tmp_path, ModelServer(steps(Answer(text="half a", finish="length")))) as scene:
        assert "Incomplete response returned" in scene.run.stderr, scene.run.explained
        assert len(scene.spoken) == 1


async def test_a_broken_stream_is_asked_for_again(tmp_path: Path) -> None:
    begun = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half"}))
    broken = [Status(), Send(begun), Close(finish=False)]
    answers: list[Reply] = [broken, json_answer(400, {"error": {"message": "no such grammar"}})]
    async with ran(tmp_path, ModelServer(lambda body: answers.pop(0))) as scene:
        assert scene.run.exit_code == 1
        assert "no such grammar" in scene.run.stderr
        assert len(scene.spoken) == 2  # the second is final: a 400 is not repeated
        assert response_events(scene.spoken[0].answer)[-1]["type"] == "response.failed"
