"""Chunks that go on as they came: whatever a backend writes and however it is read, the client reads the same body."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any, cast

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landline.upstream.wire import Connection, WireError

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
# Bodies that look like the framing around them, and an event as servers write it.
LIKE_CHUNKS = st.sampled_from(
    [b"5\r\n", b"5\r\nhello\r\n", b"6\r\n6\r\n\r\n", b"0\r\n\r\n", b"\r\n", b"d", b"a" * 4090]
)
BODIES = st.lists(st.lists(LIKE_CHUNKS | st.just(b"data: {}\n\n"), min_size=1, max_size=8).map(b"".join), max_size=8)
FRAMES = st.sampled_from([b"%x\r\n%b\r\n", b"%X\r\n%b\r\n", b"0%x\r\n%b\r\n", b"%x;a=b\r\n%b\r\n"])
CUTS = st.sets(st.integers(0, 60), max_size=12)


class NoTransport:
    """The moves of a transport that a connection makes while it is read."""

    def write(self, data: bytes) -> None: ...

    def writelines(self, data: list[bytes]) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class Client:
    """What a client's parser finds in chunks."""

    def __init__(self) -> None:
        self.body = b""
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(HEAD)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def take(self, data: bytes) -> bool:
        if data:
            self.parser.feed_data(b"%x\r\n%b\r\n" % (len(data), data))
        return False


async def relayed(reads: list[bytes]) -> tuple[Client, Connection, list[bytes]]:
    """The client behind these reads, and which of them went on as they came."""
    connection = Connection(asyncio.get_running_loop(), silence_s=60)
    connection.connection_made(cast("Any", NoTransport()))
    connection.send(b"", None, relayed=True)
    client, whole = Client(), list[bytes]()

    def relay(data: bytes) -> None:
        whole.append(data)
        client.parser.feed_data(data)

    connection.data_received(reads[0])
    pouring = asyncio.ensure_future(connection.pour(client.take, relay=relay))
    await asyncio.sleep(0)
    for read in reads[1:]:
        connection.data_received(read)
    await asyncio.wait_for(pouring, 1)
    connection.end()
    return client, connection, whole


def cut(data: bytes, places: set[int]) -> list[bytes]:
    """Pieces of `data`, cut where it matters: about the ends of lines. `places`: which of these, in order."""
    about = {at + 1 + aside for at, byte in enumerate(data) if byte == ord("\n") for aside in (-1, 0, 1)}
    at = [place for number, place in enumerate(sorted(about)) if number in places]
    return [piece for begin, end in pairwise([0, *at, len(data)]) if (piece := data[begin:end])]


@example([b"x", b"hello\r\n" + b"." * 206], [b"%x\r\n%b\r\n"] * 8, {5, 10})  # half a size, then a chunk's likeness
@example([b"x", b"a\n5\r\nhello\r\n."], [b"%x\r\n%b\r\n"] * 8, {4, 9, 15})  # one in a chunk, behind a line
@given(BODIES, st.lists(FRAMES, min_size=8, max_size=8), CUTS)
def test_however_it_is_read_the_body_is_the_same(bodies: list[bytes], frames: list[bytes], places: set[int]) -> None:
    written = b"".join(frame % (len(body), body) for frame, body in zip(frames, bodies, strict=False))
    client, connection, _ = asyncio.run(relayed([HEAD, *cut(written + LAST, places)]))
    assert client.body == b"".join(bodies)
    assert connection.complete


@given(BODIES, st.integers(0, 40))
def test_read_one_by_one_all_but_the_first_go_on_as_they_came(bodies: list[bytes], first: int) -> None:
    chunks = [b"%x\r\n%b\r\n" % (len(body), body) for body in bodies]
    split = [chunks[0][:first], chunks[0][first:]] if chunks else []
    client, _, whole = asyncio.run(relayed([HEAD, *filter(None, split), *chunks[1:], LAST]))
    assert client.body == b"".join(bodies)
    assert whole == [chunk for chunk in chunks[1:] if len(chunk) < 4096]


@pytest.mark.parametrize("end", [b"\r.", b".\n", b"\n\r"])
def test_a_chunk_with_another_end_is_no_http(end: bytes) -> None:
    with pytest.raises(WireError):
        asyncio.run(relayed([HEAD, b"1\r\nx\r\n", b"5\r\nhello" + end, LAST]))


@given(BODIES, st.sampled_from([b"5\r\nhello\r\n", LAST, b"HTTP/1.1 200 OK\r\n\r\n", b"junk"]))
def test_nothing_goes_on_behind_the_end(bodies: list[bytes], behind: bytes) -> None:
    chunks = [b"%x\r\n%b\r\n" % (len(body), body) for body in bodies]
    client, connection, _ = asyncio.run(relayed([HEAD, *chunks, LAST, behind]))
    assert client.body == b"".join(bodies)
    assert connection.closed
