"""One HTTP/1.1 connection to a model server, on httptools: just what streaming an answer needs.

A connection carries one request at a time and goes back to the pool when its answer was read to the end; an answer
that is left early closes its connection, which is how model servers are told to stop generating. The end of the bytes
is the end of the answer, framed well or not: whether an answer is complete is for its protocol to say.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

from landline.upstream.chunks import CR, LF, LIMIT, SIZES

HIGH_WATER = 256 * 1024  # bytes read ahead of the reader before the socket is left alone
STALE_S = 1.0
LOOKS = 8  # how often in the time that a server may be silent it is looked whether it was
HEAD_LIMIT = 64 * 1024
_FRAMING = ("content-length", "transfer-encoding")


class WireError(Exception):
    """The server could not be reached, or its answer is not HTTP."""


class SilenceError(Exception):
    """The server said nothing for longer than it may."""


class StaleError(Exception):
    """A connection from the pool was closed by the server before it answered: ask again on a new one."""


class Connection(asyncio.Protocol):
    """One connection, and the answer that it carries now."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, silence_s: float) -> None:
        self.idle_since = 0.0
        self.closed = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.repeated = False  # the request was sent again, on a new connection
        self.complete = False  # the answer was read to its end, as its framing says
        self._keep_alive = False
        self._loop = loop
        self._silence_s = silence_s
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._pieces: deque[bytes] = deque()  # of the body, read and not taken
        self.on_body = self._pieces.append  # called by the parser: a method of ours would cost as much as the rest
        self._size = 0  # bytes of the reads that brought them
        self._full = False  # more was read ahead than anybody has taken
        self._held = False  # the reader asked for a pause
        self._stopped = False  # the socket is not read
        self._sip_s = 0.0
        self._head_size = 0
        self._head_done = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Callable[[bytes], bool] | None = None
        self._poured: asyncio.Future[None] | None = None
        self.on_chunk_header: Callable[[], None] | None = None  # called by the parser, where chunks are relayed
        self.on_chunk_complete: Callable[[], None] | None = None
        self._between = False  # the last thing parsed was the end of a chunk
        self._relay: Callable[[bytes], object] | None = None  # takes whole chunks as they came
        self._next: Callable[[bytes], object] | None = None  # the same, while the next read begins with a chunk
        self._heard = False  # since the last look: noting the time costs more, where it is done for each token
        self._quiet = 0  # looks in a row that found nothing
        self._sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # ---------------------------------------------------------------------------------------- for the pool

    def send(self, head: bytes, body: bytes | None, *, relayed: bool = False) -> None:
        """Begins the next request. The transport takes the body over; nothing here keeps it.

        `relayed`: the chunks of the answer may go on as they come (`pour`).
        """
        assert self._transport is not None
        self.status, self.headers, self.complete = 0, {}, False
        self._head_done, self._head_size, self._error = False, 0, None
        self._full = self._held = False
        self._throttle()
        self.on_chunk_header = self._chunk_begins if relayed else None
        self.on_chunk_complete = self._chunk_ends if relayed else None
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at = self._loop.time()
        self._heard, self._quiet = False, 0
        self._timer = self._loop.call_later(self._silence_s / LOOKS, self._look)
        if body:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head)

    @property
    def reusable(self) -> bool:
        return self.complete and not self.closed and self._keep_alive

    async def head(self) -> None:
        """Waits for status and headers. Raises WireError, SilenceError; StaleError when nothing at all came."""
        while not self._head_done:
            if self._error is not None:
                raise self._error
            if self.closed:
                raise StaleError if self._is_stale() else WireError("closed the connection without an answer")
            await self._wait()

    def _is_stale(self) -> bool:
        """Closed before a byte, and at once: it was closing in the pool. Later, it is the request that was refused."""
        return self._head_size == 0 and self._loop.time() - self._sent_at < STALE_S

    def end(self) -> None:
        """The request is over, well or not: no timer runs on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pieces.clear()
        self._size = 0

    def abort(self) -> None:
        """Closes at once: what the server still sends is of no use."""
        self.end()
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # ---------------------------------------------------------------------------------------- for the reader

    async def read(self) -> bytes:
        """All bytes of the body that are here, at least one; empty at their end. Raises SilenceError, WireError."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.complete or self.closed:
                return b""
            await self._wait()
        return self._take()

    async def pour(
        self,
        take: Callable[[bytes], bool],
        *,
        sip_s: float = 0.0,
        relay: Callable[[bytes], object] | None = None,
    ) -> None:
        """Gives the bytes of each read to `take`, within the read itself: no task wakes up for them.

        Ends when `take` returns True, or has been given b"", the end of the bytes. With `sip_s`, the socket is read at
        most once in that time: fewer wake-ups where nobody waits for single tokens. A read that is exactly one chunk
        goes to `relay` in its place, size and all, if the request was sent as `relayed` (not with `sip_s`). Raises
        SilenceError, WireError.
        """
        self._sink, self._poured, self._sip_s = take, self._loop.create_future(), sip_s
        self._relay = None if sip_s else relay
        try:
            self._flow()
            await self._poured
        finally:
            self._sink = self._relay = self._next = None

    def pause(self) -> None:
        """Leaves the socket alone until `resume`."""
        self._held = True
        self._throttle()

    def resume(self) -> None:
        self._held = False
        self._throttle()

    def _flow(self) -> None:
        sink = self._sink
        if sink is None:
            self._wake()
            return
        over = sink(self._take()) if self._pieces else False
        if not over and self._error is not None:
            self._end_pour(self._error)
        elif over or ((self.complete or self.closed) and (sink(b"") or True)):
            self._end_pour(None)
        elif self._sip_s:
            self.pause()
            self._loop.call_later(self._sip_s, self.resume)

    def _take(self) -> bytes:
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._full:
            self._full = False
            self._throttle()
        return body

    def _end_pour(self, error: Exception | None) -> None:
        self._sink = self._relay = self._next = None
        if self._poured is None or self._poured.done():
            return
        if error is None:
            self._poured.set_result(None)
        else:
            self._poured.set_exception(error)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _look(self) -> None:
        """The timer: has the server been silent for too long? By one look more, at most."""
        self._quiet = 0 if self._heard or self._stopped else self._quiet + 1
        self._heard = False
        if self._quiet < LOOKS:
            self._timer = self._loop.call_later(self._silence_s / LOOKS, self._look)
        else:
            self._error = SilenceError()
            self._timer = None
            self._flow()

    def _throttle(self) -> None:
        """Stops or starts reading the socket, as those who asked for it together want it."""
        stop = self._full or self._held
        if stop == self._stopped or self._transport is None or self.closed:
            return
        self._stopped = stop
        if stop:
            self._transport.pause_reading()
        else:
            self._heard = True
            self._transport.resume_reading()

    # ---------------------------------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not subclasses

    def data_received(self, data: bytes) -> None:
        if (relay := self._next) is not None and (length := len(data)) < LIMIT:
            place, size = SIZES[length]
            if data[place] == size and data[-1] == LF and data[-2] == CR:
                self._heard = True
                relay(data)
                return
        parser = self._parser
        if parser is None or self.complete:  # bytes that nobody asked for
            self.abort()
            return
        self._heard = True
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._error, self.complete = WireError(f"not HTTP: {error}"), False
            self._flow()
            self.abort()
            return
        if self._relay is not None:
            # Behind a chunk, a line that is whole has told the parser of the next one.
            self._next = self._relay if self._between and data[-1:] == b"\n" else None
        if (sink := self._sink) and len(self._pieces) == 1 and not (self._full or self.complete or self._sip_s):
            # Of a stream, token by token: the short way.
            if sink(self._pieces.pop()):
                self._end_pour(None)
        else:
            self._received(data)

    def _received(self, data: bytes) -> None:
        """What is done with a read that is not just a piece of a stream."""
        self._size += len(data)
        if self._size > HIGH_WATER and self._pieces:
            self._full = True
            self._throttle()
        if not self._head_done:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self._error = WireError("endless response headers")
                self.abort()
        self._flow()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._head_done and not self.closed and self.headers.keys().isdisjoint(_FRAMING):
            self.complete = True  # without a length or chunks, the end of the connection is the end of the answer
        self.closed = True
        self._transport = None
        if exc is not None and not isinstance(exc, OSError):
            self._error = exc  # what the sink raised: not the server's doing
        self._flow()

    # ---------------------------------------------------------------------------------------- httptools

    def on_message_begin(self) -> None:
        if self.complete:
            raise WireError("two answers to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # else it is a trailer
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self._between = False
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self._head_done = status, True
        else:
            self.headers = {}  # 100 Continue and its like announce another answer

    def _chunk_begins(self) -> None:
        self._between = False

    def _chunk_ends(self) -> None:
        self._between = True

    def on_message_complete(self) -> None:
        if self._head_done:
            assert self._parser is not None
            self.complete = True
            self._keep_alive = self._parser.should_keep_alive()  # the parser knows it only here
