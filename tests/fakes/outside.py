"""The world beyond a launch, on loopback: a proxy of the user's own, and doors that count who came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

BODY = b"hello from outside"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)


@dataclass
class UsersOwnProxy:
    """Answers for every host itself. `heads`: what it was sent, one text for each request."""

    url: str = ""
    status: str = "200 OK"
    heads: list[str] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if not head.startswith("CONNECT "):
                writer.write(_ANSWER)
            else:
                writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
                if self.status.startswith("200") and await reader.readuntil(b"\r\n\r\n"):
                    writer.write(_ANSWER)
            await writer.drain()
        writer.close()

    @property
    def asked(self) -> list[str]:
        return [head.split("\r\n", 1)[0].removesuffix(" HTTP/1.1") for head in self.heads]


@contextlib.asynccontextmanager
async def users_own_proxy(*, credential: str = "", status: str = "200 OK") -> AsyncIterator[UsersOwnProxy]:
    proxy = UsersOwnProxy(status=status)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy.url = f"http://{credential}{'@' if credential else ''}127.0.0.1:{port}"
    try:
        yield proxy
    finally:
        server.close()


@dataclass
class Door:
    """`came`: connections so far."""

    came: int = 0
    port: int = 0
    speaks_http: bool = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        writer.write(_ANSWER if self.speaks_http else BODY)
        writer.close()


@contextlib.asynccontextmanager
async def door(path: Path | None = None, *, speaks_http: bool = False) -> AsyncIterator[Door]:
    """On a port of loopback, or with a path as a Unix socket."""
    one = Door(speaks_http=speaks_http)
    if path is None:
        server = await asyncio.start_server(one.handle, "127.0.0.1", 0)
        one.port = server.sockets[0].getsockname()[1]
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        server = await asyncio.start_unix_server(one.handle, path)
    try:
        yield one
    finally:
        server.close()
