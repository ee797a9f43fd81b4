"""Model servers at the ports that are looked at; what else listens there is passed over."""

from __future__ import annotations

import contextlib

import pytest

from landline.upstream.local_servers import USUAL_PORTS, LocalServer, local_servers
from tests.fakes.gateway_client import gateway_to
from tests.fakes.model_server import Kind, ModelServer
from tests.fakes.upstream import Hang, Upstream, json_answer


async def test_the_usual_ports_are_those_of_the_servers_documentation():
    expected = {8000: "vLLM", 30000: "SGLang", 8080: "llama.cpp", 11434: "Ollama", 1234: "LM Studio"}
    assert dict(USUAL_PORTS) == expected


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("vllm", "vLLM"),
        ("llamacpp", "llama.cpp"),
        ("sglang", "SGLang"),
        ("ollama", "Ollama"),
        ("lmstudio", "LM Studio"),
        ("plain", "a model server"),
    ],
)
async def test_a_server_is_named_for_what_it_is_not_for_its_port(kind: Kind, title: str):
    async with ModelServer(kind=kind, models=["one", "two"], window=40_000) as server:
        (found,) = await local_servers({server.port: "something else"})
    window = 0 if kind == "plain" else 40_000
    assert found == LocalServer(server.url, title, "one", 2, window)
    assert all(request.headers.get("authorization") is None for request in server.requests)


async def test_all_that_run_are_found_and_what_is_none_is_not():
    async with ModelServer() as closed:
        pass
    async with contextlib.AsyncExitStack() as stack:
        good = [await stack.enter_async_context(ModelServer(kind=kind)) for kind in ("vllm", "ollama")]
        page = await stack.enter_async_context(Upstream(lambda request: json_answer(200, {"hello": "world"})))
        silent = await stack.enter_async_context(Upstream(lambda request: [Hang()]))
        locked = await stack.enter_async_context(ModelServer(key="secret"))
        loading = await stack.enter_async_context(Upstream(lambda request: json_answer(503, {"error": "loading"})))
        gateway = await stack.enter_async_context(gateway_to(good[0].url))
        others = (*(server.port for server in (page, silent, locked, closed)), int(gateway.url.rpartition(":")[2]))
        ports = dict.fromkeys((*(server.port for server in good), *others), "x") | {loading.port: "llama.cpp"}
        found = await local_servers(ports)
    assert [(server.url, server.loading) for server in found] == [
        (good[0].url, False),
        (good[1].url, False),
        (loading.url, True),
    ]
    assert "still loading" in str(found[2])
