"""Runs the gateway: the socket, the server, one process or several, and one inside another program."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import gc
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from types import FrameType

import msgspec
import uvicorn
from uvicorn.supervisors import Multiprocess

from landline.config.settings import Gateway, Settings
from landline.errors import ErrorKind, LandlineError
from landline.policy.auth import is_loopback
from landline.server.app import build_app, build_frame
from landline.server.certificate import check_certificate
from landline.server.connection import Deadlines, connection_class
from landline.server.frame import Frame
from landline.server.journal import Journal
from landline.server.line import Line

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # glibc's malloc.h


def listen(gateway: Gateway) -> socket.socket:
    """The listening socket. Raises LandlineError when the address, or the certificate, may not or cannot be used."""
    check_bind(gateway)
    check_certificate(gateway)
    family = socket.AF_INET6 if ":" in gateway.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((gateway.host, gateway.port))
    except OSError as error:
        sock.close()
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"Cannot listen on {gateway.host}:{gateway.port}: {error.strerror}.",
            hint="Another landline, or another program, may have that port: choose one with --port (0: any).",
        ) from None
    sock.set_inheritable(True)
    return sock


def check_bind(gateway: Gateway) -> None:
    """An address that others can reach needs keys: without them, anybody on the network could use the model."""
    if not is_loopback(gateway.host) and not gateway.keys:
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"Refusing to listen on {gateway.host} without keys: everybody who can reach it could use the model.",
            hint="Set gateway.keys in landline.toml (or LANDLINE_GATEWAY_KEYS), or listen on 127.0.0.1.",
        )


def serve(settings: Settings, sock: socket.socket) -> None:
    """Runs until SIGTERM or SIGINT, then lets running requests finish for `gateway.drain_s`."""
    config = _config(settings, functools.partial(_build_settled, settings), factory=True)
    if settings.gateway.workers > 1:
        Multiprocess(config, sockets=[sock]).run()
    else:
        _Foreground(config).run(sockets=[sock])


def _build_settled(settings: Settings) -> Frame:
    """The application of a process that does nothing else: what is loaded by now stays, so the collector skips it.

    A request makes some thousand short-lived objects without cycles; looking at them less often saves 3 % of its CPU.
    """
    app = build_app(settings)
    _keep_freed_memory()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return app


def _keep_freed_memory() -> None:
    """As much as some requests take. glibc would give it back after each, and the next would pay 0.1 ms for new pages.

    Options and their meaning: mallopt(3). Other C libraries have no such function, or ignore it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, 16 * 2**20)
        mallopt(M_TOP_PAD, 2**20)
        mallopt(M_MMAP_THRESHOLD, 8 * 2**20)


class RunningGateway:
    """A gateway inside this process, for `launch` and `demo`."""

    def __init__(self, line: Line, port: int) -> None:
        self.line = line
        self.url = f"http://127.0.0.1:{port}"

    @property
    def token(self) -> str:
        """What a client must send; anything does where no keys are set."""
        keys = self.line.settings.gateway.keys
        return keys[0] if keys else "landline"

    @property
    def model(self) -> str:
        """The served model that answers for every name that nothing else maps."""
        names = self.line.names
        return names.default or (names.served[0] if names.served else "")

    @property
    def window(self) -> int:
        return self.line.backend.window(self.model)


@contextlib.asynccontextmanager
async def running_gateway(
    settings: Settings, *, journal: Journal | None = None, port: int = 0
) -> AsyncGenerator[RunningGateway]:
    """Serves on loopback, on a free port unless one is named, until the block ends.

    Never by https: a certificate is for the names that others call, and no client would take it for 127.0.0.1.
    """
    own = {"host": "127.0.0.1", "port": port, "workers": 1, "tls_certificate": "", "tls_key": ""}
    gateway = msgspec.structs.replace(settings.gateway, **own)
    settings = msgspec.structs.replace(settings, gateway=gateway)
    line = Line(settings, journal=journal or Journal())
    sock = listen(gateway)
    async with serving(line, sock):
        yield RunningGateway(line, sock.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(line: Line, sock: socket.socket) -> AsyncGenerator[None]:
    """Serves on a socket of `listen`, inside this process, until the block ends; closes it."""
    server = _Embedded(_config(line.settings, build_frame(line)))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await server.up.wait()
        yield
    finally:
        server.should_exit = True
        await task
        sock.close()


class _Foreground(uvicorn.Server):
    """A server that ends with exit code 0 when it is told to end; uvicorn's own raises the signal once more."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    async def main_loop(self) -> None:
        """Waits for its end. uvicorn's own wakes up ten times a second, for what nothing here needs."""
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._told.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Embedded(uvicorn.Server):
    """A server that leaves the signals to the program around it. `up` is set when it listens, or could not."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets=sockets)
        finally:
            self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _config(settings: Settings, app: object, *, factory: bool = False) -> uvicorn.Config:
    gateway = settings.gateway
    certificate, key = _tls_files(gateway)
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=factory,
        workers=gateway.workers,
        http=connection_class(Deadlines(head_s=gateway.header_timeout_s, body_s=gateway.body_timeout_s)),
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ws="none",
        loop="auto",
        lifespan="on",
        log_level="warning" if sys.flags.dev_mode is False else "info",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=round(gateway.drain_s),
        backlog=4096,
    )


def _tls_files(gateway: Gateway) -> tuple[str | None, str | None]:
    """Certificate and key, as uvicorn wants them: None for plain http."""
    return gateway.tls_certificate or None, gateway.tls_key or None
