"""What is known about a backend, and when it is forgotten."""

from __future__ import annotations

import pytest

from landline.upstream.backend import Backend
from landline.upstream.client import UpstreamClient
from landline.upstream.probe import probe
from tests.fakes.model_server import Kind, ModelServer
from tests.fakes.upstream import Request, Step, json_answer


async def looked(backend: Backend) -> None:
    client = UpstreamClient(connect_timeout_s=2, idle_timeout_s=2)
    await probe(backend, client)
    client.close()


async def test_a_window_learned_from_an_overflow_is_kept_until_the_server_was_away():
    async with ModelServer(kind="plain") as server:
        backend = Backend(server.url)
        await looked(backend)
        assert backend.window("served") == 0
        backend.learn_window("served", 9000)
        await looked(backend)
        assert backend.window("served") == 9000
        backend.failed("gone")
        await looked(backend)  # it may be another server now
        assert backend.window("served") == 0


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_a_window_that_the_server_tells_is_believed_each_time(kind: Kind):
    async with ModelServer(kind=kind, window=5000) as server:
        backend = Backend(server.url)
        for window in (5000, 6000):
            server.window = window
            await looked(backend)
            assert backend.window("served") == window


async def test_a_window_is_not_forgotten_when_one_answer_is_missing():
    broken = False

    def override(request: Request) -> list[Step] | None:
        return json_answer(503, {"error": "busy"}) if broken and request.path == "/props" else None

    async with ModelServer(kind="llamacpp", window=5000, override=override) as server:
        backend = Backend(server.url)
        await looked(backend)
        broken = True
        await looked(backend)
        assert backend.window("served") == 5000
