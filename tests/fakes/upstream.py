"""A scripted HTTP server on a real loopback socket: what it does with a request is a list of steps.

It speaks as much HTTP/1.1 as a pooled client needs (keep-alive, chunked, 100-continue), records every request and
the moment its peer hangs up. It knows no API; see model_server.py for servers that answer like a backend.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8"}
READ_SIZE = 65536


@dataclass(frozen=True)
class Status:
    """The response head. With a content-length header the body is that long, otherwise it is chunked."""

    code: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: EVENT_STREAM)


@dataclass(frozen=True)
class Send:
    """Body bytes, sent in one write. The first one sends `Status()` when no Status came before."""

    data: bytes


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Cut:
    """Reset the connection (RST). Put a Pause before it where the bytes sent so far must be read first."""


@dataclass(frozen=True)
class Close:
    """Close the connection in order (FIN); with finish=False in the middle of the body."""

    finish: bool = True


@dataclass(frozen=True)
class Hang:
    """Say nothing more until the peer closes."""


@dataclass(frozen=True)
class WaitFor:
    event: asyncio.Event | threading.Event


Step = Status | Send | Pause | Cut | Close | Hang | WaitFor


@dataclass
class Request:
    """One request as it came. Times are those of time.monotonic()."""

    method: str
    path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    received_at: float
    connection: int
    closed_at: float | None = None  # when the peer hung up before the answer was whole; None: it stayed
    done: asyncio.Event = field(default_factory=asyncio.Event)  # answered whole, or hung up
    ended: threading.Event = field(default_factory=threading.Event)  # the same, for other threads

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


Script = Callable[[Request], list[Step]]


def json_answer(code: int, body: Any, headers: Mapping[str, str] | None = None) -> list[Step]:
    """The steps of a whole answer; `body` is written as JSON unless it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    head = {"content-type": "application/json", "content-length": str(len(data))} | dict(headers or {})
    return [Status(code, head), Send(data)]


class _PeerGone(Exception):
    pass


class _Finished(Exception):
    """The script ended the connection itself."""


class Upstream:
    """`async with Upstream(script) as upstream: upstream.url`. Raises at the end what a script raised."""

    def __init__(self, script: Script, *, port: int = 0) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self.open_connections = 0
        self.connections_made = 0
        self.port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests_to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    async def wait_for_request(self, number: int = 1, *, timeout_s: float = 5) -> Request:
        """The number-th request (from 1), as soon as it has been read whole."""
        async with asyncio.timeout(timeout_s):
            while len(self.requests) < number:
                self._arrived.clear()
                await self._arrived.wait()
        return self.requests[number - 1]

    async def __aenter__(self) -> Upstream:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets transports whose close was just called release their sockets
        if self._server is not None:
            await self._server.wait_closed()
        if self.failures and error is None:
            raise self.failures[0]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_made += 1
        self.open_connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(_Connection(reader, writer, self.connections_made)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: _Connection) -> None:
        try:
            while (request := await connection.next_request()) is not None:
                self.requests.append(request)
                self._arrived.set()
                await self._answer(connection, request)
        except (_PeerGone, _Finished, ConnectionError):
            pass
        finally:
            self.open_connections -= 1
            await connection.close()

    async def _answer(self, connection: _Connection, request: Request) -> None:
        try:
            steps = self.script(request)
        except Exception as error:  # noqa: BLE001 - raised again at the end of the test
            self.failures.append(error)
            steps = [*json_answer(500, {"error": {"message": f"the test's script failed: {error!r}"}}), Close()]
        try:
            await connection.play(steps)
        except (_PeerGone, ConnectionError):
            request.closed_at = connection.gone_at or time.monotonic()
            raise
        finally:
            request.done.set()
            request.ended.set()


class _Connection:
    """One connection; a pump reads all the time, so that a hang-up is seen while an answer is being sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number
        self.gone_at: float | None = None
        self.chunked: bool | None = None  # None: no head sent yet
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        writer.transport.set_write_buffer_limits(high=0)  # drain() then waits until the kernel has everything
        self._pump_task = asyncio.get_running_loop().create_task(self._pump())

    async def _pump(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(READ_SIZE):
                self._buffer += data
                self._news.set()
        self.gone_at = time.monotonic()
        self._gone.set()
        self._news.set()

    async def close(self) -> None:
        # Closed before the first await: this may run in a task that is cancelled again at the end of the test.
        if self.writer.transport.get_write_buffer_size():
            self.writer.transport.abort()  # a peer that does not read would keep the rest for ever
        else:
            self.writer.close()
        self._pump_task.cancel()
        await asyncio.gather(self._pump_task, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def _until(self, found: Callable[[], int]) -> int:
        """Wait until `found` gives a position that is not negative; raises _PeerGone at the end of the bytes."""
        while (position := found()) < 0:
            if self._gone.is_set():
                raise _PeerGone
            self._news.clear()
            await self._news.wait()
        return position

    async def _take(self, size: int) -> bytes:
        await self._until(lambda: 0 if len(self._buffer) >= size else -1)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def _take_line(self) -> bytes:
        end = await self._until(lambda: self._buffer.find(b"\r\n"))
        return (await self._take(end + 2))[:-2]

    async def next_request(self) -> Request | None:
        try:
            method, target, _ = (await self._take_line()).decode("latin-1").split(" ", 2)
        except _PeerGone:
            return None
        headers: dict[str, str] = {}
        while line := await self._take_line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            await self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self._body(headers)
        path, _, query = target.partition("?")
        return Request(method, path, query, headers, body, time.monotonic(), self.number)

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return await self._take(int(headers.get("content-length", "0")))
        body = bytearray()
        while size := int((await self._take_line()).split(b";")[0], 16):
            body += await self._take(size)
            await self._take_line()
        await self._take_line()
        return bytes(body)

    async def play(self, steps: list[Step]) -> None:
        """Raises _PeerGone as soon as the peer hangs up, whatever the script is waiting for."""
        self.chunked = None
        script = asyncio.ensure_future(self._play(steps))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({script, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not script.done():
                raise _PeerGone
            await script
        finally:
            for task in (script, gone):
                task.cancel()
            await asyncio.gather(script, gone, return_exceptions=True)

    async def _play(self, steps: list[Step]) -> None:
        for step in steps:
            await self._step(step)
        await self._end_body()

    async def _step(self, step: Step) -> None:
        match step:
            case Status():
                await self._head(step)
            case Send(data):
                await self._send(data)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case WaitFor(event):
                await _wait(event)
            case Hang():
                await self._gone.wait()
                raise _PeerGone
            case Close(finish):
                if finish:
                    await self._end_body()
                raise _Finished
            case Cut():
                self._reset()
                raise _Finished

    async def _head(self, status: Status) -> None:
        headers = {name.lower(): value for name, value in status.headers.items()}
        self.chunked = "content-length" not in headers
        if self.chunked:
            headers["transfer-encoding"] = "chunked"
        lines = [f"HTTP/1.1 {status.code} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        await self._write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def _send(self, data: bytes) -> None:
        if self.chunked is None:
            await self._head(Status())
        if self.chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        await self._write(data)

    async def _end_body(self) -> None:
        if self.chunked is None:
            await self._head(Status())
        if self.chunked:
            await self._write(b"0\r\n\r\n")
            self.chunked = False

    async def _write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def _reset(self) -> None:
        descriptor = os.dup(self.writer.get_extra_info("socket").fileno())
        with socket.socket(fileno=descriptor) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def _wait(event: asyncio.Event | threading.Event) -> None:
    if isinstance(event, asyncio.Event):
        await event.wait()
        return
    while not event.is_set():
        await asyncio.sleep(0.005)


class ThreadedUpstream:
    """Runs an Upstream (or a server made of one) in a thread with its own loop, for tests that start programs.

    `with ThreadedUpstream(ModelServer()) as server:` gives the server itself; wait with `request.ended`.
    """

    def __init__(self, server: Upstream) -> None:
        self.server = server
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    def __enter__(self) -> Upstream:
        self._thread.start()
        self._ready.wait(10)
        if self._error is not None:
            raise self._error
        return self.server

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # noqa: BLE001 - handed to the test's thread
            self._error = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self.server:
            self._ready.set()
            await self._stop.wait()
