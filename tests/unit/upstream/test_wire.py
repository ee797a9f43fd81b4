"""The pool towards a model server: when a request is sent again, and what is known about the server behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from landline.core.exchange import Exchange
from landline.server.journal import text_line
from landline.upstream.backend import Backend, ServedModel
from landline.upstream.pool import Pool, split_url
from landline.upstream.wire import Connection, SilenceError, WireError
from tests.fakes.upstream import Close, Cut, Pause, Request, Send, Status, Step, Upstream, json_answer

GONE = "closed the connection without an answer"
OK = json_answer(200, {"ok": True})


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool(connect_timeout_s=2, silence_s=5)
    yield made
    made.close()


async def ask(pool: Pool, url: str) -> Connection:
    """One request whose answer is read to its end."""
    address, connection = await pool.request("POST", f"{url}/", b"body", {})
    while await connection.read():
        pass
    pool.give_back(address, connection)
    return connection


async def test_a_pooled_connection_closed_at_once_is_replaced(pool: Pool) -> None:
    def script(request: Request) -> list[Step]:
        return [Close(finish=False)] if len(upstream.requests) == 3 else OK

    async with Upstream(script) as upstream:
        first, second = await ask(pool, upstream.url), await ask(pool, upstream.url)
        assert second is first
        assert not first.repeated
        third = await ask(pool, upstream.url)
        assert third is not first
        assert third.repeated
        assert third.status == 200
        assert [request.connection for request in upstream.requests] == [1, 1, 1, 2]
        assert [request.body for request in upstream.requests] == [b"body"] * 4
        assert not (await ask(pool, upstream.url)).repeated, "what was said of one request is not true of the next"


@pytest.mark.parametrize("end", [Close(finish=False), Cut()], ids=["closed", "reset"])
async def test_a_pooled_connection_closed_later_is_not_asked_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, end: Step
) -> None:
    """The server has had the request for a while: it crashed over it, or refuses it. Twice would be worse."""
    monkeypatch.setattr("landline.upstream.wire.STALE_S", 0.1)

    def script(request: Request) -> list[Step]:
        return OK if len(upstream.requests) == 1 else [Pause(0.25), end]

    async with Upstream(script) as upstream:
        await ask(pool, upstream.url)
        with pytest.raises(WireError, match=GONE):
            await ask(pool, upstream.url)
        assert len(upstream.requests) == 2


async def test_a_fresh_connection_is_asked_once(pool: Pool) -> None:
    async with Upstream(lambda request: [Close(finish=False)]) as upstream:
        with pytest.raises(WireError, match=GONE):
            await ask(pool, upstream.url)
        assert len(upstream.requests) == 1


async def test_a_host_that_is_no_name(pool: Pool) -> None:
    with pytest.raises(WireError, match="could not be found: no machine is known by that name"):
        await ask(pool, "http://a..b:1")


@pytest.mark.parametrize("url", ["http://[::1", "http://host:port", "http://host:99999", "ftp://host", "http://"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(WireError, match=r"is not an? (http\(s\) )?URL"):
        split_url(url)


def test_a_learned_window_keeps_the_order_of_the_models() -> None:
    """The first model answers for every name that nothing maps."""
    backend = Backend("http://backend")
    backend.models = (ServedModel("one"), ServedModel("two", 100), ServedModel("three"))
    backend.learn_window("one", 4096)
    backend.learn_window("three", 8192)
    backend.learn_window("two", 7)
    backend.learn_window("unlisted", 2048)
    assert backend.served == ("one", "two", "three", "unlisted")
    assert [backend.window(name) for name in backend.served] == [4096, 100, 8192, 2048]


def test_control_characters_do_not_reach_a_terminal() -> None:
    name = "evil\x1b[2J\r\nreq_0 faked line\x9b\x00\u202e"
    line = text_line(Exchange(id="req_1", path="/v1/messages", model_asked=name, model_served=name, status=200))
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert "evil?[2J??req_0" in line


@pytest.mark.parametrize("paused", [False, True], ids=["silent", "paused by us"])
async def test_silence_is_noticed_in_its_time_and_a_pause_is_none(*, paused: bool) -> None:
    """At the limit, or up to one look in eight behind it."""
    silent = Pool(connect_timeout_s=2, silence_s=0.4)
    script = [Status(200, {"content-type": "text/plain"}), Send(b"said"), Pause(0.8), Close()]
    async with Upstream(lambda request: script) as upstream:
        address, connection = await silent.request("POST", f"{upstream.url}/", b"body", {})
        assert await connection.read() == b"said"
        if paused:
            connection.pause()
        began = time.monotonic()
        if paused:
            await asyncio.sleep(0.6)
            connection.resume()
            assert await connection.read() == b""
        else:
            with pytest.raises(SilenceError):
                await connection.read()
            assert time.monotonic() - began > 0.35
        silent.give_back(address, connection)
    silent.close()
