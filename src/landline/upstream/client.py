"""Requests to a model server, in terms of landline's errors. Knows no transport but `pool.py` and `wire.py`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from landline.errors import ErrorKind, LandlineError
from landline.upstream.pool import Address, Pool
from landline.upstream.wire import Connection, SilenceError, WireError

END_WAIT_S = 0.5
ERROR_BODY_LIMIT = 64 * 1024
SMALL_BODY_LIMIT = 16 * 1024 * 1024
_IDENTITY = {"accept-encoding": "identity", "content-type": "application/json", "user-agent": "landline"}


class UpstreamAnswer:
    """Status and headers of one answer, and its bytes as they come. An async context manager that ends it."""

    def __init__(self, pool: Pool, address: Address, connection: Connection) -> None:
        self._pool = pool
        self._address = address
        self._connection: Connection | None = connection
        self.status = connection.status
        self.repeated = connection.repeated
        self.headers: Mapping[str, str] = connection.headers
        self.content_type = connection.headers.get("content-type", "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def read(self) -> bytes:
        """The next bytes of the body; empty when they end. Raises LandlineError when the backend falls silent."""
        assert self._connection is not None
        try:
            return await self._connection.read()
        except (SilenceError, WireError) as error:
            raise _broken(error) from None

    async def pour(
        self,
        take: Callable[[bytes], bool],
        *,
        sip_s: float = 0.0,
        relay: Callable[[bytes], object] | None = None,
    ) -> None:
        """Gives each read of the body to `take` at once, until that returns True or got b"", the end.

        `sip_s`: read at most once in that time. `relay`: gets whole chunks as they came, if the request was sent as
        `relayed`. Raises LandlineError when the backend falls silent.
        """
        assert self._connection is not None
        try:
            await self._connection.pour(take, sip_s=sip_s, relay=relay)
        except (SilenceError, WireError) as error:
            raise _broken(error) from None

    def pause(self) -> None:
        """Stops reading, for a client that reads more slowly than the backend writes."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    async def body(self, limit: int = ERROR_BODY_LIMIT) -> bytes:
        """At most `limit` bytes of the body: what stands in an error is short."""
        out = bytearray()
        while len(out) < limit and (piece := await self.read()):
            out += piece
        return bytes(out[:limit])

    async def finish(self) -> None:
        """Behind the last event: reads the few bytes that are owed, so that the connection can be used again."""
        connection = self._connection
        if connection is None or connection.complete:
            return
        with contextlib.suppress(SilenceError, WireError, TimeoutError):
            async with asyncio.timeout(END_WAIT_S):
                while await connection.read():
                    pass

    @property
    def complete(self) -> bool:
        """Whether the body was read to the end that its framing names."""
        return self._connection is not None and self._connection.complete

    def close(self) -> None:
        """Ends the answer: an unfinished one takes its connection with it."""
        if self._connection is not None:
            self._pool.give_back(self._address, self._connection)
            self._connection = None


class UpstreamClient:
    """All requests of one process share one pool."""

    def __init__(self, *, connect_timeout_s: float, idle_timeout_s: float) -> None:
        self._pool = Pool(connect_timeout_s=connect_timeout_s, silence_s=idle_timeout_s)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, relayed: bool = False) -> UpstreamAnswer:
        """Sends and waits for the headers of the answer. Raises LandlineError when there are none."""
        return await self.request("POST", url, body, headers, relayed=relayed)

    async def get(self, url: str, headers: Mapping[str, str], *, timeout_s: float) -> tuple[int, bytes]:
        """Status and body of a small answer. Raises LandlineError."""
        return await self._small("GET", url, None, headers, timeout_s)

    async def post_small(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> tuple[int, bytes]:
        """Status and body of a small answer to a POST. Raises LandlineError."""
        return await self._small("POST", url, body, headers, timeout_s)

    def close(self) -> None:
        """Closes idle connections; those in use end with their answers."""
        self._pool.close()

    async def request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, relayed: bool = False
    ) -> UpstreamAnswer:
        """Sends any request and waits for the headers of its answer. Raises LandlineError when there are none."""
        try:
            told = {**_IDENTITY, **headers}
            address, connection = await self._pool.request(method, url, body, told, relayed=relayed)
        except SilenceError:
            raise _silent(url) from None
        except WireError as error:
            raise _unreachable(url, str(error)) from None
        return UpstreamAnswer(self._pool, address, connection)

    async def _small(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(timeout_s), await self.request(method, url, body, headers) as answer:
                return answer.status, await answer.body(SMALL_BODY_LIMIT)
        except TimeoutError:
            raise _silent(url) from None


def _broken(error: Exception) -> LandlineError:
    if isinstance(error, SilenceError):
        return LandlineError(ErrorKind.BACKEND_TIMEOUT, "The backend fell silent in the middle of its answer.")
    return LandlineError(ErrorKind.BAD_BACKEND, f"The backend's answer is {error}.")


def _silent(url: str) -> LandlineError:
    return LandlineError(
        ErrorKind.BACKEND_TIMEOUT,
        f"The backend {_base(url)} did not answer in time.",
        hint="Is it still loading, or overloaded? backend.idle_timeout_s in landline.toml is the limit.",
        check="backend",
    )


def _unreachable(url: str, reason: str) -> LandlineError:
    return LandlineError(
        ErrorKind.BACKEND_UNAVAILABLE,
        f"The backend {_base(url)} {reason}.",
        hint="Start the model server, or point landline at it with --backend URL.",
        check="backend",
    )


def _base(url: str) -> str:
    return url.partition("/v1")[0]
