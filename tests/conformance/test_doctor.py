"""`landline doctor` on broken setups: real files, gateways and sockets; what it finds, and what --fix makes of it.

Servers of models are the scripted ones; everything else on the path is real.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from landline.clients.doctor.catalogue import MODEL_CHECKS
from landline.config.settings import Backend, Gateway, Settings
from tests.fakes import agent_model
from tests.fakes.client_loop import run_loop
from tests.fakes.client_setup import MODEL, Doctored, Setup, good_env
from tests.fakes.gateway_client import GatewayClient, gateway_to
from tests.fakes.model_server import ModelServer
from tests.fakes.strict_server import StrictServer

CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "home")


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with agent_model.server() as running:
        yield running


@pytest.fixture
async def gateway(server: ModelServer) -> AsyncIterator[GatewayClient]:
    async with gateway_to(server.url) as running:
        yield running


@pytest.fixture
async def strict() -> AsyncIterator[StrictServer]:
    """The client talks to the model server itself."""
    async with StrictServer() as running:
        yield running


async def mended(setup: Setup, broken: Doctored, **options: Any) -> Doctored:
    """What is left after --fix."""
    setup.fix(broken)
    return await setup.doctor(**options)


async def assert_loop(setup: Setup, doctored: Doctored, *, left: dict[str, str] | None = None) -> None:
    """Nothing is wrong but what is `left`, and an agent's loop closes as the settings are now."""
    assert doctored.state.asked.status == 200, doctored.text
    assert doctored.wrong == (left or {}), doctored.text
    await run_loop(setup)


DIRECT = {"gateway_missing": "warning"}  # what is left where the client talks to the model server itself


# ------------------------------------------------------------------------------------------------ nothing is wrong


async def test_a_healthy_setup(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url))
    doctored = await setup.doctor()
    await assert_loop(setup, doctored)
    assert doctored.edits == ()
    assert doctored.state.behind_landline
    assert set(doctored.not_tried) <= {*MODEL_CHECKS, "prefix_cache"}


async def test_a_healthy_setup_with_its_model(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url))
    doctored = await setup.doctor(quick=False)
    await assert_loop(setup, doctored)
    assert not doctored.state.asked.counted_only
    assert set(doctored.not_tried) <= {"streaming"}  # the scripted model is too quick to tell


# ------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize("tail", ["/v1", "/v1/messages", "/relay/claude", "/v1/"])
async def test_a_path_in_the_base_url(setup: Setup, gateway: GatewayClient, strict: StrictServer, tail: str) -> None:
    path = setup.user(good_env(gateway.url + tail))
    broken = await setup.doctor()
    assert broken.wrong == {"base_url_path": "warning"}  # landline serves it
    found = broken.of("base_url_path")
    assert f"ends in {tail.rstrip('/')}" in found.finding
    assert (found.source.file, found.source.line) == (str(path), 6)
    assert path.read_text().splitlines()[5].strip().startswith('"ANTHROPIC_BASE_URL"')
    await assert_loop(setup, await mended(setup, broken))

    setup.user(good_env(strict.url + tail))
    broken = await setup.doctor()
    assert broken.wrong["base_url_path"] == "error"
    await assert_loop(setup, await mended(setup, broken), left=DIRECT)


async def test_no_address_at_all(setup: Setup, gateway: GatewayClient) -> None:
    setup.user({name: text for name, text in good_env("").items() if name != "ANTHROPIC_BASE_URL"})
    broken = await setup.doctor(gateway=gateway.url)
    assert broken.errors == {"base_url"}
    await assert_loop(setup, await mended(setup, broken))
    assert setup.env()["ANTHROPIC_BASE_URL"] == gateway.url


@pytest.mark.parametrize("text", ["127.0.0.1:4000", "http://", "http://[", "YOUR_URL_HERE", "http://x:99999999"])
async def test_an_address_that_is_none(setup: Setup, gateway: GatewayClient, text: str) -> None:
    setup.user(good_env(text))
    broken = await setup.doctor(gateway=gateway.url)
    assert broken.errors == {"base_url"}
    await assert_loop(setup, await mended(setup, broken))


async def test_a_wrong_port(setup: Setup, gateway: GatewayClient) -> None:
    """Nobody listens there; landline does where its own settings say."""
    setup.user(good_env(CLOSED))
    settings = Settings(gateway=Gateway(port=gateway.port), backend=Backend(url=CLOSED))
    broken = await setup.doctor(settings=settings)
    assert "refused the connection" in broken.of("gateway").finding
    assert f"landline answers at {gateway.url}" in broken.of("gateway").fix
    assert {"gateway"} <= broken.errors
    await assert_loop(setup, await mended(setup, broken, settings=settings))


async def test_another_gateway_than_the_one_that_is_named(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(CLOSED))
    broken = await setup.doctor(gateway=gateway.url)
    assert f"leads to {CLOSED}, not to the gateway {gateway.url}" in broken.of("base_url").finding
    await assert_loop(setup, await mended(setup, broken, gateway=gateway.url))


async def test_the_file_wins_over_the_shell(setup: Setup, gateway: GatewayClient) -> None:
    """The shell has the right address, the file a dead one."""
    path = setup.user(good_env(CLOSED))
    setup.shell = {"ANTHROPIC_BASE_URL": gateway.url}
    broken = await setup.doctor()
    found = broken.of("shell_overruled")
    assert (found.severity, found.source.file, found.source.line) == ("warning", str(path), 6)
    assert "ANTHROPIC_BASE_URL" in found.finding
    assert "gateway" in broken.errors
    await assert_loop(setup, await mended(setup, broken))


async def test_a_project_wins_over_the_user_and_its_file_is_named(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url))
    project = setup.write("project/.claude/settings.json", {"env": {"ANTHROPIC_BASE_URL": CLOSED}})
    broken = await setup.doctor()
    assert broken.of("gateway").source.file == str(project)
    assert broken.of("gateway").source.line == 3
    await assert_loop(setup, await mended(setup, broken))


@pytest.mark.parametrize("name", ["settings.json", "settings.local.json"])
async def test_a_project_does_not_decide_where_the_token_goes(
    setup: Setup, server: ModelServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A stranger's project points elsewhere: what answers there is looked at, without the user's token or key."""
    monkeypatch.setattr("landline.clients.doctor.gathering.is_loopback", lambda host: False)
    setup.user(good_env(CLOSED) | {"ANTHROPIC_AUTH_TOKEN": "canary-of-the-user"})
    setup.write(f"project/.claude/{name}", {"env": {"ANTHROPIC_BASE_URL": server.url}})
    settings = Settings(gateway=Gateway(keys=("canary-of-the-gateway",)), backend=Backend(url=CLOSED, key="canary-too"))
    for quick in (True, False):
        doctored = await setup.doctor(settings=settings, quick=quick)
        assert "not sent there" in doctored.not_tried["request"]
    assert server.requests
    assert not any("canary" in str(request.headers) + str(request.body) for request in server.requests)
    # A file that brings its own token along may have it sent where it says.
    own = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_AUTH_TOKEN": "of-the-project"}
    setup.write(f"project/.claude/{name}", {"env": own})
    await setup.doctor(settings=settings)
    assert any("of-the-project" in str(request.headers) for request in server.requests)


async def test_our_own_key_is_for_our_own_gateway(setup: Setup, strict: StrictServer) -> None:
    setup.user(good_env(strict.url))
    settings = Settings(gateway=Gateway(keys=("canary-of-the-gateway",), port=9), backend=Backend(url=CLOSED))
    await setup.doctor(settings=settings, quick=False)
    assert not any("canary" in str(request.headers) for request in strict.requests)


async def test_managed_settings_are_read_and_never_changed(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url))
    env = {"env": {"ANTHROPIC_BASE_URL": CLOSED}}
    managed = setup.write("managed/etc/claude-code/managed-settings.json", env)
    broken = await setup.doctor(gateway=gateway.url)
    assert broken.of("base_url").source.file == str(managed)
    assert managed not in {edit.file for edit in broken.edits}


async def test_a_login_in_an_address_is_not_shown(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url.replace("://", "://me:canary@") + "/v1"))
    setup.shell = {"ANTHROPIC_BASE_URL": "http://me:canary@127.0.0.1:9"}
    assert "canary" not in (await setup.doctor(quick=False)).text
    assert "canary" not in (await setup.doctor(gateway=gateway.url)).text


@pytest.mark.parametrize("name", ["CLAUDE_CODE_USE_BEDROCK", "ANTHROPIC_UNIX_SOCKET"])
async def test_another_provider(setup: Setup, gateway: GatewayClient, name: str) -> None:
    setup.user(good_env(gateway.url) | {name: "1"})
    setup.shell = {name: "1"}
    broken = await setup.doctor()
    assert broken.errors == {"other_provider"}
    await assert_loop(setup, await mended(setup, broken))
    assert setup.env()[name] == ""  # against the shell's value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_that_catches_loopback(setup: Setup, gateway: GatewayClient, name: str) -> None:
    setup.user(good_env(gateway.url))
    setup.shell = {name: "http://user:secret@127.0.0.1:9", "NO_PROXY": "intranet.example"}
    broken = await setup.doctor()
    assert broken.errors == {"proxy"}
    assert name in broken.of("proxy").finding
    assert "secret" not in broken.text
    await assert_loop(setup, await mended(setup, broken))
    assert setup.env()["no_proxy"] == "intranet.example,127.0.0.1,localhost,::1"


# ------------------------------------------------------------------------------------------------ credentials


def without(url: str, *names: str) -> dict[str, str]:
    return {name: text for name, text in good_env(url).items() if name not in names}


async def test_no_token(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(without(gateway.url, "ANTHROPIC_AUTH_TOKEN"))
    broken = await setup.doctor()
    assert broken.wrong == {"token": "error"}
    await assert_loop(setup, await mended(setup, broken))


async def test_a_login_with_the_vendor_in_place_of_a_token(setup: Setup, gateway: GatewayClient) -> None:
    """Measured: the client sends its access token to any base URL."""
    setup.user(without(gateway.url, "ANTHROPIC_AUTH_TOKEN"))
    setup.write(".claude/.credentials.json", {"claudeAiOauth": {"accessToken": "a-canary-of-the-vendor"}})
    broken = await setup.doctor()
    assert broken.wrong == {"token": "warning"}
    assert "canary" not in broken.text
    await assert_loop(setup, await mended(setup, broken))


async def test_a_placeholder_for_a_token(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url) | {"ANTHROPIC_AUTH_TOKEN": "PLEASE_SET_YOUR_KEY"})
    broken = await setup.doctor()
    assert broken.wrong == {"token": "warning"}
    await assert_loop(setup, await mended(setup, broken))


async def test_a_key_in_place_of_a_token(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(without(gateway.url, "ANTHROPIC_AUTH_TOKEN") | {"ANTHROPIC_API_KEY": "sk-canary-0123456789"})
    broken = await setup.doctor()
    assert broken.wrong == {"key_without_token": "error"}
    assert "canary" not in broken.text
    await assert_loop(setup, await mended(setup, broken))
    assert "ANTHROPIC_API_KEY" not in setup.env()


async def test_a_key_beside_a_token(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url) | {"ANTHROPIC_API_KEY": "sk-canary-0123456789"}, apiKeyHelper="echo canary")
    setup.shell = {"ANTHROPIC_API_KEY": "sk-canary-0123456789"}
    broken = await setup.doctor()
    assert broken.wrong == {"key_beside_token": "warning"}
    assert "ANTHROPIC_API_KEY and apiKeyHelper" in broken.of("key_beside_token").finding
    assert "canary" not in broken.text
    await assert_loop(setup, await mended(setup, broken))
    assert setup.env()["ANTHROPIC_API_KEY"] == ""


async def test_a_token_that_is_refused(setup: Setup, server: ModelServer) -> None:
    async with gateway_to(server.url, keys=("the-right-key-of-all",)) as gateway:
        setup.user(good_env(gateway.url) | {"ANTHROPIC_AUTH_TOKEN": "a-wrong-canary"})
        settings = Settings(gateway=Gateway(keys=("the-right-key-of-all",)), backend=Backend(url=server.url))
        broken = await setup.doctor(settings=settings)
        assert broken.errors == {"token_refused"}
        assert "canary" not in broken.text
        assert "the-right-key" not in broken.text
        await assert_loop(setup, await mended(setup, broken, settings=settings))


async def test_a_server_that_repeats_the_token_it_refuses(setup: Setup) -> None:
    async with StrictServer(token="right") as strict:
        setup.user(good_env(strict.url) | {"ANTHROPIC_AUTH_TOKEN": "a-wrong-canary"})
        broken = await setup.doctor()
    assert "token_refused" in broken.errors
    assert "canary" not in broken.text


# ------------------------------------------------------------------------------------------------ models


async def test_a_custom_id_in_model_is_right_where_it_is_served(setup: Setup, strict: StrictServer) -> None:
    setup.user(without(strict.url, "ANTHROPIC_MODEL"), model=MODEL)
    good = await setup.doctor()
    await assert_loop(setup, good, left=DIRECT)
    assert good.of("model_name").finding == f"{MODEL} is served"

    path = setup.user(without(strict.url, "ANTHROPIC_MODEL"), model="my-model")
    broken = await setup.doctor()
    assert broken.errors == {"model_name", "request"}
    found = broken.of("model_name")
    assert found.finding == f"model is my-model, served: {MODEL}"
    assert (found.source.file, found.source.line) == (str(path), 5)
    assert "against no list" in found.cause
    await assert_loop(setup, await mended(setup, broken), left=DIRECT)


@pytest.mark.parametrize(
    ("asked", "served", "how"),
    [
        ("Qwen/Qwen3.6-27B", "Qwen3.6-27B", "before the slash"),
        ("Qwen3.6-27B", "Qwen/Qwen3.6-27B", "before the slash"),
        ("qwen3.6-27b", "Qwen3.6-27B", "differ in case"),
        ("Qwen3.6-27B", "Qwen3.6-27B-FP8", "the suffix -fp8"),
        ("qwen3.6:latest", "qwen3.6", "the suffix :latest"),
    ],
)
async def test_a_name_that_differs_a_little(setup: Setup, asked: str, served: str, how: str) -> None:
    async with StrictServer(models=("another", served)) as strict:
        setup.user(good_env(strict.url, model=asked))
        broken = await setup.doctor()
        assert broken.errors == {"model_name", "request"}
        assert f"the server has {served}: they differ in" in broken.of("model_name").finding
        assert how in broken.of("model_name").finding
        await assert_loop(setup, await mended(setup, broken), left=DIRECT)
    async with agent_model.server(models=("another", served)) as server, gateway_to(server.url) as gateway:
        setup.user(good_env(gateway.url, model=asked))
        assert (await setup.doctor()).wrong == {"model_name": "warning"}  # landline answers any name


async def test_no_model_is_set(setup: Setup, strict: StrictServer, gateway: GatewayClient) -> None:
    names = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL")
    setup.user(without(strict.url, *names))
    broken = await setup.doctor()
    assert broken.errors == {"model_unset", "request"}
    assert "claude-opus-5-5" in broken.of("model_unset").finding
    await assert_loop(setup, await mended(setup, broken), left=DIRECT)
    setup.user(without(gateway.url, *names))
    assert (await setup.doctor()).errors == set()


async def test_the_option_of_the_picker_alone(setup: Setup, strict: StrictServer) -> None:
    names = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL")
    path = setup.user({"ANTHROPIC_CUSTOM_MODEL_OPTION": MODEL} | without(strict.url, *names))
    broken = await setup.doctor()
    assert broken.errors == {"picker_option", "request"}
    assert (broken.of("picker_option").source.file, broken.of("picker_option").source.line) == (str(path), 6)
    await assert_loop(setup, await mended(setup, broken), left=DIRECT)
    assert setup.env()["ANTHROPIC_MODEL"] == MODEL


@pytest.mark.parametrize("version", ["2.1.197", "2.1.329"])
async def test_only_one_tier_is_mapped(tmp_path: Path, strict: StrictServer, version: str) -> None:
    setup = Setup(tmp_path / "home", version=version)
    setup.user(without(strict.url, "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"))
    broken = await setup.doctor()
    assert broken.wrong["model_tiers"] == ("error" if version == "2.1.197" else "warning")
    assert "only opus is mapped; not sonnet, haiku" in broken.of("model_tiers").finding
    await assert_loop(setup, await mended(setup, broken), left=DIRECT)
    assert setup.env()["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == MODEL


@pytest.mark.parametrize("version", ["2.1.197", "2.1.329"])
async def test_long_context_is_asked_for(tmp_path: Path, strict: StrictServer, version: str) -> None:
    """On 2.1.197 the tier's variable is passed over, and the vendor's id is asked for."""
    setup = Setup(tmp_path / "home", version=version)
    path = setup.user(without(strict.url, "ANTHROPIC_MODEL"), model="sonnet[1m]")
    broken = await setup.doctor()
    assert "model_long_context" in broken.wrong
    assert broken.of("model_long_context").source.line == 5
    assert broken.of("model_long_context").source.file == str(path)
    assert ("request" in broken.errors) == (version == "2.1.197")
    await assert_loop(setup, await mended(setup, broken), left=DIRECT)


async def test_a_list_of_models_without_ours(setup: Setup, gateway: GatewayClient) -> None:
    path = setup.user(good_env(gateway.url), availableModels=["sonnet"])
    broken = await setup.doctor()
    assert broken.errors == {"model_list"}
    await assert_loop(setup, await mended(setup, broken))
    assert f'"{MODEL}"]' in path.read_text()
