"""One client connection, on httptools: HTTP/1.1 in, ASGI calls, answers out. Runs under uvicorn's server.

In place of uvicorn's own protocol, for what that lacks: deadlines for half-sent heads and bodies, a call on a hang-up
that needs no task of its own, and streams that are written without one (see `asgi.ClientSide`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.config import Config
from uvicorn.server import ServerState

from landline.server.http_exchange import READ_AHEAD, STATUS_LINES, HttpExchange

HEAD_LIMIT = 64 * 1024
READ_BYTES = 256 * 1024  # of one read
LINGER_S = 5.0
STALL_S = 300.0  # a client that reads nothing for so long is gone, and must not hold a backend any longer


class Deadlines:
    """Seconds that a client may take. `idle_s`: between two requests."""

    __slots__ = ("body_s", "head_s", "idle_s")

    def __init__(self, *, head_s: float, body_s: float, idle_s: float = 75.0) -> None:
        self.head_s = head_s
        self.body_s = body_s
        self.idle_s = idle_s


class Connection(asyncio.BufferedProtocol):
    """Carries one exchange at a time; requests sent ahead wait in order.

    `room` is where the bytes of a read stand until they are parsed: one for all connections of a loop.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        deadlines: Deadlines,
        room: memoryview,
    ) -> None:
        self._room = room
        self._scheme = "https" if config.is_ssl else "http"
        self._app = cast("Any", config.loaded_app)  # pyright: ignore[reportUnknownMemberType]
        self._state = server_state
        self._deadlines = deadlines
        self._loop = _loop or asyncio.get_event_loop()
        self._parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport | None = None
        self._client: tuple[str, int] | None = None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._reading: HttpExchange | None = None  # whose body is coming in
        self._running: HttpExchange | None = None  # who may answer
        self._waiting: deque[HttpExchange] = deque()
        self.keeps_up = True  # whether the client reads what is written
        self._drained: asyncio.Future[None] | None = None  # set while it does not
        self._source: tuple[Callable[[], None], Callable[[], None]] | None = None  # stops and starts what is relayed
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None  # runs while the client reads too slowly
        self._closing = False
        self._lingering = False

    # ---------------------------------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer: Any = transport.get_extra_info("peername")
        self._client = (str(peer[0]), int(peer[1])) if peer else None
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._time(self._deadlines.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)  # type: ignore[arg-type]
        self.transport = None
        self._stop_timer()
        source, self._source = self._source, None
        if source is not None:
            source[0]()
        self.resume_writing()
        self._waiting.clear()
        for exchange in {self._running, self._reading} - {None}:
            assert exchange is not None
            exchange.client_left()

    def eof_received(self) -> bool:
        return False  # a client that stops sending has hung up

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        if self._lingering:
            return
        data: bytes | memoryview = self._room[:nbytes]
        while data:
            if self._reading is None:
                self._head_size += len(data)
            try:
                self._parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                # Some clients offer HTTP/2 with their first request. It is answered as it is; the offer is not taken.
                data = self._without_offer() + bytes(data[upgrade.args[0] :])
            except httptools.HttpParserError:
                self._refuse(400, "This is not an HTTP/1.1 request.")
                return
        if self._reading is None and self._head_size > HEAD_LIMIT:
            self._refuse(431, f"The request head is larger than {HEAD_LIMIT // 1024} KiB.")

    def pause_writing(self) -> None:
        self.keeps_up = False
        self._drained = self._loop.create_future()
        self._stall = self._loop.call_later(STALL_S, self.abort)
        if self._source is not None:
            self._source[0]()

    def resume_writing(self) -> None:
        self.keeps_up = True
        drained, self._drained = self._drained, None
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if drained is not None and not drained.done():
            drained.set_result(None)
        if self._source is not None:
            self._source[1]()

    # ---------------------------------------------------------------------------------------- httptools

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", []
        if self._running is None:
            self._time(self._deadlines.head_s)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading is None:  # else it is a trailer, which says nothing to anybody here
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT":
            return  # read once more without the offer: see `_without_offer`
        self._stop_timer()
        self._head_size = 0
        parsed = httptools.parse_url(self._url)
        raw_path = parsed.path or b"/"
        path = raw_path.decode("latin-1")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self._parser.get_http_version(),
            "method": self._parser.get_method().decode("latin-1"),
            "scheme": self._scheme,
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": parsed.query or b"",
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": None,
            "state": {},
        }
        exchange = HttpExchange(self, scope, keep_alive=self._parser.should_keep_alive())
        self._reading = exchange
        if (b"expect", b"100-continue") in self._headers and self.transport is not None and self._running is None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._running is None:
            self._start(exchange)
        else:
            self._waiting.append(exchange)
            self._pause_reading()

    def on_body(self, body: bytes) -> None:
        assert self._reading is not None
        if self._reading.take(body) > READ_AHEAD:
            self._pause_reading()

    def on_message_complete(self) -> None:
        exchange, self._reading = self._reading, None
        if exchange is not None:
            exchange.whole()
        self.resume_reading()  # a large body may have stopped it, and a hang-up must be seen

    # ---------------------------------------------------------------------------------------- for HttpExchange

    def when_drained(self, function: Callable[[], None]) -> None:
        if self._drained is None:
            function()
        else:
            self._drained.add_done_callback(lambda _: function())

    def relay(self, pause: Callable[[], None], resume: Callable[[], None]) -> Callable[[bytes], object]:
        """What writes to the client, with nothing between; `pause` and `resume` are called while the exchange runs."""
        if self.transport is None:
            return lambda _: None
        self._source = pause, resume
        if not self.keeps_up:
            pause()
        return self.transport.write

    async def drained(self) -> None:
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def resume_reading(self) -> None:
        if self.transport is not None and not self.transport.is_closing() and not self._waiting:
            self.transport.resume_reading()

    @property
    def body_s(self) -> float:
        return self._deadlines.body_s

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def closing(self) -> bool:
        return self._closing

    def answered(self, *, keep_alive: bool) -> None:
        """The running exchange has written all of its answer."""
        self._state.total_requests += 1
        self._source = None
        exchange, self._running = self._running, None
        unread = exchange is not None and exchange is self._reading
        if unread:
            self._linger()
        elif not keep_alive or self._closing:
            self.close()
        elif self._waiting:
            self._start(self._waiting.popleft())
            self.resume_reading()
        else:
            self._time(self._deadlines.idle_s)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Ends the connection at once; what was not sent yet is thrown away."""
        if self.transport is not None:
            self.transport.abort()

    def shutdown(self) -> None:
        """The server stops: idle connections close now, the others behind their answer."""
        self._closing = True
        if self._running is None:
            self.close()

    # ---------------------------------------------------------------------------------------- own

    def _without_offer(self) -> bytes:
        """The head that was just read, less its offer of another protocol, which the parser would take the body for."""
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), self._url, self._parser.get_http_version().encode())]
        for name, value in self._headers:
            if name == b"connection":
                value = b"close" if b"close" in value.lower() else b"keep-alive"
            if name not in (b"upgrade", b"http2-settings"):
                lines.append(b"%b: %b" % (name, value))
        self._parser = httptools.HttpRequestParser(self)
        self._head_size = 0
        return b"\r\n".join([*lines, b"", b""])

    def _start(self, exchange: HttpExchange) -> None:
        self._running = exchange
        self._stop_timer()
        task = self._loop.create_task(exchange.run(self._app))
        task.add_done_callback(self._ended)
        self._state.tasks.add(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What a call raises was told and logged by the outermost frame; here, the connection is of no more use."""
        self._state.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.close()

    def _pause_reading(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def _refuse(self, status: int, message: str) -> None:
        """Answers what is no request, while nothing else is being answered."""
        if self.transport is not None and self._running is None:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
            body = msgspec.json.encode(error)
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINES[status] + head + body)
            self._linger()
        else:
            self.close()

    def _linger(self) -> None:
        """The answer came before the request was read. Closing now would reset the connection, and the client, still
        sending, would never see the answer: so what it sends is thrown away for a while."""
        if self.transport is None or self.transport.is_closing():
            return
        self._lingering = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self._time(LINGER_S)

    def _time(self, limit_s: float) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(limit_s, self.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def connection_class(deadlines: Deadlines) -> Any:
    """A factory for uvicorn, which calls it with `config`, `server_state`, `app_state` and `_loop`."""
    return _Connections(deadlines)


class _Connections:
    """Its bytes are made with the first connection: before, it may be on its way into another process."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._room: memoryview | None = None

    def __call__(self, *given: Any, **named: Any) -> Connection:
        if self._room is None:
            self._room = memoryview(bytearray(READ_BYTES))
        return Connection(*given, **named, deadlines=self._deadlines, room=self._room)
