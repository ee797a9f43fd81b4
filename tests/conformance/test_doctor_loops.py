"""What stands on the other side of a finding: a loop that is closed, by --fix, by landline, or by who mends the server.

And the tool itself is held: on each broken state that no landline mends, the loop of run_loop() does not close.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anthropic
import pytest

from landline.clients.doctor.finding import Severity
from tests.conformance.test_doctor_servers import slow_server, thinks_aloud
from tests.fakes import agent_model
from tests.fakes.client_loop import run_loop
from tests.fakes.client_setup import MODEL, Setup, good_env
from tests.fakes.gateway_client import GatewayClient, gateway_to
from tests.fakes.model_server import ModelServer
from tests.fakes.nginx import nginx, program
from tests.fakes.strict_server import StrictServer
from tests.fakes.upstream import Request, Step, json_answer

CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "home")


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayClient]:
    async with agent_model.server() as server, gateway_to(server.url) as running:
        yield running


# ------------------------------------------------------------------------------------------------ no loop


BROKEN: dict[str, dict[str, str]] = {
    "a dead port": {"ANTHROPIC_BASE_URL": CLOSED},
    "/v1": {"ANTHROPIC_BASE_URL": "{url}/v1"},
    "a name in another case": {"ANTHROPIC_MODEL": MODEL.lower()},
    "a tier that is not mapped": {"ANTHROPIC_MODEL": "opus", "ANTHROPIC_DEFAULT_OPUS_MODEL": ""},
    "more output than the window": {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "70000"},
    "a wrong token": {"ANTHROPIC_AUTH_TOKEN": "wrong"},
    "a proxy": {"HTTP_PROXY": CLOSED},
}


@pytest.mark.parametrize("name", BROKEN)
async def test_no_loop_closes_over_what_the_doctor_calls_an_error(setup: Setup, name: str) -> None:
    async with StrictServer(token="right") as strict:
        good = good_env(strict.url) | {"ANTHROPIC_AUTH_TOKEN": "right"}
        setup.user(good)
        await run_loop(setup)
        setup.user(good | {key: text.format(url=strict.url) for key, text in BROKEN[name].items()})
        assert (await setup.doctor(quick=False)).errors
        with pytest.raises(anthropic.APIError):
            await run_loop(setup)


# ------------------------------------------------------------------------------------------------ by --fix


FIXED: dict[str, tuple[dict[str, str], str]] = {
    "telemetry": ({"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "0"}, "telemetry"),
    "window not told": ({"CLAUDE_CODE_AUTO_COMPACT_WINDOW": ""}, "declared_window"),
    "impatient": ({"API_TIMEOUT_MS": "4000"}, "prefill_time"),
}


@pytest.mark.parametrize("name", FIXED)
async def test_the_loop_is_closed_by_fix(setup: Setup, gateway: GatewayClient, name: str) -> None:
    env, check = FIXED[name]
    setup.user(good_env(gateway.url) | env)
    broken = await setup.doctor()
    assert broken.wrong == {check: "warning"}
    setup.fix(broken)
    assert (await setup.doctor()).wrong == {}
    await run_loop(setup)


async def test_too_much_output_is_lowered_until_the_loop_closes(setup: Setup) -> None:
    async with StrictServer(window=40_000) as strict:
        setup.user(good_env(strict.url, window=40_000) | {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64000"})
        broken = await setup.doctor(quick=False)
        assert {"output_limit", "request"} <= broken.errors
        with pytest.raises(anthropic.BadRequestError):
            await run_loop(setup)
        setup.fix(broken)
        await run_loop(setup)


async def test_a_window_too_small_is_met_with_small_requests(setup: Setup) -> None:
    async with agent_model.server(window=8_192) as server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url, window=8_192))
        setup.fix(await setup.doctor())
        assert (await setup.doctor()).errors == set()
        await run_loop(setup)


# ------------------------------------------------------------------------------------------------ an editor


TOLD = '{{\n  // for it\n  "claudeCode.environmentVariables": [{{"name": "ANTHROPIC_BASE_URL", "value": "{}"}}],\n}}'


async def test_an_editor_that_hands_out_another_address(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url))
    file = setup.write(".config/Code/User/settings.json", TOLD.format("http://user:secret@old:1").encode())
    broken = await setup.doctor()
    assert broken.wrong == {"editor": "warning"}
    found = broken.of("editor")
    assert (found.source.file, found.source.line) == (str(file), 3)
    assert gateway.url in found.finding
    assert "secret" not in broken.text
    assert "--vscode" in found.fix
    setup.write(".config/Code/User/settings.json", TOLD.format(gateway.url).encode())
    assert (await setup.doctor()).wrong == {}
    await run_loop(setup)


async def test_an_extension_that_does_not_see_the_shell(setup: Setup, gateway: GatewayClient) -> None:
    """Only where it is installed; and not where the client's settings file, which it reads, has the address."""
    setup.shell = good_env(gateway.url)
    setup.write(".claude/settings.json", {"permissions": {"defaultMode": "default"}})
    file = setup.write(".config/Code/User/settings.json", b'{ "editor.fontSize": 12, }')
    assert (await setup.doctor()).wrong == {}
    setup.write(".vscode/extensions/anthropic.claude-code-2.1.329/package.json", {})
    assert (await setup.doctor()).wrong == {"editor": "warning"}
    file.write_bytes(b'{ "broken')
    broken = await setup.doctor()
    assert "cannot be read" in broken.of("editor").finding
    file.write_bytes(b"{}")
    setup.user(good_env(gateway.url))
    setup.shell = {}
    assert (await setup.doctor()).wrong == {}


# ------------------------------------------------------------------------------------------------ by landline


def without_parser() -> ModelServer:
    """vLLM: it refuses tools unless none may be chosen, and then hands out the model's own markup."""

    def refusing(request: Request) -> list[Step] | None:
        asked = request.json if request.path == "/v1/chat/completions" else {}
        if asked.get("tools") and asked.get("tool_choice") != "none":
            return agent_model.refuses_tools(request)
        return None

    server = agent_model.server(agent_model.qwen_markup, override=refusing)
    model = server.answer
    server.answer = lambda body: model({name: value for name, value in body.items() if name != "tool_choice"})
    return server


SPOILT: dict[str, tuple[Callable[[], ModelServer], str]] = {
    "no parser on vLLM": (without_parser, "tool_parser"),
    "no parser on SGLang": (lambda: agent_model.server(agent_model.qwen_markup, kind="sglang"), "tool_parser"),
    "another family's parser": (lambda: agent_model.server(agent_model.half_parsed), "tool_parser"),
    "no reasoning parser": (lambda: agent_model.server(thinks_aloud), "reasoning_parser"),
}


@pytest.mark.parametrize("name", SPOILT)
async def test_landline_closes_the_loop_over_a_server_that_is_started_wrong(setup: Setup, name: str) -> None:
    """Which is why these are warnings, with the flag to set."""
    make, check = SPOILT[name]
    async with make() as server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url))
        doctored = await setup.doctor(quick=False)
        assert doctored.wrong.get(check) == "warning", doctored.text
        await run_loop(setup)


# ------------------------------------------------------------------------------------------------ by who mends it


async def test_a_server_that_was_loading_and_is_ready(setup: Setup) -> None:
    busy = [True]

    def loading(request: Request) -> list[Step] | None:
        words = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
        return json_answer(503, words) if busy else None

    async with agent_model.server(kind="llamacpp", override=loading) as server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url))
        assert (await setup.doctor()).errors == {"backend_loading"}
        with pytest.raises(anthropic.APIStatusError, match=r"\(landline doctor: backend_loading\)"):
            await run_loop(setup)
        busy.clear()
        assert (await setup.doctor()).errors == set()
        await run_loop(setup)


async def test_a_server_that_is_down_is_named_by_the_error_of_the_loop(setup: Setup) -> None:
    async with gateway_to(CLOSED) as gateway:
        setup.user(good_env(gateway.url))
        assert (await setup.doctor()).errors == {"backend"}
        with pytest.raises(anthropic.APIStatusError, match=r"\(landline doctor: backend\)"):
            await run_loop(setup)


# ------------------------------------------------------------------------------------------------ a real nginx


needs_nginx = pytest.mark.skipif(program() is None, reason="nginx is not installed here")
GZIP = "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0;"
FINE = ("proxy_buffering on;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;", "proxy_buffering off;")


@needs_nginx
@pytest.mark.parametrize("directives", FINE)
async def test_nginx_that_buffers_gives_a_slow_stream_out_at_once(
    setup: Setup, tmp_path: Path, directives: str
) -> None:
    """Its buffers are for clients that are slower than the server: nothing is to be complained of, on either side."""
    async with (
        slow_server() as server,
        nginx(server.url, tmp_path / "behind", directives) as behind,
        gateway_to(behind) as gateway,
        nginx(gateway.url, tmp_path / "before", directives) as before,
    ):
        setup.user(good_env(before))
        doctored = await setup.doctor(quick=False)
        assert doctored.of("streaming").severity is Severity.OK, doctored.text
        assert " before the last" in doctored.of("streaming").finding
        await run_loop(setup)


@needs_nginx
async def test_nginx_that_compresses_holds_the_stream_back(setup: Setup, tmp_path: Path) -> None:
    async with (
        slow_server() as server,
        gateway_to(server.url) as gateway,
        nginx(gateway.url, tmp_path / "nginx", GZIP) as proxy,
    ):
        setup.user(good_env(proxy))
        broken = await setup.doctor(quick=False)
        assert broken.errors == {"streaming"}, broken.text
        assert "comes compressed (gzip)" in broken.of("streaming").finding
        assert broken.of("streaming").source.file == proxy
        assert broken.of("request").severity is Severity.OK


@needs_nginx
async def test_an_error_behind_nginx_that_compresses_is_told_in_its_words(setup: Setup, tmp_path: Path) -> None:
    async with StrictServer() as strict, nginx(strict.url, tmp_path / "nginx", GZIP) as proxy:
        setup.user(good_env(proxy, model="gone"))
        broken = await setup.doctor(quick=False)
        assert "The model `gone` does not exist." in broken.of("request").finding
