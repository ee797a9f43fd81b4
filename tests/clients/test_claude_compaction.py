"""The real Claude Code against a window that its conversation outgrows: it must compact by itself, and finish."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from landline.core.exchange import Exchange, Outcome
from landline.transforms.limits import LARGEST_RESERVE, RESERVED_SHARE
from tests.clients.claude import Claude
from tests.clients.scene import Scene, bash, scene
from tests.fakes import model_server
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import Kind, ModelServer, count_tokens, render_prompt
from tests.fakes.upstream import Pause, Request, Step

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]

STEPS = 9
BYTES_PER_STEP = 12_800
ROOM_STEPS = 6  # the window holds the first prompt and so many steps
TOO_LONG = re.compile(r"prompt is too long: (\d+) tokens > (\d+) maximum")


class QueueingServer(ModelServer):
    """Near its window it is slow: for `queue_s` it says neither yes nor no. Says what it refused as too long."""

    def __init__(self, answer: AgentScript, *, queue_s: float, **options: Any) -> None:
        super().__init__(answer, **options)
        self.queue_s = queue_s
        self.too_long: list[Request] = []

    def _chat(self, request: Request) -> list[Step]:
        steps = super()._chat(request)
        tokens = count_tokens(request.json)
        if tokens > self.window:
            self.too_long.append(request)
        return [Pause(self.queue_s if tokens > 0.95 * self.window else 0), *steps]


class Case(NamedTuple):
    """`dense` text has one byte a token, as base64 nearly has: its length does not show that it cannot fit."""

    kind: Kind
    dense: bool = False
    queue_s: float = 0


def long_task() -> AgentScript:
    filler = "for i in $(seq 600); do echo 0123456789abcdef$i; done"
    return AgentScript([bash(f"echo {n} >> log.txt; {filler}") for n in range(STEPS)] + [Answer(text="all done")])


@pytest.fixture(scope="module")
def first_prompts() -> dict[str, int]:
    """Version and kind of backend, to the bytes that it gets before anything was done."""
    return {}


async def first_prompt_bytes(claude: Claude, known: dict[str, int], kind: Kind = "vllm") -> int:
    key = f"{claude.program.version} {kind}"
    if key not in known:
        async with scene(claude, ModelServer(lambda body: Answer(text="hi"), kind=kind)) as line:
            assert (await line.run()).exit_code == 0
            known[key] = len(render_prompt(line.chats[0]).encode())
    return known[key]


async def compacted(line: Scene, script: AgentScript) -> list[Exchange]:
    """Runs the task; the records of what was not answered whole. Each step was done once, with one summary between."""
    run = await line.run()
    assert run.exit_code == 0, run.explained
    assert run.said == "all done"
    assert (line.claude.project / "log.txt").read_text().split() == [str(number) for number in range(STEPS)]
    assert script.given == list(range(STEPS + 1)), line.story()
    assert script.calls.count("compaction") == 1
    assert script.calls.index("compaction") >= 5
    line.check_streams()
    line.check_backend_saw_only_chat()
    for record in line.exchanges:
        assert record.outcome is not Outcome.COMPLETED or (record.usage is not None and record.usage.exact)
    bad = [record for record in line.exchanges if record.outcome is not Outcome.COMPLETED]
    assert len(line.calls) == len(line.exchanges) == STEPS + 2 + len(bad), line.story()
    return bad


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case("plain"), id="its own refusal, window unknown"),
        pytest.param(Case("vllm"), id="counted before asking"),
        pytest.param(Case("vllm", dense=True), id="vLLM's own refusal"),
        pytest.param(Case("llamacpp", dense=True), id="llama.cpp's own refusal"),
        pytest.param(Case("vllm", dense=True, queue_s=1.2), id="counted while it queues"),
        pytest.param(Case("llamacpp", dense=True, queue_s=1.2), id="counted while it queues at llama.cpp"),
    ],
)
@pytest.mark.scenario("claude_code", "overflow")
async def test_an_overflow_makes_the_client_compact_and_finish(
    claude: Claude, first_prompts: dict[str, int], monkeypatch: pytest.MonkeyPatch, case: Case
):
    if case.dense:
        monkeypatch.setattr(model_server, "BYTES_PER_TOKEN", 1)
    size = await first_prompt_bytes(claude, first_prompts, case.kind) + ROOM_STEPS * BYTES_PER_STEP
    window = size // model_server.BYTES_PER_TOKEN
    script = long_task()
    server = QueueingServer(script, queue_s=case.queue_s, kind=case.kind, window=window)
    async with scene(claude, server, commit_after_s=0.3, heartbeat_s=0.3) as line:
        [refused] = await compacted(line, script)
        assert (refused.outcome, refused.status) == (Outcome.REFUSED, 400)
        [spoken] = [spoken for spoken in line.calls if spoken.status != 200]
        error = json.loads(spoken.answer)["error"]
        assert error["type"] == "invalid_request_error"
        told = TOO_LONG.fullmatch(error["message"])
        assert told is not None, error
        # Refused by us, a turn leaves room for the request for a summary; the backend's own word is its whole window.
        assert int(told[2]) in {window, window - min(window // RESERVED_SHARE, LARGEST_RESERVE)}

        asked_first = case.kind == "plain" or case.dense
        assert len(server.too_long) == asked_first
        for request in server.too_long:
            # The numbers decide how much the client cuts away. Only a server that cannot count leaves an estimate.
            counted = count_tokens(request.json)
            assert int(told[1]) == pytest.approx(counted, rel=0.1 if case.kind == "plain" else 0)
            assert (request.closed_at is not None) == (case.queue_s > 0)  # nobody waits for it any more


@pytest.mark.scenario("claude_code", "overflow")
async def test_an_overflow_that_is_told_too_late_still_ends_in_a_compaction(
    claude: Claude, first_prompts: dict[str, int]
):
    """A slow backend that cannot count and does not tell its window: the answer is open when the refusal comes.

    The client repeats such a call without streaming, and then gets the words it understands.
    """
    size = await first_prompt_bytes(claude, first_prompts) + ROOM_STEPS * BYTES_PER_STEP
    script = long_task()
    server = QueueingServer(script, queue_s=0.6, kind="plain", window=size // model_server.BYTES_PER_TOKEN)
    async with scene(claude, server, commit_after_s=0.3, heartbeat_s=0.3) as line:
        failed, refused = await compacted(line, script)
        assert (failed.outcome, failed.status, failed.stream) == (Outcome.FAILED, 200, True)
        assert (refused.outcome, refused.status, refused.stream) == (Outcome.REFUSED, 400, False)
        assert len(server.too_long) == 2
