"""How each kind of server is recognised and where its window is read; and servers that write anything at all."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from landline.upstream import probe as probing
from landline.upstream.backend import Backend
from landline.upstream.client import UpstreamClient
from landline.upstream.dialects import DIALECTS, LEAST_WINDOW, BackendKind, small_window
from landline.upstream.probe import probe
from landline.upstream.tokens import count_tokens
from tests.fakes.model_server import Kind, ModelServer
from tests.fakes.upstream import Hang, Pause, Request, Send, Status, Step, json_answer


async def look(server: ModelServer, backend: Backend | None = None) -> Backend:
    backend = backend or Backend(server.url)
    client = UpstreamClient(connect_timeout_s=2, idle_timeout_s=2)
    await probe(backend, client)
    client.close()
    return backend


def told(**answers: Any) -> Callable[[Request], list[Step] | None]:
    """Answers for paths, written with _ for each slash behind the first."""
    paths = {"/" + name.replace("_", "/"): answer for name, answer in answers.items()}
    return lambda request: json_answer(200, paths[request.path]) if request.path in paths else None


def test_every_kind_has_a_dialect() -> None:
    assert set(DIALECTS) == set(BackendKind)


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp", "ollama", "lmstudio"])
async def test_each_kind_is_told_by_its_models(kind: Kind) -> None:
    async with ModelServer(kind=kind, window=50_000) as server:
        backend = await look(server)
        assert (backend.kind, backend.window("served"), backend.reachable) == (BackendKind(kind), 50_000, True)


@pytest.mark.parametrize("kind", ["vllm", "sglang", "ollama", "lmstudio"])
async def test_each_kind_is_asked_for_when_the_models_do_not_tell(kind: Kind) -> None:
    """A proxy that rewrites the list, or models of other namespaces. It is asked once, not at every look."""
    rows = {"data": [{"id": "served", "owned_by": "somebody"}]}
    async with ModelServer(kind=kind, override=told(v1_models=rows)) as server:
        backend = await look(server)
        assert backend.kind is BackendKind(kind)
        before = len(server.requests)
        await look(server, backend)
        assert backend.kind is BackendKind(kind)
        assert len(server.requests) - before <= 2


async def test_a_server_of_no_kind_is_plain_and_not_asked_again() -> None:
    async with ModelServer(kind="plain") as server:
        backend = await look(server)
        assert backend.kind is BackendKind.PLAIN
        before = len(server.requests)
        await look(server, backend)
        assert len(server.requests) == before + 1


async def test_ollama_tells_the_window_of_a_loaded_model_and_of_one_whose_file_sets_it() -> None:
    async with ModelServer(kind="ollama", models=("loaded", "other"), window=8192) as server:
        backend = await look(server)
        assert (backend.window("loaded"), backend.window("other")) == (8192, 40_000)
        server.window = 16_384
        await look(server, backend)
        assert backend.window("loaded") == 16_384


async def test_lm_studio_serves_what_is_loaded_first_and_no_embeddings() -> None:
    async with ModelServer(kind="lmstudio", models=("loaded", "other", "nomic-embed"), window=4096) as server:
        backend = await look(server)
        assert backend.served == ("loaded", "other")
        assert (backend.window("loaded"), backend.window("other")) == (4096, 0)  # nobody knows how it will be loaded


async def test_lm_studio_s_newer_list() -> None:
    rows = [
        {"type": "embedding", "key": "embed", "loaded_instances": [], "max_context_length": 2048},
        {"type": "llm", "key": "other", "loaded_instances": [], "max_context_length": 40_960},
        {"type": "llm", "key": "k", "loaded_instances": [{"id": "up", "config": {"context_length": 9000}}]},
    ]
    override = told(api_v0_models={"error": "gone"}, api_v1_models={"models": rows})
    async with ModelServer(kind="lmstudio", models=("embed", "other", "up"), override=override) as server:
        backend = await look(server)
        assert backend.served == ("up", "other")
        assert backend.window("up") == 9000


async def test_a_model_that_comes_later_does_not_become_the_first() -> None:
    async with ModelServer(kind="ollama", models=("a", "b")) as server:
        backend = await look(server)
        server.models = ("new", "b", "a")
        await look(server, backend)
        assert backend.served == ("a", "b", "new")


HOSTILE: list[Any] = [
    None,
    True,
    7,
    "text",
    [],
    {},
    [[[]]],
    {"data": {}},
    {"models": [1]},
    {"parameters": ["num_ctx 5"]},
]
HOSTILE += [
    {"default_generation_settings": [1], "n_ctx": "many", "total_slots": -3},
    {"models": [{"model": ["x"], "context_length": 10**30}, {"name": {"a": 1}, "context_length": True}]},
    {"data": [{"id": ["x"], "type": "embeddings"}, {"id": "served", "state": "loaded", "loaded_context_length": -1}]},
    {"models": [{"key": [], "type": "embedding", "loaded_instances": [{"id": {}, "config": [4096]}]}]},
]


@pytest.mark.parametrize("kind", ["llamacpp", "ollama", "lmstudio", "plain"])
@pytest.mark.parametrize("answer", HOSTILE, ids=str)
async def test_answers_of_any_shape_leave_the_window_unknown(kind: Kind, answer: Any) -> None:
    def override(request: Request) -> list[Step] | None:
        return None if request.path == "/v1/models" else json_answer(200, answer)

    async with ModelServer(kind=kind, override=override) as server:
        backend = await look(server)
        assert backend.reachable
        assert backend.window("served") == 0
        client = UpstreamClient(connect_timeout_s=2, idle_timeout_s=2)
        assert await count_tokens(backend, client, b"{}") is None
        client.close()


@pytest.mark.parametrize("ident", [None, 5, "", ["x"], {"a": 1}, "x" * 600])
async def test_models_without_a_usable_name_are_left_out(ident: Any) -> None:
    rows = {"data": [{"id": ident, "max_model_len": 5}, 3, {"id": "good", "max_model_len": True}]}
    async with ModelServer(kind="plain", override=told(v1_models=rows)) as server:
        backend = await look(server)
        assert backend.served == ("good",)
        assert backend.window("good") == 0


async def test_a_list_without_end_is_cut() -> None:
    rows = json.dumps({"data": [{"id": f"m{n}"} for n in range(20_000)]}).encode()
    async with ModelServer(kind="plain", override=lambda request: json_answer(200, rows)) as server:
        backend = await look(server)
        assert len(backend.models) == probing.MOST_MODELS


async def test_a_body_that_is_larger_than_any_list_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.upstream.client.SMALL_BODY_LIMIT", 10_000)
    rows = json.dumps({"data": [{"id": f"m{n}"} for n in range(20_000)]}).encode()
    async with ModelServer(kind="plain", override=lambda request: json_answer(200, rows)) as server:
        backend = await look(server)
        assert not backend.reachable
        assert "does not list a model" in backend.problem


@pytest.mark.parametrize("steps", [[Hang()], [Status(200), Send(b'{"a":'), Hang()], [Pause(5), Status(200)]])
async def test_a_server_that_answers_further_questions_slowly_is_used_as_it_is(
    steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "TIMEOUT_S", 0.1)

    def override(request: Request) -> list[Step] | None:
        return None if request.path == "/v1/models" else steps

    for kind in ("plain", "lmstudio"):
        async with ModelServer(kind=kind, override=override) as server:
            began = time.monotonic()
            backend = await look(server)
            assert time.monotonic() - began < 1
            assert backend.reachable
            assert backend.kind is (BackendKind.PLAIN if kind == "plain" else BackendKind.LMSTUDIO)
    await asyncio.sleep(0)


def test_the_advice_names_what_to_change() -> None:
    for kind in BackendKind:
        assert "65536" in small_window(kind, 4096)
        assert small_window(kind, LEAST_WINDOW) == small_window(kind, 0) == ""
    assert Backend("host", window=4096).advice("m") == ""  # whoever sets a window knows it
