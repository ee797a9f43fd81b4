"""Connections to model servers, kept for the next request, by address."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from landline.upstream.wire import Connection, StaleError, WireError

KEEP_ALIVE_S = 4.0  # vLLM closes idle connections after 5 s: use none that may be closing


class Address(Struct, frozen=True):
    host: str
    port: int
    secure: bool


def split_url(url: str) -> tuple[Address, str]:
    """Where to connect, and the request target. Raises WireError."""
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        address = Address(parts.hostname or "", parts.port or (443 if secure else 80), secure)
    except ValueError as error:
        raise WireError(f"{url} is not a URL") from error
    if not address.host or parts.scheme not in ("http", "https"):
        raise WireError(f"{url} is not an http(s) URL")
    target = parts.path or "/"
    return address, f"{target}?{parts.query}" if parts.query else target


class Pool:
    """Idle connections by address, youngest first."""

    def __init__(self, *, connect_timeout_s: float, silence_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._silence_s = silence_s
        self._idle: dict[Address, deque[Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._head = functools.lru_cache(maxsize=64)(_request_head)  # the same few over and over

    async def request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, relayed: bool = False
    ) -> tuple[Address, Connection]:
        """A connection whose answer has begun (status and headers are there). Raises WireError, SilenceError.

        `relayed`: see `Connection.send`.
        """
        address, head = self._head(method, url, tuple(headers.items()))
        head += b"content-length: %d\r\n\r\n" % len(body) if body else b"\r\n"
        pooled = self._take(address)
        if pooled is not None:
            pooled.repeated = False
            try:
                return address, await self._exchange(pooled, head, body, relayed=relayed)
            except StaleError:
                pass  # it lay too long in the pool; a server that is really gone refuses the next one
        connection = await self._connect(address)
        connection.repeated = pooled is not None
        try:
            return address, await self._exchange(connection, head, body, relayed=relayed)
        except StaleError:
            raise WireError("closed the connection without an answer") from None

    def give_back(self, address: Address, connection: Connection) -> None:
        """Takes a connection whose answer is over: keeps it if it can be used again."""
        if not connection.reusable:
            connection.abort()
            return
        connection.end()
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.setdefault(address, deque()).append(connection)

    def close(self) -> None:
        for waiting in self._idle.values():
            for connection in waiting:
                connection.abort()
        self._idle.clear()

    def _take(self, address: Address) -> Connection | None:
        waiting = self._idle.get(address)
        if not waiting:
            return None
        oldest_allowed = asyncio.get_running_loop().time() - KEEP_ALIVE_S
        while waiting and (waiting[0].closed or waiting[0].idle_since < oldest_allowed):
            waiting.popleft().abort()
        while waiting:
            connection = waiting.pop()
            if not connection.closed:
                return connection
        return None

    async def _connect(self, address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        if address.secure and self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, silence_s=self._silence_s),
                    address.host,
                    address.port,
                    ssl=self._tls if address.secure else None,
                )
        except TimeoutError:
            raise WireError(f"did not accept a connection within {self._connect_timeout_s:g} s") from None
        except ssl.SSLError as error:
            raise WireError(f"TLS failed: {error.reason or error}") from None
        except (socket.gaierror, UnicodeError):
            raise WireError("could not be found: no machine is known by that name") from None
        except ConnectionRefusedError:
            raise WireError("refused the connection") from None
        except OSError as error:
            # Of several addresses under one name, asyncio tells only that all failed.
            reason = f"cannot be reached: {error.strerror}" if error.strerror else "refused the connection"
            raise WireError(reason) from None
        return connection

    async def _exchange(self, connection: Connection, head: bytes, body: bytes | None, *, relayed: bool) -> Connection:
        try:
            connection.send(head, body, relayed=relayed)
            await connection.head()
        except BaseException:
            connection.abort()
            raise
        return connection


def _request_head(method: str, url: str, headers: tuple[tuple[str, str], ...]) -> tuple[Address, bytes]:
    """Where to connect, and the head of the request without its length. Raises WireError."""
    address, target = split_url(url)
    name = f"[{address.host}]" if ":" in address.host else address.host
    host = name if address.port == (443 if address.secure else 80) else f"{name}:{address.port}"
    lines = (f"{method} {target} HTTP/1.1", f"host: {host}", *(f"{header}: {value}" for header, value in headers))
    if any("\r" in line or "\n" in line for line in lines):
        raise WireError("cannot be asked: a header holds a line break")
    return address, "".join(f"{line}\r\n" for line in lines).encode("latin-1", "replace")
