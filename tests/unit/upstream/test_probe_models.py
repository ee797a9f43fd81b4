"""What servers tell of their models beside the window, and the family that is found by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.families.registry import MatchedOn
from landline.upstream.backend import Backend, ServedModel
from landline.upstream.client import UpstreamClient
from landline.upstream.probe import LONGEST_TEXT, probe
from tests.fakes.model_server import Kind, ModelServer
from tests.fakes.upstream import Request, Step, json_answer
from tests.property.requests import families

MISTRAL = "{{ '[TOOL_CALLS]' }}"


async def look(server: ModelServer, backend: Backend | None = None) -> Backend:
    backend = backend or Backend(server.url, families=families())
    client = UpstreamClient(connect_timeout_s=2, idle_timeout_s=2)
    await probe(backend, client)
    client.close()
    return backend


def told(answers: dict[str, Any]) -> Callable[[Request], list[Step] | None]:
    return lambda request: json_answer(200, answers[request.path]) if request.path in answers else None


def found(backend: Backend, model: str = "mine") -> tuple[str, MatchedOn] | None:
    match = backend.match(model)
    return (match.family.name, match.on) if match else None


VLLM_LIST = {
    "data": [
        {"id": "mine", "owned_by": "vllm", "root": "/m/Qwen3.6-27B", "parent": None, "max_model_len": 70_000},
        {"id": "tuned", "owned_by": "vllm", "root": "/loras/a", "parent": "mine"},
        {"id": "other", "owned_by": "vllm", "root": "/loras/b", "parent": "zai-org/GLM-5.2"},
        {"id": "odd", "owned_by": "vllm", "root": 7, "parent": ["mine"]},
    ]
}


async def test_vllm_tells_the_checkpoint_behind_an_alias_and_an_adapter() -> None:
    async with ModelServer(kind="vllm", override=told({"/v1/models": VLLM_LIST})) as server:
        backend = await look(server)
        assert (backend.version, backend.window("mine")) == ("0.32.0", 70_000)
        assert found(backend) == found(backend, "tuned") == ("qwen3.6", MatchedOn.ROOT)
        assert found(backend, "other") == ("glm-5.2", MatchedOn.ROOT)
        assert found(backend, "odd") is None
        assert dict(backend.dialect("mine").keep_thinking) == {"preserve_thinking": True}


LMSTUDIO = {"data": [{"id": "mine", "arch": "gpt_oss", "state": "loaded"}]}
OLLAMA = {"details": {"family": "gptoss", "parent_model": "", "format": "gguf"}, "template": "{{ .System }}"}


@pytest.mark.parametrize(
    ("kind", "answers", "expected"),
    [
        ("llamacpp", {"/props": {"model_path": "/m/GLM-5.2-Q4.gguf"}}, ("glm-5.2", MatchedOn.ROOT)),
        (
            "llamacpp",
            {"/props": {"model_path": "/m/m.gguf", "chat_template": MISTRAL}},
            ("mistral", MatchedOn.TEMPLATE),
        ),
        ("sglang", {"/get_model_info": {"model_path": "Qwen/Qwen3.8-27B"}}, ("qwen3.8", MatchedOn.ROOT)),
        ("ollama", {"/api/show": OLLAMA}, ("gpt-oss", MatchedOn.ARCHITECTURE)),
        ("ollama", {"/api/show": OLLAMA | {"template": MISTRAL}}, ("mistral", MatchedOn.TEMPLATE)),
        ("ollama", {"/api/show": {"details": {"parent_model": "qwen3-coder:30b"}}}, ("qwen3-coder", MatchedOn.ROOT)),
        ("lmstudio", {"/api/v0/models": LMSTUDIO}, ("gpt-oss", MatchedOn.ARCHITECTURE)),
        ("ollama", {"/api/show": {"details": [1], "template": {"a": 1}, "parameters": 7}}, None),
        ("llamacpp", {"/props": {"model_path": 1, "chat_template": ["x"], "build_info": {}}}, None),
    ],
)
async def test_each_kind_tells_something(
    kind: Kind, answers: dict[str, Any], expected: tuple[str, MatchedOn] | None
) -> None:
    async with ModelServer(kind=kind, models=["mine"], override=told(answers)) as server:
        assert found(await look(server)) == expected


async def test_what_was_told_once_holds_until_the_server_was_away() -> None:
    """A prompt is written by the family: it must not change while a session runs."""
    props = {"chat_template": MISTRAL}
    answers: dict[str, Any] = {"/props": props}
    async with ModelServer(kind="llamacpp", models=["mine"], override=told(answers)) as server:
        backend = await look(server)
        before = backend.dialect("mine")
        answers["/props"] = {}
        await look(server, backend)
        assert found(backend) == ("mistral", MatchedOn.TEMPLATE)
        assert backend.dialect("mine") is before
        backend.failed("gone")
        await look(server, backend)
        assert found(backend) is None
        assert backend.dialect("mine") != before


async def test_a_template_without_end_is_cut() -> None:
    async with ModelServer(
        kind="llamacpp", models=["mine"], override=told({"/props": {"chat_template": "x" * 300_000}})
    ) as server:
        assert len((await look(server)).models[0].template) == LONGEST_TEXT


def test_a_learned_window_leaves_the_rest_as_it_was() -> None:
    backend = Backend("http://x", families=families())
    backend.models = (ServedModel("mine", root="Qwen/Qwen3.6-27B"),)
    backend.learn_window("mine", 9000)
    assert (backend.window("mine"), found(backend)) == (9000, ("qwen3.6", MatchedOn.ROOT))
