"""A backend that loads is waited for; one that is not there only when asked; one that refuses us never."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from landline.config.settings import Backend, Settings
from landline.errors import LandlineError
from landline.server.journal import Journal
from landline.server.line import Line
from landline.server.readiness import wait_until_ready
from tests.fakes.model_server import ModelServer
from tests.fakes.upstream import Request, Step, json_answer

LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}


@contextlib.asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    line = Line(Settings(backend=Backend(url=url)), journal=Journal())
    try:
        yield line
    finally:
        await line.stop()


async def waited(line: Line, *, wait_s: float | None = None) -> list[tuple[float, str]]:
    told: list[tuple[float, str]] = []
    async with asyncio.timeout(10):
        await wait_until_ready(line, wait_s=wait_s, tell=lambda *what: told.append(what), every_s=0.01)
    return told


@pytest.mark.parametrize("lists_models", [False, True])
async def test_a_llama_cpp_that_loads_is_waited_for_and_its_window_is_known_then(lists_models: bool):
    """Older ones refuse everything while they load, newer ones list their models meanwhile."""
    rounds = 3

    def override(request: Request) -> list[Step] | None:
        nonlocal rounds
        rounds -= request.path == ("/health" if lists_models else "/v1/models")
        open_now = lists_models and request.path == "/v1/models"
        return json_answer(503, LOADING) if rounds > 0 and not open_now else None

    async with ModelServer(kind="llamacpp", window=5000, override=override) as server, line_to(server.url) as line:
        told = await waited(line)
        assert line.backend.window("served") == 5000
    assert len(told) == 2
    assert "503" in told[0][1]
    assert told[0][0] < told[1][0]


async def test_a_server_that_is_not_there_is_an_error_at_once_unless_it_is_waited_for():
    async with ModelServer() as server:
        port = server.port
    async with line_to(f"http://127.0.0.1:{port}") as line:
        with pytest.raises(LandlineError, match="No model server answers") as failed:
            await waited(line)
        assert "--wait" in failed.value.hint
        told: list[float] = []
        with pytest.raises(LandlineError, match="No model server answers"):
            await wait_until_ready(line, wait_s=0.3, tell=lambda s, _: told.append(s), every_s=0.05)
        assert told
        assert max(told) < 0.3


async def test_a_server_that_comes_while_it_is_waited_for_is_used():
    async with ModelServer() as gone:
        url, port = gone.url, gone.port
    async with line_to(url) as line:
        waiting = asyncio.create_task(waited(line, wait_s=8))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        async with ModelServer(models=["late"], port=port):
            assert await waiting
        assert line.backend.served == ("late",)


async def test_a_server_that_wants_another_key_is_never_waited_for():
    async with ModelServer(key="right") as server, line_to(server.url) as line:
        with pytest.raises(LandlineError, match="refused landline's key"):
            await waited(line, wait_s=5)
    assert len(server.requests_to("/v1/models")) == 1


async def test_no_patience_is_an_error_that_says_what_the_server_said():
    async with (
        ModelServer(kind="llamacpp", override=lambda request: json_answer(503, LOADING)) as server,
        line_to(server.url) as line,
    ):
        with pytest.raises(LandlineError, match=r"is not ready: .*answered 503"):
            await waited(line, wait_s=0)
