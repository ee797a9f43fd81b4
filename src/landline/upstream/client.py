"""HTTP towards a model server. The only file that knows aiohttp.

One pool for the process. An answer is handed over as soon as its headers are there; closing it closes the connection,
which is how model servers are told to stop generating.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self

import aiohttp

from landline.errors import ErrorKind, LandlineError

# vLLM closes idle connections after 5 s: reuse none that may be closing.
KEEP_ALIVE_S = 4.0
END_WAIT_S = 0.5
ERROR_BODY_LIMIT = 64 * 1024
_IDENTITY = {"accept-encoding": "identity", "content-type": "application/json"}


class UpstreamAnswer:
    """Status and headers of one answer, and its bytes as they come."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.content_type = response.headers.get("content-type", "")
        self.headers: Mapping[str, str] = response.headers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, one piece per read. Raises LandlineError when the connection breaks or falls silent."""
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise broken(error) from None

    async def body(self, limit: int = ERROR_BODY_LIMIT) -> bytes:
        """At most `limit` bytes of the body: what stands in an error is short."""
        out = bytearray()
        async for piece in self.chunks():
            out += piece
            if len(out) >= limit:
                self.close()
                break
        return bytes(out[:limit])

    async def finish(self) -> None:
        """Behind the last event: reads the few bytes that are owed, so that the connection can be used again."""
        content = self._response.content
        if not content.is_eof():
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                async with asyncio.timeout(END_WAIT_S):
                    while await content.readany():
                        pass

    def close(self) -> None:
        """Ends the answer: an unfinished one takes its connection with it."""
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()


class UpstreamClient:
    """The pool. Used as an async context manager by the composition root."""

    def __init__(self, *, connect_timeout_s: float, idle_timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s, sock_read=idle_timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> UpstreamAnswer:
        """Sends and waits for the headers of the answer. Raises LandlineError when there are none.

        A connection that the server closed while it lay in the pool is not the server's failure: then once more.
        """
        try:
            return await self._request("POST", url, body, headers)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            pass
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(url, error) from None
        try:
            return await self._request("POST", url, body, headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(url, error) from None

    async def get(self, url: str, headers: Mapping[str, str], *, timeout_s: float) -> tuple[int, bytes]:
        """Status and body of a small answer. Raises LandlineError."""
        return await self._small("GET", url, None, headers, timeout_s)

    async def post_small(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> tuple[int, bytes]:
        """Status and body of a small answer to a POST. Raises LandlineError."""
        return await self._small("POST", url, body, headers, timeout_s)

    async def _request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> UpstreamAnswer:
        assert self._session is not None
        sent = {**_IDENTITY, **headers}
        # No payload object of aiohttp's may outlive the sending: it would hold the body as long as the stream.
        response = await self._session.request(method, url, data=body, headers=sent, allow_redirects=False)
        return UpstreamAnswer(response)

    async def _small(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        sent = {**_IDENTITY, **headers}
        try:
            async with self._session.request(method, url, data=body, headers=sent, timeout=timeout) as response:
                return response.status, await response.content.read(16 * 1024 * 1024)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(url, error) from None


def unreachable(url: str, error: Exception) -> LandlineError:
    """No answer at all."""
    base = url.partition("/v1")[0]
    if isinstance(error, TimeoutError):
        return LandlineError(
            ErrorKind.BACKEND_TIMEOUT,
            f"The backend {base} did not answer in time.",
            hint="Is it still loading, or overloaded? backend.idle_timeout_s in landline.toml is the limit.",
        )
    reason = "refused the connection" if isinstance(error, aiohttp.ClientConnectorError) else "closed the connection"
    return LandlineError(
        ErrorKind.BACKEND_UNAVAILABLE,
        f"The backend {base} {reason}.",
        hint="Start the model server, or point landline at it with --backend URL.",
    )


def broken(error: Exception) -> LandlineError:
    """An answer that stopped in its middle."""
    if isinstance(error, TimeoutError):
        return LandlineError(ErrorKind.BACKEND_TIMEOUT, "The backend fell silent in the middle of its answer.")
    return LandlineError(ErrorKind.BAD_BACKEND, "The backend's stream ended before the answer was complete.")
