"""`landline check` on a good backend, on broken ones, on the embedded model: as users run it, or in this process."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from landline.clients.checking.opening import own_bench
from landline.clients.checking.report import Result
from landline.clients.checking.running import chosen, run
from landline.clients.checking.verdict import Grade, grade
from landline.config.settings import Backend, Settings
from landline.upstream.embedded import EmbeddedModel, start_embedded
from tests.fakes import agent_model
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import gateway_to
from tests.fakes.model_server import ModelServer
from tests.fakes.upstream import Hang, Request, Status, Step

QWEN = "start vLLM with --enable-auto-tool-choice --tool-call-parser qwen3_coder"


class Verdict:
    """The results of one check, by probe."""

    def __init__(self, results: list[Result]) -> None:
        self.results = {result.id: result for result in results}
        self.grade = grade({result.id: result.passed for result in results})

    @property
    def failed(self) -> dict[str, Result]:
        return {probe: result for probe, result in self.results.items() if result.passed is False}

    @property
    def faults(self) -> set[tuple[str, str]]:
        """What is wrong, and what mends it."""
        return {(result.cause, result.mend) for result in self.failed.values()}

    @property
    def causes(self) -> set[str]:
        return {cause for cause, _ in self.faults}


async def checked(url: str, *, quick: bool = False, timeout_s: float = 60, **backend: Any) -> Verdict:
    async with own_bench(Settings(backend=Backend(url=url, **backend))) as bench:
        return Verdict([result async for result in run(bench, chosen(quick=quick), timeout_s=timeout_s)])


async def verdict_on(server: ModelServer, **options: Any) -> Verdict:
    async with server:
        return await checked(server.url, **options)


# ------------------------------------------------------------------------------------------------ good and broken


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_a_good_backend_is_ready(kind: str) -> None:
    verdict = await verdict_on(agent_model.server(kind=kind))
    assert verdict.failed == {}
    assert verdict.grade is Grade.READY
    untried = {probe for probe, result in verdict.results.items() if result.passed is None}
    assert untried == ({"image"} if kind == "vllm" else {"image", "template_tools"})


async def test_no_parser_on_a_server_that_hands_out_markup() -> None:
    verdict = await verdict_on(agent_model.server(agent_model.qwen_markup, kind="sglang"))
    assert verdict.faults == {("no_tool_parser", "start SGLang with --tool-call-parser qwen3_coder")}
    assert "direct_call" in verdict.failed  # the backend is asked itself: seen also where the gateway mends it
    assert verdict.grade is not Grade.READY


async def test_no_parser_on_a_vllm_that_refuses_tools() -> None:
    verdict = await verdict_on(agent_model.server(override=agent_model.refuses_tools))
    assert verdict.faults == {("no_tool_parser", QWEN)}
    assert "direct_call" in verdict.failed
    assert verdict.grade is not Grade.READY


async def test_a_parser_of_another_family() -> None:
    verdict = await verdict_on(agent_model.server(agent_model.half_parsed))
    assert verdict.causes == {"wrong_tool_parser"}
    assert all(QWEN in mend for _, mend in verdict.faults)
    assert "direct_call" in verdict.failed
    assert verdict.grade is not Grade.READY


async def test_the_parser_is_named_by_what_is_seen_where_no_family_fits() -> None:
    server = agent_model.server(agent_model.half_parsed, models=("my-model",))
    verdict = await verdict_on(server, quick=True)
    assert verdict.results["family"].passed is None
    assert all(QWEN in mend for _, mend in verdict.faults)


async def test_cut_arguments() -> None:
    verdict = await verdict_on(agent_model.server(agent_model.cut_arguments))
    assert verdict.causes == {"cut_arguments"}
    assert "update vLLM" in verdict.results["direct_call"].mend
    assert verdict.failed.keys() >= {"direct_call", "verbatim_code", "loop"}
    assert verdict.grade is Grade.NOT_READY


async def test_a_window_smaller_than_said() -> None:
    verdict = await verdict_on(agent_model.server(override=agent_model.smaller_window(20_000)))
    assert verdict.failed.keys() == {"context_50", "context_90"}
    mend = "set backend.window = 20000 in landline.toml, or start vLLM with --max-model-len 65536"
    assert verdict.faults == {("window_smaller_than_said", mend)}
    assert verdict.grade is Grade.LIMITED


async def test_prompts_cut_without_a_word() -> None:
    """Ollama: told 65,536 by /api/ps, but 20,000 are read."""
    server = agent_model.server(kind="ollama", cuts_prompts=True)
    server.answer = lambda body: Answer(text="I do not know.", usage=(20_000, 5, None))
    async with server:
        verdict = await checked(server.url)
    assert verdict.results["context_90"].cause == "prompts_cut_in_silence"
    assert "OLLAMA_CONTEXT_LENGTH" in verdict.results["context_90"].mend


def zero_cached(answer: Answer) -> Answer:
    return Answer(answer.text, answer.thinking, answer.tool_calls, answer.finish, usage=(1_500, 20, 0))


@pytest.mark.parametrize(
    ("server", "cause", "flag"),
    [
        (lambda: agent_model.server(zero_cached), "cache_off", "--enable-prefix-caching"),
        (
            lambda: agent_model.server(prefix_cache=False, override=agent_model.cache_metrics(enabled=False)),
            "cache_off",
            "--enable-prefix-caching",
        ),
        (
            lambda: agent_model.server(prefix_cache=False, override=agent_model.cache_metrics(enabled=True)),
            "cache_off",
            "--enable-prefix-caching",
        ),
        (
            lambda: agent_model.server(prefix_cache=False, override=agent_model.cache_metrics(enabled=True, hits=90)),
            "cache_not_reported",
            "--enable-prompt-tokens-details",
        ),
        (lambda: agent_model.server(prefix_cache=False), "cache_not_reported", "--enable-prompt-tokens-details"),
    ],
    ids=["zero", "metrics-say-off", "no-hits", "hits-but-silent", "nobody-tells"],
)
async def test_the_cache_off_or_silent(server: Callable[[], ModelServer], cause: str, flag: str) -> None:
    verdict = await verdict_on(server(), quick=True)
    assert verdict.causes == {cause}
    assert flag in verdict.results["cache"].mend
    assert verdict.grade is Grade.LIMITED


def thinks_aloud(answer: Answer) -> Answer:
    """No reasoning parser, and the template opened the tag."""
    return Answer(f"Let me see.\n</think>\n\n{answer.text}", "", answer.tool_calls, answer.finish)


async def test_thinking_in_the_text() -> None:
    verdict = await verdict_on(agent_model.server(thinks_aloud), quick=True)
    assert ("thinking_in_text", "start vLLM with --reasoning-parser qwen3") in verdict.faults
    assert "direct_call" in verdict.failed
    assert verdict.grade is not Grade.READY


async def test_a_small_window_is_not_ready() -> None:
    verdict = await verdict_on(agent_model.server(window=8_192), quick=True)
    assert verdict.failed.keys() == {"window", "window_room"}
    assert verdict.grade is Grade.NOT_READY


async def test_a_model_that_only_talks() -> None:
    server = agent_model.server()
    server.answer = lambda body: Answer(text="Certainly! I have read the file.")
    verdict = await verdict_on(server, quick=True)
    assert verdict.results["single_call"].cause == "model_does_not_call"
    assert verdict.results["loop"].cause == "model_does_not_finish_a_task"
    assert verdict.results["choice_any"].cause == "tool_choice_ignored"
    assert verdict.results["json_schema"].cause == "json_schema_ignored"
    assert verdict.grade is Grade.NOT_READY


async def test_a_probe_without_an_end_is_ended() -> None:
    def override(request: Request) -> list[Step] | None:
        return [Status(), Hang()] if request.path == "/v1/chat/completions" and request.json.get("stop") else None

    verdict = await verdict_on(agent_model.server(override=override), quick=True, timeout_s=1)
    assert verdict.causes == {"timed_out"}
    assert verdict.failed.keys() == {"stop_sequence"}


# ------------------------------------------------------------------------------------------------ the verb


class Verb:
    """The verb as a process over a temporary HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def start(self, *args: str, stderr: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        scratch = self.home / "scratch"
        scratch.mkdir(exist_ok=True)
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "TMPDIR": str(scratch), "LANG": "C.UTF-8"}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "landline", "check", *args,
            cwd=self.home, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=stderr,
        )  # fmt: skip

    async def run(self, *args: str) -> tuple[int, str, str]:
        process = await self.start(*args)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    @property
    def written(self) -> list[str]:
        """Every file in its HOME."""
        return [path.name for path in self.home.rglob("*") if path.is_file()]


@pytest.fixture
def verb(tmp_path: Path) -> Verb:
    return Verb(tmp_path)


@asynccontextmanager
async def running(server: ModelServer) -> AsyncIterator[ModelServer]:
    async with server:
        yield server


async def test_the_verb_from_a_good_backend_to_its_profile(verb: Verb) -> None:
    async with running(agent_model.server()) as server:
        code, out, err = await verb.run("--backend", server.url, "--grade", "READY", "--quick")
        assert (code, err) == (0, "")  # into a pipe, no progress is shown
        assert "READY: an agent can work" in out
        assert "landline-check" not in str(verb.written)
    assert len(verb.written) == 1  # the profile, and nothing else
    code, out, err = await verb.run("--last", "--json")
    told = json.loads(out)
    assert (code, told["grade"], told["model"], told["kind"]) == (0, "READY", "Qwen3.6-27B", "vllm")
    assert set(told["probes"][0]) == {"id", "title", "passed", "detail", "cause", "mend", "seconds"}
    assert (await verb.run("--last"))[1].splitlines()[1].startswith("READY")


async def test_the_exit_code_follows_the_grade_that_is_asked(verb: Verb) -> None:
    async with running(agent_model.server(prefix_cache=False)) as server:
        code, out, _ = await verb.run("--backend", server.url, "--quick", "--json")
        assert (code, json.loads(out)["grade"]) == (0, "LIMITED")
    assert (await verb.run("--last", "--grade", "READY"))[0] == 1
    assert (await verb.run("--last", "--grade", "LIMITED"))[0] == 0


async def test_nobody_answers(verb: Verb) -> None:
    code, out, err = await verb.run("--backend", "http://127.0.0.1:9")
    assert (code, out) == (2, "")
    assert "No model server answers at http://127.0.0.1:9" in err
    assert verb.written == []


async def test_a_model_that_is_not_served(verb: Verb) -> None:
    async with running(agent_model.server()) as server:
        code, _, err = await verb.run("--backend", server.url, "--model", "other")
    assert code == 2
    assert "Qwen3.6-27B" in err


async def test_nothing_is_kept_yet(verb: Verb) -> None:
    code, _, err = await verb.run("--last")
    assert code == 2
    assert "landline check --backend URL" in err


async def test_ctrl_c_prints_what_is_known(verb: Verb) -> None:
    def override(request: Request) -> list[Step] | None:
        return [Status(), Hang()] if request.path == "/v1/chat/completions" and request.json.get("stop") else None

    async with running(agent_model.server(override=override)) as server:
        process = await verb.start("--backend", server.url, "--quick")
        while not any(request.json.get("stop") for request in server.chats):
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 130
    assert b"NO VERDICT" in out
    assert b"single_call" in out
    assert b"Traceback" not in err
    assert verb.written == []  # half a check is no profile


async def test_progress_is_shown_on_a_terminal(verb: Verb) -> None:
    ours, theirs = pty.openpty()
    try:
        async with running(agent_model.server()) as server:
            process = await verb.start("--backend", server.url, "--quick", "--json", stderr=theirs)
            out, _ = await asyncio.wait_for(process.communicate(), 60)
        shown = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert json.loads(out)["grade"] == "READY"
    assert "1/23 Kind of server" in shown
    assert "23/23" in shown


async def test_through_a_gateway_that_runs(verb: Verb) -> None:
    async with running(agent_model.server()) as server, gateway_to(server.url) as gateway:
        code, out, err = await verb.run("--gateway", gateway.url, "--quick", "--json")
        told = json.loads(out)
        assert code == 0, err
        results = {probe["id"]: probe for probe in told["probes"]}
        assert told["kind"] == "vllm"
        assert told["window"] == 65_536
        assert results["direct_call"]["passed"] is None
        assert "--backend URL" in results["direct_call"]["detail"]
        code, out, _ = await verb.run("--gateway", gateway.url, "--backend", server.url, "--quick", "--json")
        results = {probe["id"]: probe for probe in json.loads(out)["probes"]}
        assert (code, results["direct_call"]["passed"]) == (0, True)


# ------------------------------------------------------------------------------------------------ the embedded model


def assert_true_of_a_tiny_model(verdict: Verdict, window: int) -> None:
    """135 million parameters, and a template without tools: not ready, for these reasons."""
    results = verdict.results
    assert verdict.grade is Grade.NOT_READY
    assert results["server"].detail.startswith("llamacpp")
    assert results["window"].cause == "window_too_small"
    assert f"{window:,} tokens" in results["window"].detail
    assert "-c 65536" in results["window"].mend
    assert results["template_tools"].cause == "tools_not_in_template"
    assert "--chat-template-file" in results["template_tools"].mend
    # It was shown no tools, and now and then makes up the marks of some: what it says is drawn anew each time.
    assert results["single_call"].cause in {"model_does_not_call", "model_does_not_end", "no_tool_parser"}
    assert results["loop"].passed is False
    assert results["image"].passed is None
    assert results["cache"].passed, results["cache"].detail
    assert results["speed_1"].passed, results["speed_1"].detail
    causes = {name: (result.cause, result.detail) for name, result in results.items()}
    assert not [name for name, (cause, _) in causes.items() if cause == "refused"], causes


@pytest.mark.embedded
@pytest.mark.timeout(600)
async def test_the_report_on_the_embedded_model_is_true(embedded_model: EmbeddedModel) -> None:
    verdict = await checked(embedded_model.url, quick=True, timeout_s=240)
    assert_true_of_a_tiny_model(verdict, embedded_model.window)


@pytest.mark.embedded
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_whole_check_of_the_embedded_model(weights: Path) -> None:
    model = await asyncio.to_thread(start_embedded, weights, window=4096, threads=1, parallel=2)
    try:
        verdict = await checked(model.url, timeout_s=120)
    finally:
        model.close()
    assert_true_of_a_tiny_model(verdict, 4096)
    assert verdict.results["speed_16"].passed is not None
    for percent in (25, 50, 90):
        result = verdict.results[f"context_{percent}"]
        assert result.passed or result.cause == "model_forgets_a_long_prompt"
