"""`landline models`: what it says of a backend and of a gateway, and what when nobody answers well."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from landline.cli.main import cli
from landline.config.settings import Models
from tests.fakes.gateway_client import gateway_to
from tests.fakes.model_server import AnthropicServer, Kind, ModelServer
from tests.fakes.upstream import Request, Step, json_answer

HOUSE = '[[family]]\nname = "house"\nmatch = ["house"]\nlike = "mistral"\n'


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings but those of the test."""
    monkeypatch.setenv("LANDLINE_CONFIG", str(tmp_path / "landline.toml"))
    (tmp_path / "landline.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def models(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """In a thread of its own: the verb has a loop of its own, and the fake server runs in ours."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["models", *arguments], env=env)


async def told(*arguments: str, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    done = await models(*arguments, "--json", env=env)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["backends"]


async def test_a_served_model_its_family_and_why() -> None:
    async with ModelServer(kind="vllm", models=["zai-org/GLM-5.2", "m"]) as server:
        done = await models("--backend", server.url + "/v1")
        assert done.exit_code == 0
        head, _, columns, first, second, *rest = done.stdout.splitlines()
        assert head == f"{server.url} vllm 0.32.0"
        assert " ".join(columns.split()) == "model window family found by tool parser reasoning parser sampling"
        assert first.split() == ["zai-org/GLM-5.2", "131,072", "glm-5.2", "id", "glm47", "glm45", "temperature=1"]
        assert second.split() == ["m", "131,072", "-", "-", "-", "-", "-"]
        text = "\n".join(rest)
        assert "family glm-5.2 by its id: *glm-5.2* fits glm-5.2 (landline's table)" in text
        assert (
            "--enable-auto-tool-choice --tool-call-parser glm47 --reasoning-parser glm45 (from version 0.23.0)" in text
        )
        assert "sampling: of the family, by its recipe" in text
        assert "the template keeps the thinking of earlier turns with clear_thinking = false" in text
        assert "! no family is known for this model" in text


async def test_json_has_it_all() -> None:
    listed = {"data": [{"id": "default", "owned_by": "vllm", "root": "/m/Qwen3.6-27B", "max_model_len": 9000}]}

    def override(request: Request) -> list[Step] | None:
        return json_answer(200, listed) if request.path == "/v1/models" else None

    async with ModelServer(kind="vllm", override=override) as server:
        [backend] = await told("--backend", server.url)
        assert (backend["kind"], backend["version"], backend["reachable"]) == ("vllm", "0.32.0", True)
        assert "9000 tokens is too small" in backend["findings"][0]
        [model] = backend["models"]
        expected = {"id": "default", "window": 9000, "root": "/m/Qwen3.6-27B", "family": "qwen3.6", "found_by": "root",
                    "found_in": "qwen3.6-27b", "pattern": "*qwen3.6*", "tool_parser": "qwen3_coder",
                    "reasoning_parser": "qwen3", "min_version": "0.17.0"}  # fmt: skip
        assert model | expected == model
        assert "sampling" not in model  # what is inferred is not sent
        assert "inferred" in model["sampling_from"]
        assert model["quirks"] == ["the template keeps the thinking of earlier turns with preserve_thinking = true"]


async def test_a_file_of_ones_own_and_ones_own_sampling(alone: Path) -> None:
    (alone / "families.toml").write_text(HOUSE, encoding="utf-8")
    settings = '[models]\nfamilies = "families.toml"\n[sampling]\ntemperature = 0.5\ntop_k = 7\n'
    (alone / "landline.toml").write_text(settings, encoding="utf-8")
    async with ModelServer(kind="plain", models=["house"]) as server:
        [backend] = await told("--backend", server.url)
        [model] = backend["models"]
        assert (model["family"], model["overlay"], model["tool_parser"]) == ("house", True, "mistral")
        assert (model["sampling"], model["sampling_from"]) == ({"temperature": 0.5}, "your settings")
        assert "call ids have nine letters and digits" in model["quirks"]
        assert "(a row of your own file)" in (await models("--backend", server.url)).stdout


async def test_a_broken_file_of_ones_own(alone: Path) -> None:
    (alone / "families.toml").write_text(HOUSE.replace("like", "liek"), encoding="utf-8")
    done = await models("--backend", "http://127.0.0.1:9", env={"LANDLINE_MODELS_FAMILIES": "families.toml"})
    assert done.exit_code == 2
    assert "families.toml (models.families): row 1 (house): Object contains unknown field `liek`" in done.stderr
    assert done.stdout == ""


async def test_an_old_vllm() -> None:
    def override(request: Request) -> list[Step] | None:
        return json_answer(200, {"version": "0.9.2.dev1+gabc"}) if request.path == "/version" else None

    async with ModelServer(kind="vllm", models=["openai/gpt-oss-20b"], override=override) as server:
        done = await models("--backend", server.url)
        assert "! vLLM 0.9.2.dev1+gabc is older than 0.10.0, which gpt-oss needs" in done.stdout


@pytest.mark.parametrize("kind", ["ollama", "lmstudio", "llamacpp", "sglang"])
async def test_other_kinds(kind: Kind) -> None:
    async with ModelServer(kind=kind, models=["gpt-oss:20b"]) as server:
        [backend] = await told("--backend", server.url)
        assert (backend["kind"], backend["models"][0]["family"]) == (kind, "gpt-oss")


async def test_a_gateway_says_the_same_as_its_backend() -> None:
    async with ModelServer(kind="vllm", models=["Qwen/Qwen3.8-27B"]) as server:
        async with gateway_to(server.url) as client:
            await client.gateway.line.know()
            asked = await told("--gateway", client.url)
        assert asked == await told("--backend", server.url)
        assert asked[0]["models"][0]["sampling"] == {"temperature": 1.0, "top_p": 0.95, "top_k": 20}


async def test_a_gateway_uses_its_own_families(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text(HOUSE, encoding="utf-8")
    own = {"families": str(file)}
    async with ModelServer(models=["house"]) as server, gateway_to(server.url, models=Models(**own)) as client:
        await client.gateway.line.know()
        [backend] = await told("--gateway", client.url)
        assert (backend["models"][0]["family"], backend["models"][0]["overlay"]) == ("house", True)


async def test_a_native_backend_has_models_too() -> None:
    env = {"LANDLINE_BACKEND_PROTOCOL": "anthropic_messages"}
    async with AnthropicServer(models=["native"]) as server:
        [backend] = await told("--backend", server.url, env=env)
        assert (backend["kind"], backend["models"][0]["id"]) == ("anthropic", "native")


async def test_a_server_that_is_not_there() -> None:
    done = await models("--backend", "http://127.0.0.1:9")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "http://127.0.0.1:9 refused the connection" in done.stderr


async def test_a_gateway_that_is_not_there() -> None:
    done = await models("--gateway", "http://127.0.0.1:9")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "No gateway answers at http://127.0.0.1:9" in done.stderr


async def test_both_at_once() -> None:
    done = await models("--gateway", "http://a", "--backend", "http://b")
    assert done.exit_code == 2
    assert "--backend and --gateway do not go together" in done.stderr


async def test_foreign_text_does_nothing_to_a_terminal() -> None:
    async with ModelServer(kind="plain", models=["a\x1b[2J\u202eb"]) as server:
        done = await models("--backend", server.url)
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert "\\x1b" in done.stdout or "\\u001b" in done.stdout


async def test_help_has_an_example() -> None:
    done = await models("--help")
    assert "landline models --backend http://gpu-box:8000" in done.output
