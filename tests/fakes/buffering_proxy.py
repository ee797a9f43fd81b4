"""A reverse proxy that gives out an answer only when it has the whole of it, as nginx does with proxy_buffering on."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Self
from urllib.parse import urlsplit

READ_SIZE = 65_536


class BufferingProxy:
    """`async with BufferingProxy(target_url) as proxy: proxy.url`. One request for each connection."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                writer.write(await self._whole(head, body))
                await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _whole(self, head: bytes, body: bytes) -> bytes:
        """The whole answer of the server behind."""
        host = f"{self._target.hostname}:{self._target.port}".encode()
        head = re.sub(rb"(?i)\r\n(connection|keep-alive): [^\r]*", b"", head)
        head = re.sub(rb"(?i)\r\nhost: [^\r]*", b"\r\nhost: " + host + b"\r\nconnection: close", head)
        reader, writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            writer.write(head + body)
            return await reader.read(-1)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
