"""`landline doctor` where gateway, model server or something between them is broken: real sockets, scripted models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from landline.clients.checking.calls import WEATHER
from landline.clients.doctor.finding import Severity
from landline.config.settings import Backend, Gateway, Settings
from landline.upstream.embedded import EmbeddedModel
from tests.fakes import agent_model
from tests.fakes.buffering_proxy import BufferingProxy
from tests.fakes.chat_stream import DONE, Answer, chunk, sse, usage_chunk
from tests.fakes.client_setup import MODEL, Doctored, Setup, good_env
from tests.fakes.gateway_client import GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.strict_server import StrictServer
from tests.fakes.upstream import Close, Cut, Hang, Pause, Request, Send, Status, Step, Upstream, json_answer

CLOSED = "http://127.0.0.1:9"
QWEN = "--enable-auto-tool-choice --tool-call-parser qwen3_coder"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "home")


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayClient]:
    async with agent_model.server() as server, gateway_to(server.url) as running:
        yield running


async def doctored_on(setup: Setup, server: ModelServer, *, window: int = 65_536, **options: Any) -> Doctored:
    """The diagnosis of a good setup, with landline in front of that server."""
    async with server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url, model=server.models[0], window=window))
        return await setup.doctor(**{"quick": False} | options)


# ------------------------------------------------------------------------------------------------ the model server


async def test_the_model_server_is_down(setup: Setup) -> None:
    async with gateway_to(CLOSED) as gateway:
        setup.user(good_env(gateway.url))
        doctored = await setup.doctor()
    assert doctored.errors == {"backend"}
    assert f"{CLOSED} refused the connection" in doctored.of("backend").finding
    assert doctored.of("gateway").severity is Severity.OK


async def test_the_model_server_is_loading(setup: Setup) -> None:
    def loading(request: Request) -> list[Step]:
        return json_answer(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})

    server = agent_model.server(kind="llamacpp", override=loading)
    doctored = await doctored_on(setup, server, quick=True)
    assert doctored.errors == {"backend_loading"}
    assert "wait" in doctored.of("backend_loading").fix


async def test_the_model_server_wants_a_key(setup: Setup) -> None:
    async with agent_model.server(key="the-servers-own-key") as server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url))
        doctored = await setup.doctor()
    assert "backend_key" in doctored.errors
    assert "backend.key" in doctored.of("backend_key").fix


async def test_the_key_goes_to_the_backend_of_the_settings_alone(setup: Setup) -> None:
    """A gateway that tells another address does not get the key sent there."""
    secret = "the-servers-own-key"
    async with agent_model.server(key=secret) as stranger, gateway_to(stranger.url) as gateway:
        setup.user(good_env(gateway.url))
        await setup.doctor(settings=Settings(backend=Backend(url=CLOSED, key=secret), gateway=Gateway(port=9)))
        assert not any(secret in str(request.headers) for request in stranger.requests)


async def test_no_landline_on_the_path(setup: Setup) -> None:
    async with StrictServer() as strict:
        setup.user(good_env(strict.url))
        doctored = await setup.doctor()
    assert doctored.wrong == {"gateway_missing": "warning"}
    assert f"landline serve --backend {strict.url}" in doctored.of("gateway_missing").fix


async def test_the_billing_line_without_landline(setup: Setup, gateway: GatewayClient) -> None:
    async with StrictServer() as strict:
        env = good_env(strict.url)
        del env["CLAUDE_CODE_ATTRIBUTION_HEADER"]
        setup.user(env)
        broken = await setup.doctor()
        assert broken.wrong == {"gateway_missing": "warning", "billing_line": "warning"}
        setup.fix(broken)
        assert (await setup.doctor()).wrong == {"gateway_missing": "warning"}
    setup.user(env | {"ANTHROPIC_BASE_URL": gateway.url})
    assert (await setup.doctor()).wrong == {}


async def test_a_gateway_from_before_an_update(
    setup: Setup, gateway: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.user(good_env(gateway.url))
    monkeypatch.setattr("landline.server.endpoints.__version__", "0.0.1")
    doctored = await setup.doctor()
    assert doctored.wrong == {"gateway_version": "warning"}
    assert "landline 0.0.1 runs" in doctored.of("gateway_version").finding


async def test_an_old_version_for_the_family(setup: Setup) -> None:
    def old(request: Request) -> list[Step] | None:
        return json_answer(200, {"version": "0.9.1"}) if request.path == "/version" else None

    doctored = await doctored_on(setup, agent_model.server(override=old), quick=True)
    assert doctored.wrong == {"backend_version": "warning"}


async def test_a_server_that_closes_each_connection(setup: Setup) -> None:
    def closing(request: Request) -> list[Step] | None:
        if request.path != "/v1/models":
            return None
        rows = {"data": [{"id": MODEL, "owned_by": "vllm", "max_model_len": 65_536}]}
        return [*json_answer(200, rows, {"connection": "close"}), Close()]

    doctored = await doctored_on(setup, agent_model.server(override=closing), quick=True)
    assert doctored.wrong == {"keep_alive": "warning"}


# ------------------------------------------------------------------------------------------------ window and time


async def test_a_window_too_small_for_the_first_request(setup: Setup) -> None:
    async with agent_model.server(window=8_192) as server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url, window=8_192))
        broken = await setup.doctor()
        assert broken.errors == {"window"}
        assert "8,192 tokens: less than the client's first request" in broken.of("window").finding
        assert "--max-model-len 65536" in broken.of("window").fix
        setup.fix(broken)
        assert (await setup.doctor()).errors == set()  # with the client's smallest requests
        assert setup.env()["CLAUDE_CODE_SIMPLE"] == "1"


async def test_more_output_than_the_window_holds(setup: Setup) -> None:
    async with StrictServer(window=40_000) as strict:
        setup.user(good_env(strict.url, window=40_000) | {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64000"})
        broken = await setup.doctor(quick=False)
        assert {"output_limit", "request"} <= broken.errors
        assert "cannot be greater than max_model_len" in broken.of("request").finding
        setup.fix(broken)
        after = await setup.doctor(quick=False)
        assert not {"output_limit", "request"} & after.errors
        assert setup.env()["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "10000"
    async with agent_model.server(window=40_000) as server, gateway_to(server.url) as gateway:
        env = good_env(gateway.url, window=40_000)
        del env["CLAUDE_CODE_MAX_OUTPUT_TOKENS"]
        setup.user(env)
        doctored = await setup.doctor(quick=False)
        assert doctored.wrong["output_limit"] == "warning"  # landline asks for what fits
        assert doctored.state.asked.status == 200


async def test_the_client_does_not_know_the_window(setup: Setup, gateway: GatewayClient) -> None:
    env = good_env(gateway.url)
    del env["CLAUDE_CODE_AUTO_COMPACT_WINDOW"]
    setup.user(env)
    broken = await setup.doctor()
    assert broken.wrong == {"declared_window": "warning"}
    setup.fix(broken)
    assert (await setup.doctor()).wrong == {}


async def test_a_prompt_takes_longer_than_the_client_waits(setup: Setup) -> None:
    server = agent_model.server()
    good = server.answer
    slow: list[Step] = [Status(), Pause(1.2), Send(sse(chunk({"content": "ready"}), chunk({}, "stop"), DONE))]
    server.answer = lambda body: slow if "Log of" in str(body["messages"]) else good(body)
    async with server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url) | {"API_TIMEOUT_MS": "3000"})
        broken = await setup.doctor(quick=False)
        assert "prefill_time" in broken.errors
        assert "and the client waits 3 s" in broken.of("prefill_time").finding
        setup.fix(broken)
        assert (await setup.doctor(quick=False)).of("prefill_time").severity is Severity.OK
        assert "API_TIMEOUT_MS" not in setup.env()


async def test_a_short_time_limit_is_told_without_a_measurement(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url) | {"API_TIMEOUT_MS": "4000"})
    assert (await setup.doctor()).wrong == {"prefill_time": "warning"}


# ------------------------------------------------------------------------------------------------ what the model says


async def test_no_tool_parser_on_a_vllm_that_refuses_tools(setup: Setup) -> None:
    doctored = await doctored_on(setup, agent_model.server(override=agent_model.refuses_tools))
    assert doctored.wrong["tool_parser"] == "warning"  # landline works around it
    assert QWEN in doctored.of("tool_parser").fix


async def test_a_parser_of_another_family(setup: Setup) -> None:
    doctored = await doctored_on(setup, agent_model.server(agent_model.half_parsed))
    found = doctored.of("tool_parser")
    assert "Qwen's XML" in found.finding
    assert QWEN in found.fix


async def test_no_parser_on_a_server_that_hands_out_markup(setup: Setup) -> None:
    doctored = await doctored_on(setup, agent_model.server(agent_model.qwen_markup, kind="sglang"))
    assert "--tool-call-parser qwen3_coder" in doctored.of("tool_parser").fix


def thinks_aloud(answer: Answer) -> Answer:
    return Answer(f"Let me see.\n</think>\n\n{answer.text}", "", answer.tool_calls, answer.finish)


async def test_no_reasoning_parser(setup: Setup) -> None:
    doctored = await doctored_on(setup, agent_model.server(thinks_aloud))
    assert doctored.wrong["reasoning_parser"] == "warning"
    assert "--reasoning-parser qwen3" in doctored.of("reasoning_parser").fix


async def test_a_template_without_a_place_for_tools(setup: Setup) -> None:
    def drops(request: Request) -> list[Step] | None:
        """Counts as if there were no tools."""
        if request.path != "/tokenize":
            return None
        return json_answer(
            200, {"count": len(str(request.json["messages"])) // 4, "max_model_len": 65_536, "tokens": []}
        )

    doctored = await doctored_on(setup, agent_model.server(override=drops))
    assert "template_tools" in doctored.wrong
    assert "--chat-template" in doctored.of("template_tools").fix


async def test_prompts_that_are_cut_without_a_word(setup: Setup) -> None:
    """Ollama: told 65,536 tokens by /api/ps, and 4,096 are read."""
    server = agent_model.server(kind="ollama", cuts_prompts=True)
    good = server.answer
    server.answer = lambda body: (
        Answer(text="I do not know.", usage=(4_096, 5, None)) if "Log of" in str(body["messages"]) else good(body)
    )
    doctored = await doctored_on(setup, server)
    assert doctored.errors == {"prompts_cut"}
    assert "the server read 4,096" in doctored.of("prompts_cut").finding
    assert "OLLAMA_CONTEXT_LENGTH" in doctored.of("prompts_cut").fix


# ------------------------------------------------------------------------------------------------ caches


@pytest.mark.parametrize("quick", [True, False])
async def test_the_prefix_cache_is_off(setup: Setup, quick: bool) -> None:
    server = agent_model.server(prefix_cache=False, override=agent_model.cache_metrics(enabled=False))
    doctored = await doctored_on(setup, server, quick=quick)
    assert doctored.wrong == {"prefix_cache": "warning"}
    assert "--enable-prefix-caching" in doctored.of("prefix_cache").fix


async def test_the_prefix_cache_never_hits(setup: Setup) -> None:
    def zero(answer: Answer) -> Answer:
        return Answer(answer.text, answer.thinking, answer.tool_calls, answer.finish, usage=(1_500, 20, 0))

    doctored = await doctored_on(setup, agent_model.server(zero))
    assert "prefix_cache" in doctored.wrong


async def test_the_beginning_of_prompts_moves(setup: Setup, gateway: GatewayClient) -> None:
    """The same session, with another system prompt in its second turn."""
    setup.user(good_env(gateway.url))
    headers = {"x-claude-code-session-id": "s-1"}
    history: list[Any] = [{"role": "user", "content": "hello " * 200}]
    for hour in ("one", "two"):
        body = request_body(system=f"It is {hour} o'clock.", messages=history, tools=[WEATHER])
        assert (await gateway.messages(body, headers=headers)).status == 200
        history += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "more"}]
    doctored = await setup.doctor()
    assert doctored.wrong == {"prefix_moved": "warning"}
    assert "it moved in 1 of the last requests" in doctored.of("prefix_moved").finding


# ------------------------------------------------------------------------------------------------ streams, repeats


def slow_server() -> ModelServer:
    """Writes its words one after the other, where it is asked to count."""
    server = agent_model.server()
    good = server.answer
    words: list[Step] = [Status()]
    for number in range(40):
        words += [Send(sse(chunk({"content": f"{number} "}))), Pause(0.012)]
    words.append(Send(sse(chunk({}, "stop"), usage_chunk(20, 40), DONE)))
    server.answer = lambda body: words if "Count from one" in str(body["messages"]) else good(body)
    return server


async def test_a_buffering_proxy_between_client_and_gateway(setup: Setup) -> None:
    async with slow_server() as server, gateway_to(server.url) as gateway, BufferingProxy(gateway.url) as proxy:
        setup.user(good_env(gateway.url))
        good = await setup.doctor(quick=False)
        assert good.of("streaming").severity is Severity.OK
        setup.user(good_env(proxy.url))
        broken = await setup.doctor(quick=False)
    assert broken.errors == {"streaming"}
    assert "between the client and the gateway" in broken.of("streaming").finding
    assert broken.of("streaming").source.file == proxy.url


async def test_a_buffering_proxy_before_the_model_server(setup: Setup) -> None:
    async with slow_server() as server, BufferingProxy(server.url) as proxy, gateway_to(proxy.url) as gateway:
        setup.user(good_env(gateway.url))
        broken = await setup.doctor(quick=False)
    assert "streaming" in broken.errors
    assert "between the gateway and the model" in broken.of("streaming").finding
    assert broken.of("streaming").source.file == proxy.url


async def test_requests_that_are_repeated_in_silence(setup: Setup) -> None:
    """The stream breaks, and the client asks the same again without a word."""
    broken_off: list[Step] = [Status(), Send(sse(chunk({"content": "half "}))), Pause(0.05), Cut()]
    answers: list[Any] = [broken_off]
    server = agent_model.server()
    good = server.answer
    server.answer = lambda body: answers.pop() if answers else good(body)
    async with server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url))
        session = {"x-claude-code-session-id": "s-1"}
        await gateway.stream(headers=session)
        assert (await gateway.messages(headers=session)).status == 200
        doctored = await setup.doctor()
    assert doctored.wrong == {"silent_retries": "warning"}
    finding = doctored.of("silent_retries").finding
    assert finding.startswith("1 of 2 requests repeated an earlier one; the first cause: ")
    assert not finding.endswith("records")


# ------------------------------------------------------------------------------------------------ telemetry, modes


@pytest.mark.parametrize("gone", ["NONESSENTIAL_TRAFFIC", "OFFICIAL_MARKETPLACE_AUTOINSTALL"])
async def test_telemetry_is_on(setup: Setup, gateway: GatewayClient, gone: str) -> None:
    env = good_env(gateway.url)
    env[f"CLAUDE_CODE_DISABLE_{gone}"] = "0"
    setup.user(env)
    broken = await setup.doctor()
    assert broken.wrong == {"telemetry": "warning"}
    setup.fix(broken)
    assert (await setup.doctor()).wrong == {}


@pytest.mark.parametrize(("version", "wrong"), [("2.1.197", {}), ("2.1.329", {"permission_mode": "warning"})])
async def test_a_permission_mode_of_the_vendors(
    tmp_path: Path, gateway: GatewayClient, version: str, wrong: dict[str, str]
) -> None:
    setup = Setup(tmp_path / "other", version=version)
    setup.user(good_env(gateway.url), permissions={})
    broken = await setup.doctor()
    assert broken.wrong == wrong
    setup.fix(broken)
    assert (await setup.doctor()).wrong == {}


# ------------------------------------------------------------------------------------------------ hostile peers


def never_ends(request: Request) -> list[Step]:
    return [Status(200, {"content-type": "application/json"}), *[Send(b"[" * 65_536)] * 64, Hang()]


HOSTILE: dict[str, Callable[[Request], list[Step]]] = {
    "no-json": lambda request: json_answer(200, b"<html>hello</html>"),
    "a-list": lambda request: json_answer(200, [1, 2, 3]),
    "deep": lambda request: json_answer(200, b"[" * 100_000),
    "not-utf-8": lambda request: json_answer(200, b'{"landline": "\xff\xfe", "data": [{"id": "\xff"}]}'),
    "wrong-types": lambda request: json_answer(200, {"landline": 5, "data": "no", "findings": 7, "backends": {}}),
    "a-liar": lambda request: json_answer(
        200, {"landline": "9\x1b[2J", "data": [{"id": "\x1b[31m", "max_model_len": -5}, 7, {"id": 3}], "findings": [7]}
    ),
    "never-ends": never_ends,
    "silent": lambda request: [Hang()],
    "cut": lambda request: [Cut()],
    "errors": lambda request: json_answer(500, {"error": "no"}),
    "redirects": lambda request: json_answer(302, b"", {"location": "http://127.0.0.1:9/"}),
    "no-http": lambda request: [Status(200, {"content-length": "-1"}), Send(b"\x00" * 100), Close()],
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("quick", [True, False])
async def test_whatever_answers_there_is_told_and_nothing_fails(setup: Setup, kind: str, quick: bool) -> None:
    async with Upstream(HOSTILE[kind]) as stranger:
        setup.user(good_env(stranger.url))
        async with asyncio.timeout(60):
            doctored = await setup.doctor(quick=quick)
    assert doctored.errors or kind == "a-liar"
    assert {"gateway", "request", "gateway_missing", "backend"} & set(doctored.wrong)
    assert all(str(edit.value).isprintable() for edit in doctored.edits)


# ------------------------------------------------------------------------------------------------ the embedded model


@pytest.mark.embedded
async def test_a_real_model_that_is_too_small(setup: Setup, embedded_model: EmbeddedModel) -> None:
    """llama.cpp with 135 million parameters, a window of 4,096 and a template without tools."""
    async with gateway_to(embedded_model.url) as gateway:
        model = (await gateway.call("GET", "/v1/models")).json["data"][0]["id"]
        setup.user(good_env(gateway.url, model=model, window=embedded_model.window))
        doctored = await setup.doctor(quick=False)
    assert "llamacpp" in doctored.of("backend").finding
    assert doctored.errors == {"window"}, doctored.text
    assert "-c 65536" in doctored.of("window").fix
    assert doctored.of("template_tools").severity is Severity.WARNING  # landline tells the tools in words
    assert doctored.of("prefix_cache").severity is Severity.OK
    assert doctored.of("prompts_cut").severity is Severity.OK
    assert doctored.state.asked.status == 200
