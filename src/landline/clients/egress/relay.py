"""Two connections made one: bytes as they come, in both directions, until both sides have ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from landline.clients.egress.destinations import Destination

CHUNK = 65_536  # bytes of one read
MOST_CONNECTIONS = 512
BACKLOG = 512  # connections that wait to be accepted

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def joined(near: Connection, far: Connection) -> None:
    """Relay until both directions have ended; where one breaks, both ends are told by a reset."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(near[0], far[1]))
            group.create_task(_pump(far[0], near[1]))
    except* OSError:
        for _, writer in (near, far):
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(CHUNK):
        writer.write(content)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


@contextlib.asynccontextmanager
async def serving(
    handle: Handler, listener: socket.socket, *, limit: int = MOST_CONNECTIONS, full: bytes = b""
) -> AsyncGenerator[None]:
    """`handle` for each connection of `listener`, at most `limit` at once; one too many is told `full` and closed.

    Closes the listener and all connections at the end.
    """
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(tasks) >= limit:
            writer.write(full)
            writer.close()
            return
        task = asyncio.create_task(_handled(handle, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, sock=listener, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _handled(handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await handle(reader, writer)
    except OSError:  # the client is gone
        writer.transport.abort()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def forwarding(listener: socket.socket, to: Destination) -> AsyncGenerator[None]:
    """Whatever connects to `listener` is connected to `to`, and to nothing else."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await asyncio.open_connection(to.host, to.port)
        try:
            await joined((reader, writer), far)
        finally:
            far[1].close()

    async with serving(forward, listener):
        yield
