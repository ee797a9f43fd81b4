"""A body that is relayed keeps the coding it came in: only its head is read, and its end looked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from landline.upstream.pool import Pool
from landline.upstream.wire import SilenceError, WireError

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = b"5\r\nhello\r\n2\r\n\r\n\r\n6\r\n world\r\n"
END = b"0\r\n\r\n"
WHOLE = HEAD + BODY + END


@contextlib.asynccontextmanager
async def serving(*pieces: bytes, close: bool = False) -> AsyncGenerator[str]:
    """A server that answers each request with `pieces`, each in a read of its own."""
    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\nbody")
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
                if close:
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.get_running_loop().create_task(answer(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool(connect_timeout_s=2, silence_s=0.3)
    yield made
    made.close()


async def relayed(pool: Pool, url: str) -> tuple[bytes, bool]:
    """What was passed on, and whether the connection to the backend can be used again."""
    address, connection = await pool.request("POST", url, b"body", {})
    assert connection.chunked
    out: list[bytes] = []
    try:
        await connection.relay(out.append)
    finally:
        usable = connection.reusable
        pool.give_back(address, connection)
    return b"".join(out), usable


@pytest.mark.parametrize("at", range(1, len(WHOLE)))
async def test_any_cut(pool: Pool, at: int) -> None:
    async with serving(WHOLE[:at], WHOLE[at:]) as url:
        assert await relayed(pool, url) == (BODY + END, True)


async def test_byte_by_byte_and_again_on_the_same_connection(pool: Pool) -> None:
    async with serving(*[WHOLE[at : at + 1] for at in range(len(WHOLE))]) as url:
        for _ in range(2):
            assert await relayed(pool, url) == (BODY + END, True)


async def test_an_announcement_before_the_answer_is_not_passed_on(pool: Pool) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    for pieces in ((early, WHOLE), (early + WHOLE,), (early + HEAD, BODY + END)):
        async with serving(*pieces) as url:
            assert await relayed(pool, url) == (BODY + END, True)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["a length", "compressed", "of HTTP/1.0", "none"],
)
async def test_what_is_not_in_plain_chunks_is_not_for_relay(pool: Pool, head: bytes) -> None:
    async with serving(head) as url:
        address, connection = await pool.request("POST", url, b"body", {})
        assert not connection.chunked
        pool.give_back(address, connection)


async def test_a_trailer_changes_nothing(pool: Pool) -> None:
    trailer = b"0\r\ntransfer-encoding: x\r\ncontent-type: text/html\r\n\r\n"
    async with serving(HEAD + BODY + trailer) as url:
        address, connection = await pool.request("POST", url, b"body", {})
        assert connection.chunked
        assert connection.headers["content-type"] == "text/event-stream"
        out: list[bytes] = []
        assert not await connection.relay(out.append), "what stands behind the last chunk is no plain end mark"
        assert b"".join(out) == BODY + trailer
        pool.give_back(address, connection)


async def test_empty_lines_before_the_answer_are_not_passed_on(pool: Pool) -> None:
    for pieces in ((b"\r\n\r\n" + WHOLE,), (b"\r\n", b"\r\n" + HEAD, BODY + END)):
        async with serving(*pieces) as url:
            assert await relayed(pool, url) == (BODY + END, True)


async def test_an_empty_line_behind_the_end_is_told(pool: Pool) -> None:
    """Some clients would read it as the beginning of their next answer."""
    for pieces in ((WHOLE + b"\r\n",), (HEAD, BODY + END + b"\r\n")):
        async with serving(*pieces) as url:
            address, connection = await pool.request("POST", url, b"body", {})
            assert not await connection.relay([].append)
            pool.give_back(address, connection)


async def test_a_backend_that_closes_behind_its_answer(pool: Pool) -> None:
    closing = HEAD.replace(b"content-type", b"connection: close\r\ncontent-type")
    for pieces in ((closing + BODY + END,), (closing, BODY, END)):
        async with serving(*pieces, close=True) as url:
            assert await relayed(pool, url) == (BODY + END, False)


async def test_an_answer_that_stops_is_not_complete(pool: Pool) -> None:
    async with serving(HEAD + BODY, close=True) as url:
        address, connection = await pool.request("POST", url, b"body", {})
        out: list[bytes] = []
        await connection.relay(out.append)
        assert (b"".join(out), connection.complete) == (BODY, False)
        pool.give_back(address, connection)


@pytest.mark.parametrize(
    "behind",
    [WHOLE, HEAD[:30], b"H", b"garbage", b"\x00\x01\x02"],
    ids=["an answer", "half a head", "a letter", "words", "bytes"],
)
async def test_what_stands_behind_the_end_is_not_passed_on(pool: Pool, behind: bytes) -> None:
    """A client would take it for the answer to its next request."""
    for pieces in ((HEAD, BODY, END + behind), (WHOLE + behind,)):
        async with serving(*pieces) as url:
            address, connection = await pool.request("POST", url, b"body", {})
            out: list[bytes] = []
            with pytest.raises(WireError, match="not HTTP"):
                await connection.relay(out.append)
            assert END not in b"".join(out)
            assert not connection.complete
            assert not connection.reusable
            pool.give_back(address, connection)
    async with serving(HEAD, BODY + END, behind) as url:
        passed, _ = await relayed(pool, url)
        assert passed == BODY + END


async def test_chunks_that_are_none_are_not_passed_on(pool: Pool) -> None:
    async with serving(HEAD, BODY, b"zz\r\nhello\r\n") as url:
        with pytest.raises(WireError, match="not HTTP"):
            await relayed(pool, url)


async def test_a_backend_that_falls_silent(pool: Pool) -> None:
    async with serving(HEAD, BODY) as url:
        with pytest.raises(SilenceError):
            await relayed(pool, url)


async def test_a_pause_is_no_silence(pool: Pool) -> None:
    async with serving(HEAD, BODY, END) as url:
        address, connection = await pool.request("POST", url, b"body", {})
        out: list[bytes] = []
        relaying = asyncio.create_task(connection.relay(out.append))
        await asyncio.sleep(0)
        connection.pause()
        await asyncio.sleep(0.5)
        assert not relaying.done()
        connection.resume()
        await relaying
        assert b"".join(out) == BODY + END
        pool.give_back(address, connection)
