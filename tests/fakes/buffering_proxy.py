"""A reverse proxy that gives out an answer only when it has the whole of it, as nginx does with proxy_buffering on."""

from __future__ import annotations

import asyncio
import contextlib
import re

import aiohttp

from tests.fakes.listener import Listener

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


class BufferingProxy(Listener):
    """`async with BufferingProxy(target_url) as proxy: proxy.url`. One request for each connection."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target

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
        method, path, _ = head.decode("latin-1").split(" ", 2)
        lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:] if line]
        sent = {name: value.strip() for name, _, value in lines if name.lower() not in HOP_BY_HOP}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self._target + path, data=body or None, headers=sent) as answer,
        ):
            whole = await answer.read()
            told = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        told |= {"content-length": str(len(whole)), "connection": "close"}
        written = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        return f"HTTP/1.1 {answer.status} {answer.reason}\r\n{written}\r\n".encode("latin-1") + whole
