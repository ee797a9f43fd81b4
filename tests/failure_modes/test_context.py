"""Group 5: the window is known, told and enforced with the words that make a client compact; counts are true."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from landline.cli import watch_view
from landline.cli.watch_view import view
from landline.clients.claude_code import compaction_point_of, launch_environment
from landline.clients.live_gateway import LiveTotals, Snapshot
from landline.core.exchange import Notes
from landline.core.model import Conversation
from landline.protocols.anthropic_messages.request import decode_request
from landline.transforms.largest import largest_parts
from landline.transforms.limits import LARGEST_RESERVE, prompt_limit
from landline.upstream.backend import Backend, BackendKind, ServedModel
from tests.fakes.anthropic_events import events_of
from tests.fakes.chat_stream import DONE, Answer, chunk, sse
from tests.fakes.gateway_client import GatewayClient, Reply, gateway_to, request_body
from tests.fakes.model_server import ModelServer, count_tokens, overflow_error
from tests.fakes.upstream import Send, json_answer
from tests.property.requests import written

TOO_LONG = re.compile(r"prompt is too long: (\d+) tokens > (\d+) maximum")
CLAUDE = {"user-agent": "claude-cli/2.1.329 (external, cli)"}
DOCS = Path(__file__).resolve().parents[2] / "docs"
SUMMARY = "CRITICAL: respond with TEXT ONLY. Write your <analysis>, then a <summary> of the conversation."


def overflow_of(reply: Reply) -> tuple[int, int]:
    """The two numbers of the one form that every client version recognises; it stands alone."""
    status, kind, text = reply.error
    told = TOO_LONG.fullmatch(text)
    assert (status, kind) == (400, "invalid_request_error")
    assert told is not None, text
    return int(told[1]), int(told[2])


def decoded(body: dict[str, Any]) -> Conversation:
    return decode_request(written(body), Notes())[1]


# ------------------------------------------------------------------------------------------ the window, told


@pytest.mark.row("5.01")
async def test_row_5_01_an_overflow_is_told_in_the_words_that_make_a_client_compact() -> None:
    server = ModelServer(lambda _: overflow_error("plain", 9000, 8192), kind="plain")
    async with server, gateway_to(server.url) as client:
        for stream in (False, True):
            prompt, window = overflow_of(await client.messages(request_body("word " * 8000, stream=stream)))
            assert prompt > window == 8192


@pytest.mark.row("5.01")
@pytest.mark.parametrize("window", [32_768, 65_536, 131_072, 262_144, 1_000_000])
def test_row_5_01_the_launcher_makes_the_client_compact_inside_the_window(window: int) -> None:
    environ = launch_environment(
        base_url="http://127.0.0.1:1", token="t", model="m", window=window, max_output=8000, inherited={}
    )
    assert 0 < compaction_point_of(environ) < window - 8000


@pytest.mark.row("5.02")
async def test_row_5_02_the_suffix_that_declares_a_long_window_reaches_no_backend() -> None:
    async with ModelServer(models=("first", "x"), window=400_000) as server, gateway_to(server.url) as client:
        for asked in ("x[1m]", "x[1M][1m]"):
            reply = await client.messages(request_body() | {"model": asked})
            assert reply.json["model"] == asked
            assert server.chats[-1].json["model"] == "x"
        assert {row["max_model_len"] for row in (await client.call("GET", "/v1/models")).json["data"]} == {400_000}


@pytest.mark.row("5.02")
def test_row_5_02_both_variables_declare_a_window_above_200k() -> None:
    environ = launch_environment(
        base_url="http://127.0.0.1:1", token="t", model="m", window=400_000, max_output=8000, inherited={}
    )
    names = ("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW")
    assert {environ[name] for name in names} == {"400000"}


@pytest.mark.row("5.03")
async def test_row_5_03_usage_rises_with_the_session_even_where_a_backend_tells_none() -> None:
    steps = [Send(sse(chunk({"role": "assistant", "content": "hello"}), chunk({}, "stop"), DONE))]
    server = ModelServer(lambda _: steps, kind="plain")
    async with server, gateway_to(server.url) as client:
        told: list[int] = []
        for turn in (1, 2):
            reply = await client.stream(request_body("word " * 2000 * turn))
            last = [event.data["usage"] for event in events_of(reply.body) if event.type == "message_delta"][-1]
            told.append(last["input_tokens"] + last["cache_read_input_tokens"])
        assert told[0] > 2000
        assert told[1] > 1.8 * told[0]


@pytest.mark.row("5.04")
@pytest.mark.parametrize("stream", [True, False])
async def test_row_5_04_scaled_usage_is_told_and_the_record_is_true(*, stream: bool) -> None:
    from landline.config.settings import Models

    server = ModelServer(lambda _: Answer(text="hi", usage=(300, 7, 100)), window=50_000)
    async with server, gateway_to(server.url, models=Models(reported_window=200_000)) as client:
        reply = await client.messages(request_body(stream=stream))
        usage = events_of(reply.body)[-2].data["usage"] if stream else reply.json["usage"]
        assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (800, 400, 7)
        exchange = await client.settled()
        assert exchange.usage is not None
        assert (exchange.usage.prompt, exchange.usage.cached) == (300, 100)
        assert exchange.notes.repairs == ["usage told to the client scaled by 4.00: models.reported_window"]


@pytest.mark.row("5.04")
@pytest.mark.parametrize("reported", [0, 20_000])
async def test_row_5_04_usage_is_never_scaled_down_nor_unasked(reported: int) -> None:
    from landline.config.settings import Models

    server = ModelServer(lambda _: Answer(text="hi", usage=(300, 7, None)), window=50_000)
    async with server, gateway_to(server.url, models=Models(reported_window=reported)) as client:
        assert (await client.messages()).json["usage"]["input_tokens"] == 300
        assert (await client.settled()).notes.repairs == []


# ------------------------------------------------------------------------------------------ counting

TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}, "eager_input_streaming": True, "x_new": {"a": [1]}}]
COUNTED = request_body("hello " * 300, system="be brief " * 200, tools=TOOLS)


async def counted(client: GatewayClient, body: dict[str, Any] = COUNTED) -> Reply:
    return await client.call("POST", "/v1/messages/count_tokens?beta=true", body=body)


@pytest.mark.row("5.05")
@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_row_5_05_counts_agree_with_usage_also_25_at_once(kind: Any) -> None:
    async with ModelServer(kind=kind) as server, gateway_to(server.url) as client:
        used = (await client.messages(COUNTED)).json["usage"]["input_tokens"]
        replies = await asyncio.gather(*(counted(client) for _ in range(25)))
        assert {(reply.status, reply.json["input_tokens"]) for reply in replies} == {(200, used)}


@pytest.mark.row("5.06")
async def test_row_5_06_a_count_goes_to_the_backend_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ModelServer() as server, ModelServer() as elsewhere, gateway_to(server.url) as client:
        for name in ("ANTHROPIC_BASE_URL", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, elsewhere.url)
        assert (await counted(client)).status == 200
        assert len(server.requests_to("/tokenize")) == 1
        assert elsewhere.requests == []


@pytest.mark.row("5.07")
async def test_row_5_07_a_count_covers_system_and_tools() -> None:
    async with ModelServer() as server, gateway_to(server.url) as client:
        await client.messages(COUNTED)
        told = (await counted(client)).json["input_tokens"]
        assert told == count_tokens(server.chats[0].json)
        assert told > (await counted(client, request_body("hello " * 300))).json["input_tokens"] + 400


@pytest.mark.row("5.08")
@pytest.mark.parametrize(("kind", "said"), [("vllm", "exact"), ("llamacpp", "exact"), ("plain", "estimated")])
async def test_row_5_08_a_count_says_whether_it_is_exact(kind: Any, said: str) -> None:
    async with ModelServer(kind=kind) as server, gateway_to(server.url) as client:
        assert (await counted(client)).headers["landline-token-count"] == said


@pytest.mark.row("5.09")
async def test_row_5_09_a_count_takes_tool_fields_that_nobody_knows() -> None:
    async with ModelServer() as server, gateway_to(server.url) as client:
        reply = await counted(client)
        assert reply.status == 200
        assert reply.json["input_tokens"] > 0


# ------------------------------------------------------------------------------------------ windows too small


def with_window(kind: BackendKind, window: int) -> Backend:
    backend = Backend("http://127.0.0.1:1")
    backend.kind, backend.models = kind, (ServedModel("m", window),)
    return backend


@pytest.mark.row("5.11")
async def test_row_5_11_a_server_with_its_default_window_is_said_to_be_too_small() -> None:
    async with ModelServer(kind="lmstudio", window=4096) as server, gateway_to(server.url) as client:
        [finding] = (await client.call("GET", "/ready")).json["findings"]
        assert "window of 4096 tokens is too small" in finding
        assert "LM Studio with a context length of 65536" in finding
        assert (await client.call("GET", "/landline/live")).json["backends"][0]["findings"] == [finding]


@pytest.mark.row("5.12")
@pytest.mark.parametrize(
    ("window", "words"),
    [(4096, "too small"), (32_767, "too small"), (32_768, "small for an agent"), (63_999, "small for an agent")],
)
def test_row_5_12_a_copied_max_model_len_is_explained(window: int, words: str) -> None:
    [finding] = with_window(BackendKind.VLLM, window).findings
    assert f"window of {window} tokens" in finding
    assert words in finding
    assert "--max-model-len 65536" in finding


@pytest.mark.row("5.12")
@pytest.mark.parametrize("window", [0, 64_000, 65_536, 131_072])
def test_row_5_12_nothing_is_said_of_a_window_that_does(window: int) -> None:
    assert with_window(BackendKind.VLLM, window).findings == ()


# ------------------------------------------------------------------------------------------ the first request


def described(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "description": "d" * size, "input_schema": {"type": "object"}}


LARGE = request_body(
    "say hi",
    system=[{"type": "text", "text": "s" * 9000}],
    tools=[
        described("Bash", 14_000),
        described("mcp__files__read", 15_000),
        described("mcp__files__write", 15_000),
        described("Workflow", 4000),
    ],
)


@pytest.mark.row("5.13")
def test_row_5_13_the_biggest_parts_and_what_removes_them() -> None:
    parts = largest_parts(decoded(LARGE), bytes_per_token=4.0)
    assert [part.name for part in parts] == ["MCP server files", "tool Bash", "system text"]
    assert parts[0].tokens == pytest.approx(7500, rel=0.02)
    assert "--strict-mcp-config" in parts[0].remedy
    assert "CLAUDE_CODE_SIMPLE=1" in parts[1].remedy
    workflow, _ = largest_parts(decoded(request_body("hi", tools=[described("Workflow", 9)])), bytes_per_token=4.0)
    assert workflow.remedy == "CLAUDE_CODE_DISABLE_WORKFLOWS=1"


@pytest.mark.row("5.13")
async def test_row_5_13_a_first_request_that_does_not_fit_is_taken_apart() -> None:
    async with ModelServer(window=4096) as server, gateway_to(server.url) as client:
        overflow_of(await client.messages(LARGE))
        exchange = await client.settled()
        assert [name for name, _ in exchange.largest] == ["MCP server files", "tool Bash", "system text"]
        [alert] = [alert for alert in exchange.notes.alerts if "first request" in alert]
        assert "--strict-mcp-config" in alert


@pytest.mark.row("5.14")
async def test_row_5_14_length_is_max_tokens_and_the_continuation_is_clamped() -> None:
    answer = Answer(text="cut", finish="length")
    async with ModelServer(lambda _: answer, window=20_000) as server, gateway_to(server.url) as client:
        reply = await client.messages(request_body(max_tokens=128_000))
        assert reply.json["stop_reason"] == "max_tokens"
        [chat] = server.chats
        assert chat.json.get("max_tokens", chat.json.get("max_completion_tokens")) < 20_000


# ------------------------------------------------------------------------------------------ overflow

OVERFLOWS = {
    "vLLM": "This model's maximum context length is 8192 tokens. However, your prompt contains at least 8193 input "
    "tokens, which exceeds this limit.",
    "vLLM, older": "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
    "llama.cpp": "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "SGLang": "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "LM Studio": "The number of tokens to keep from the initial prompt is greater than the context length.",
    "Ollama": "input length exceeds the context length",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192.",
}


@pytest.mark.row("5.17")
@pytest.mark.parametrize("said", OVERFLOWS.values(), ids=list(OVERFLOWS))
async def test_row_5_17_every_wording_becomes_one_before_the_first_byte(said: str) -> None:
    steps = json_answer(400, {"error": {"message": said, "type": "BadRequestError", "code": 400}})
    async with ModelServer(lambda _: steps, kind="plain") as server, gateway_to(server.url) as client:
        prompt, window = overflow_of(await client.stream(request_body("word " * 8000)))
        assert prompt > window > 0


def turns(answers: int, last: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A tool loop with so many answers of the model; `last` are the blocks behind its last call's result."""
    out: list[dict[str, Any]] = [{"role": "user", "content": "start"}]
    for number in range(answers):
        call = {"type": "tool_use", "id": f"c{number}", "name": "Bash", "input": {}}
        result = {"type": "tool_result", "tool_use_id": f"c{number}", "content": f"{number:04}" * 100}
        behind = last if number == answers - 1 else []
        out += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result, *behind]}]
    return out


REMINDER = {"type": "text", "text": "<system-reminder>Keep a summary of your tasks.</system-reminder>"}


@pytest.mark.row("5.18")
@pytest.mark.parametrize(
    ("answers", "last", "client", "kept_free"),
    [
        pytest.param(4, [], CLAUDE["user-agent"], True, id="tool loop"),
        pytest.param(4, [REMINDER], CLAUDE["user-agent"], True, id="tool loop with a reminder"),
        pytest.param(4, [{"type": "text", "text": "go on"}], CLAUDE["user-agent"], True, id="the user's own words"),
        pytest.param(4, [{"type": "text", "text": SUMMARY}], CLAUDE["user-agent"], False, id="compaction"),
        pytest.param(1, [], CLAUDE["user-agent"], False, id="too short to compact"),
        pytest.param(4, [], "python-httpx/1", False, id="a client that does not compact"),
    ],
)
def test_row_5_18_room_is_kept_for_the_compaction(
    answers: int, last: list[dict[str, Any]], client: str, *, kept_free: bool
) -> None:
    conversation = decoded({"messages": turns(answers, last)})
    assert prompt_limit(conversation, window=32_000, client=client) == 32_000 - kept_free * 2000
    assert prompt_limit(conversation, window=262_144, client=client) == 262_144 - kept_free * LARGEST_RESERVE
    assert prompt_limit(conversation, window=0, client=client) == 0


@pytest.mark.row("5.18")
async def test_row_5_18_a_turn_is_refused_where_its_compaction_still_fits() -> None:
    """Both prompts lie between the window less the reserve and the window."""
    filler = request_body(messages=turns(12, []), max_tokens=8000)
    async with ModelServer(window=100_000) as probe, gateway_to(probe.url) as client:
        size = (await counted(client, filler)).json["input_tokens"]
    window = size + 60
    async with ModelServer(window=window) as server, gateway_to(server.url) as client:
        assert size > window - window // 16
        prompt, limit = overflow_of(await client.messages(filler, headers=CLAUDE))
        assert (prompt, limit) == (size, window - window // 16)
        assert server.chats == []
        compaction = filler | {"messages": turns(12, [{"type": "text", "text": SUMMARY}])}
        assert (await client.messages(compaction, headers=CLAUDE)).status == 200
        assert (await client.messages(filler)).status == 200  # somebody who would not compact


@pytest.mark.row("5.19")
def test_row_5_19_sums_are_not_shown_as_context() -> None:
    lines = view(Snapshot("1", totals=LiveTotals(requests=9, prompt_tokens=2_500_000)), "http://127.0.0.1:4000")
    [told] = [line for line in lines if "2,500,000" in line]
    assert "not the size of a context" in told
    page = (DOCS / "context.md").read_text(encoding="utf-8")
    assert watch_view.SUMS in page
    assert "2.5M of 1M" in page
