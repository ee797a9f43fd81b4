"""The SDKs for Python and TypeScript, the real ones, put through every scenario of the table of clients.

What each reads and raises in detail is in `tests/conformance` (Python).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from landline.core.exchange import Outcome
from landline.server.asgi import Relay
from landline.server.http_exchange import HttpExchange
from landline.server.run import RunningGateway
from tests.clients.agent_scene import turn_of
from tests.clients.scene import check_append_only
from tests.clients.sdk_programs import SDKS, Program, Saw
from tests.clients.tap import Spoken, Tap
from tests.fakes.chat_stream import DONE, Answer, chunk, sse
from tests.fakes.gateway_client import gateway_to, until
from tests.fakes.model_server import ModelServer, Reply
from tests.fakes.upstream import Close, Hang, Pause, Send, Status, json_answer

pytestmark = [pytest.mark.clients, pytest.mark.every_client, pytest.mark.timeout(120)]

STOPS = {"anthropic": "end_turn", "chat": "stop", "responses": "completed"}
BEGUN = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half of it"}))


def each_sdk(*scenarios: str) -> pytest.MarkDecorator:
    """One test per SDK and protocol, which fills these cells of its row."""
    return pytest.mark.parametrize(
        "sdk", [pytest.param(one, marks=pytest.mark.scenario(one, *scenarios)) for one in SDKS]
    )


class Line:
    def __init__(self, sdk: str, server: ModelServer, tap: Tap, gateway: RunningGateway) -> None:
        self.sdk, self.server, self.tap, self.gateway = sdk, server, tap, gateway

    async def run(self, scenario: str, prompt: str = "do the task") -> Saw:
        program: Program = SDKS[self.sdk]
        return await program(scenario, self.tap.url, prompt)

    @property
    def posts(self) -> list[Spoken]:
        return [spoken for spoken in self.tap.spoken if spoken.method == "POST"]

    @property
    def outcomes(self) -> list[Outcome]:
        return [record.outcome for record in self.gateway.line.journal.recent if record.path in PATHS]


PATHS = ("/v1/messages", "/v1/chat/completions", "/v1/responses")


@contextlib.asynccontextmanager
async def line_of(sdk: str, answer: Callable[[Any], Reply], **server: Any) -> AsyncIterator[Line]:
    async with (
        ModelServer(answer, **server) as model,
        gateway_to(model.url) as client,
        Tap(client.url) as tap,
    ):
        yield Line(sdk, model, tap, client.gateway)


def steps(*answers: Reply) -> Callable[[Any], Reply]:
    return lambda body: answers[turn_of(body)]


def write(path: Path, content: str, ident: str = "call_1") -> tuple[str, dict[str, Any], str]:
    return "write", {"path": str(path), "content": content}, ident


def execute(command: str, ident: str = "call_2") -> tuple[str, dict[str, Any], str]:
    return "execute", {"command": command}, ident


@pytest.mark.parametrize(
    ("sdk", "mode"),
    [
        pytest.param(sdk, mode, marks=pytest.mark.scenario(sdk, mode), id=f"{sdk}-{mode}")
        for sdk in SDKS
        for mode in ("loop", "non_stream")
    ],
)
async def test_a_loop_writes_a_file_and_runs_a_command(tmp_path: Path, sdk: str, mode: str) -> None:
    file, copy = tmp_path / "hello.txt", tmp_path / "copy.txt"
    first = Answer(thinking="I write it.", text="Writing.", tool_calls=(write(file, "hello ü"),))
    second = Answer(tool_calls=(execute(f"cat {file} | tee {copy}"),))
    async with line_of(sdk, steps(first, second, Answer(text="all done"))) as line:
        saw = await line.run(mode)
        assert (saw.turns, saw.text) == (3, "all done"), saw
        assert saw.stop == next(stop for name, stop in STOPS.items() if name in sdk)
        assert (file.read_text(), copy.read_text()) == ("hello ü", "hello ü")
        answered = line.posts
        if sdk.startswith("anthropic"):  # asks for a thread first, and goes on without
            assert (answered[0].status, answered[0].asked["thread"]) == (400, {"type": "create"})
            answered = answered[1:]
        assert [spoken.streamed for spoken in answered] == [mode == "loop"] * 3
        assert all("thread" not in spoken.asked for spoken in answered)
        assert line.outcomes[-3:] == [Outcome.COMPLETED] * 3
        chats = [request.json for request in line.server.chats]
        check_append_only(chats)
        results = [message["content"] for message in chats[-1]["messages"] if message["role"] == "tool"]
        assert results == ["written", "hello ü"]


@each_sdk("parallel")
async def test_parallel_calls_come_back_in_one_turn(tmp_path: Path, sdk: str) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    made = (write(one, "1", "same"), write(two, "2", "same"), execute("echo three", "same"))
    async with line_of(sdk, steps(Answer(text="Three.", tool_calls=made), Answer(text="all done"))) as line:
        saw = await line.run("loop")
        assert (saw.turns, saw.text) == (2, "all done"), saw
        assert (one.read_text(), two.read_text()) == ("1", "2")
        results = [one["content"] for one in line.server.chats[-1].json["messages"] if one["role"] == "tool"]
        assert results == ["written", "written", "three\n"]


@each_sdk("error")
async def test_a_refusal_is_the_sdk_s_own_error_and_is_not_repeated(sdk: str) -> None:
    refused = json_answer(400, {"error": {"message": "no such grammar"}})
    async with line_of(sdk, lambda body: refused) as line:
        error = (await line.run("stream")).error
        assert (error["kind"], error["status"]) == ("BadRequestError", 400)
        assert "no such grammar" in error["message"]
        assert len(line.posts) == 1


@each_sdk("overflow")
async def test_an_overflow_is_told_in_the_words_of_its_protocol(sdk: str) -> None:
    async with line_of(sdk, lambda body: Answer(text="never"), window=4_000) as line:
        error = (await line.run("stream", "word " * 5_000)).error
        assert (error["kind"], error["status"]) == ("BadRequestError", 400)
        assert "prompt is too long: " in error["message"]
        assert "tokens > 4000 maximum" in error["message"]
        if sdk.startswith("openai"):
            assert error["code"] == "context_length_exceeded"
        assert (len(line.posts), len(line.server.chats)) == (1, 0)


@each_sdk("cut")
async def test_a_cut_stream_is_an_error_behind_what_was_said(sdk: str) -> None:
    broken = [Status(), Send(BEGUN), Pause(0.2), Close(finish=False)]
    async with line_of(sdk, lambda body: broken) as line:
        saw = await line.run("stream")
        assert saw.error["seen"] == "half of it", saw
        assert "ended before the answer was complete" in saw.error["message"]
        assert len(line.posts) == 1
        assert line.outcomes == [Outcome.FAILED]


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.endswith("_chat")])
async def test_what_is_forwarded_is_relayed_in_its_chunks(sdk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a backend knows log probabilities: so the answer goes to the client as it came."""
    words = [f"word {number}, " for number in range(50)]
    chunks = [chunk({"role": "assistant", "content": ""}), *map(scored, words), chunk({}, "stop"), DONE]
    sent = [sse(one) for one in chunks]
    spaced = [step for event in sent for step in (Send(event), Pause(0.01))]
    relayed = watched_relay(monkeypatch)
    async with line_of(sdk, lambda body: [Status(), *spaced]) as line:
        saw = await line.run("scored")
        assert (saw.text, saw.tokens, saw.stop) == ("".join(words), words, "stop"), saw
        assert line.posts[0].answer == b"".join(sent)
    # The first reads of an answer go through the parser, and so do two events that came in one read.
    assert len(relayed) > len(words) / 2
    assert set(relayed) <= {b"%x\r\n%b\r\n" % (len(event), event) for event in sent}


def scored(token: str) -> dict[str, Any]:
    made = chunk({"content": token})
    score = {"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": []}
    made["choices"][0]["logprobs"] = {"content": [score]}
    return made


def watched_relay(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The chunks that go to clients past the parser, from now on."""
    seen: list[bytes] = []
    plain = HttpExchange.relay

    def relay(exchange: HttpExchange, pause: Callable[[], None], resume: Callable[[], None]) -> Relay:
        made = plain(exchange, pause, resume)
        assert made.chunk is not None
        send = made.chunk

        def seen_and_sent(data: bytes) -> None:
            seen.append(data)
            send(data)

        return Relay(made.take, seen_and_sent)

    monkeypatch.setattr(HttpExchange, "relay", relay)
    return seen


@each_sdk("hang_up")
async def test_a_hang_up_frees_the_backend(sdk: str) -> None:
    async with line_of(sdk, lambda body: [Status(), Send(BEGUN), Hang()]) as line:
        running = asyncio.ensure_future(line.run("hang"))
        await until(lambda: bool(line.server.chats), timeout_s=30)
        [request] = line.server.chats
        await asyncio.wait_for(request.done.wait(), 10)
        assert request.closed_at is not None
        if "typescript" in sdk:
            assert not running.done()  # it was the request that ended, not the program
        assert (await running).aborted
        await until(lambda: bool(line.outcomes))
        assert line.outcomes == [Outcome.CLIENT_CLOSED]
