"""One HTTP request and its answer, as the ASGI application sees them, on a connection of `connection.py`."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Protocol

from landline.server.asgi import AnswerBegun, BodySilence, Header, Relay

READ_AHEAD = 1024 * 1024  # bytes of a body kept before its reader is woken, and beyond which the socket waits

Message = MutableMapping[str, Any]
_PHRASES = {**{status.value: status.phrase for status in http.HTTPStatus}, 529: "Overloaded"}
FEW = 1024
_SIZES = [b"%x\r\n" % size for size in range(FEW)]  # what stands before a chunk of so many bytes
STATUS_LINES = {status: f"HTTP/1.1 {status} {phrase}\r\n".encode() for status, phrase in _PHRASES.items()}


class Carrier(Protocol):
    """What an exchange needs of its connection."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def body_s(self) -> float:
        """Longest silence while a body comes in."""
        ...

    @property
    def transport(self) -> asyncio.WriteTransport | None:
        """None: the client has left."""
        ...

    @property
    def keeps_up(self) -> bool: ...

    def when_drained(self, function: Callable[[], None]) -> None: ...

    def relay(self, pause: Callable[[], None], resume: Callable[[], None]) -> Callable[[bytes], object]: ...

    async def drained(self) -> None: ...

    def resume_reading(self) -> None: ...

    def answered(self, *, keep_alive: bool) -> None: ...

    def abort(self) -> None: ...


class HttpExchange:
    """One request and its answer, as the ASGI application sees them."""

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_connection",
        "_gone",
        "_hang_up",
        "_head",
        "_keep_alive",
        "_last",
        "_message",
        "_pieces",
        "_scope",
        "_size",
        "_started",
        "_waiter",
        "_whole",
    )

    def __init__(self, connection: Carrier, scope: Message, *, keep_alive: bool) -> None:
        self._connection = connection
        self._scope = scope
        self._keep_alive = keep_alive
        self._pieces: list[bytes] = []
        self._size = 0
        self._whole = False  # the body is here
        self._gone = False  # the client hung up
        self._last = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._hang_up: Callable[[], None] | None = None
        self._started = False
        self._head = b""  # written together with the first bytes of the body
        self._chunked = False
        self._bodiless = scope["method"] == "HEAD"
        self._message = False  # the body was handed over to its end
        scope["landline.client"] = self

    async def run(self, app: Any) -> None:
        await app(self._scope, self.receive, self.send)

    # ---------------------------------------------------------------------------------------- for Connection

    def take(self, body: bytes) -> int:
        """A piece of the request body; returns the bytes that wait."""
        self._pieces.append(body)
        self._size += len(body)
        self._last = self._connection.loop.time()
        if self._size > READ_AHEAD:
            self._wake()
        return self._size

    def whole(self) -> None:
        self._whole = True
        self._wake()

    def client_left(self) -> None:
        self._gone = True
        self._wake()
        if self._hang_up is not None:
            self._hang_up()

    # ---------------------------------------------------------------------------------------- ASGI

    @property
    def _ready(self) -> bool:
        """Whether `receive` has something to say."""
        return self._whole or self._gone or self._size > READ_AHEAD

    async def receive(self) -> Message:
        loop = self._connection.loop
        self._last = loop.time()
        while not self._ready:
            self._waiter = loop.create_future()
            timer = loop.call_later(self._last + self._connection.body_s - loop.time(), self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
            if not self._ready and loop.time() - self._last >= self._connection.body_s:
                raise BodySilence
        if self._gone or self._message:
            return {"type": "http.disconnect"}
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._size = [], 0
        self._message = self._whole
        if not self._whole:
            self._connection.resume_reading()
        return {"type": "http.request", "body": body, "more_body": not self._whole}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begin(message["status"], message.get("headers", ()))
        elif not self.write(message.get("body", b""), last=not message.get("more_body", False)):
            await self._connection.drained()

    # ---------------------------------------------------------------------------------------- ClientSide

    def on_hang_up(self, function: Callable[[], None]) -> None:
        self._hang_up = function
        if self._gone:
            function()

    def cut(self) -> None:
        self._connection.abort()

    def when_drained(self, function: Callable[[], None]) -> None:
        self._connection.when_drained(function)

    def write(self, data: bytes, *, last: bool = False) -> bool:
        if self._gone:
            return True
        if self._bodiless:
            data = b""
        elif self._chunked:
            if data:
                size = len(data)
                data = b"".join((_SIZES[size] if size < FEW else b"%x\r\n" % size, data, b"\r\n"))
            if last:
                data += b"0\r\n\r\n"
        if self._head:
            data, self._head = self._head + data, b""
        connection = self._connection
        if data and connection.transport is not None:  # here, not in a method of it: this is done for every token
            connection.transport.write(data)
        if last:
            connection.answered(keep_alive=self._keep_alive)
        return connection.keeps_up

    def relay(self, pause: Callable[[], None], resume: Callable[[], None]) -> Relay:
        send = self._connection.relay(pause, resume)

        def write_plainly(data: bytes) -> bool:
            self.write(data)
            return False

        if self._bodiless or not self._chunked:
            return Relay(write_plainly, None)
        send(self._head)
        self._head = b""

        def write(data: bytes) -> bool:
            if size := len(data):
                send(b"".join((_SIZES[size] if size < FEW else b"%x\r\n" % size, data, b"\r\n")))
            return False

        return Relay(write, send)

    def begin(self, status: int, headers: Iterable[Header]) -> None:
        if self._started:
            raise AnswerBegun
        self._started = True
        # HTTP/1.0 knows no chunks: the end of the connection is the end of the answer. And behind a request that was
        # not read to its end, no other can be told apart.
        old = self._scope["http_version"] == "1.0"
        self._chunked = not old
        if old or not self._whole:
            self._keep_alive = False
        lines = [STATUS_LINES[status]]
        for name, value in headers:
            if name == b"content-length" or status in (204, 304):
                self._chunked = False
            lines.append(b"%b: %b\r\n" % (name, value))
        if self._chunked and not self._bodiless:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not self._keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
