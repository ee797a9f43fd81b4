"""The proxy that a client is put behind: `CONNECT` and `http://`, on loopback, for one launch.

It opens no TLS: of a tunnel it knows host and port, nothing else. Bytes go to the destination that was judged and
nowhere else. Every attempt is counted; no header, path or body is kept or shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from landline.clients.egress import chain
from landline.clients.egress.destinations import Destination, Law, Verdict
from landline.clients.egress.heads import END, LONGEST_HEAD, Asked, Refusal, read_head, response
from landline.clients.egress.relay import MOST_CONNECTIONS, joined, serving
from landline.clients.egress.report import Outcome, Tried
from landline.clients.egress.variables import UsersProxies

HEAD_TIMEOUT_S = 10.0
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def silent(_: str) -> None:
    """Where nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """`credential` is what the client must send, empty: nothing. `tell` is called with a line for each attempt."""

    law: Law
    tried: Tried
    proxies: UsersProxies = field(default_factory=UsersProxies)
    credential: str = field(default="", repr=False)
    tell: Callable[[str], None] = silent
    head_timeout_s: float = HEAD_TIMEOUT_S
    limit: int = MOST_CONNECTIONS

    @contextlib.asynccontextmanager
    async def serve(self, listener: socket.socket) -> AsyncGenerator[None]:
        full = response(HTTPStatus.SERVICE_UNAVAILABLE, f"More than {self.limit} connections at once; try again.")
        async with serving(self._handle, listener, limit=self.limit, full=full):
            yield

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await self._read(reader)
        if asked is None:
            return
        if isinstance(asked, Refusal):
            await _answer(writer, asked)
            return
        opened = await self._open(asked)
        if isinstance(opened, Refusal):
            await _answer(writer, opened)
            return
        far = opened.connection
        try:
            if asked.is_tunnel:
                writer.write(_ESTABLISHED)
            far[1].write(opened.head)
            await joined((reader, writer), far)
        finally:
            far[1].close()

    async def _read(self, reader: asyncio.StreamReader) -> Asked | Refusal | None:
        """None: the client closed without a word, or in the middle of one."""
        try:
            async with asyncio.timeout(self.head_timeout_s):
                content = await reader.readuntil(END)
        except asyncio.IncompleteReadError:
            return None
        except TimeoutError:
            return Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request did not come to an end.")
        except asyncio.LimitOverrunError:
            content = b"-" * (LONGEST_HEAD + 1)
        if len(content) > LONGEST_HEAD:
            return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of that request is too long.")
        return read_head(content.removesuffix(END), credential=self.credential)

    async def _open(self, asked: Asked) -> chain.Opened | Refusal:
        verdict = self.law.judge(asked.to)
        if verdict is Verdict.REFUSED:
            self._count(asked.to, Outcome.REFUSED)
            return _forbidden(asked.to, self.law)
        try:
            opened = await chain.opened(asked, self.law, self.proxies)
        except chain.NotAllowedError:
            self._count(asked.to, Outcome.REFUSED)
            return _forbidden(asked.to, self.law)
        except chain.UnreachableError as error:
            self._count(asked.to, Outcome.FAILED)
            return Refusal(error.status, f"{asked.to.authority}: {error}")
        self._count(asked.to, Outcome.ALLOWED)
        return opened

    def _count(self, to: Destination, outcome: Outcome) -> None:
        """What stays on this machine is no attempt, unless it was refused."""
        if outcome is not Outcome.REFUSED and (self.law.is_gateway(to) or to.is_local):
            return
        self.tell(self.tried.add(to, outcome))


def _forbidden(to: Destination, law: Law) -> Refusal:
    return Refusal(
        HTTPStatus.FORBIDDEN,
        f"{to.authority} is not allowed in this launch (--egress {law.mode}). To allow it: --egress-allow {to.host}",
    )


async def _answer(writer: asyncio.StreamWriter, refusal: Refusal) -> None:
    writer.write(response(refusal.status, refusal.reason))
    with contextlib.suppress(OSError):
        await writer.drain()
