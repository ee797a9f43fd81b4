"""A client of the gateway for tests: plain calls, streams with the moments of their arrival, and raw connections.

It knows HTTP and where /v1/messages is, nothing of landline but how to run it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from landline.config.settings import Backend, Gateway, Models, Sampling, Search, Settings, Store
from landline.core.exchange import Exchange, Outcome
from landline.server.run import RunningGateway, running_gateway

ASKED = "claude-opus-4-8"
TIMEOUT_S = 15.0


def request_body(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """A request for one answer to one user message."""
    return {"model": ASKED, "max_tokens": 64, "messages": [{"role": "user", "content": text}]} | fields


@dataclass
class Reply:
    """A whole answer. `arrivals` are (time.monotonic(), bytes), from the sending to the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, type and message of an error in Anthropic's form; the id in the body is the one in the header."""
        told = self.json
        assert told["type"] == "error"
        assert told["request_id"] == self.headers["request-id"]
        assert self.headers["content-type"] == "application/json"
        return self.status, told["error"]["type"], told["error"]["message"]


class GatewayClient:
    """Calls to one gateway, each over its own connection so that none hides what another one left behind."""

    def __init__(self, gateway: RunningGateway | str, *, tls: ssl.SSLContext | None = None) -> None:
        """A gateway in this process, or the address of one elsewhere (then there is no `gateway` to look into).

        `tls`: what its certificate is judged by, where the address is https.
        """
        self._gateway = None if isinstance(gateway, str) else gateway
        self.url = gateway if isinstance(gateway, str) else gateway.url
        self.port = int(self.url.rpartition(":")[2])
        self._tls = tls

    @property
    def gateway(self) -> RunningGateway:
        assert self._gateway is not None, "that gateway runs in another process"
        return self._gateway

    @property
    def exchanges(self) -> list[Exchange]:
        return list(self.gateway.line.journal.recent)

    async def call(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """`body` is sent as JSON unless it is bytes, or an async iterator (then chunked)."""
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        sent = {"content-type": "application/json", **(headers or {})}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        began = time.monotonic()
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.request(
                method, self.url + path, data=data, headers=sent, allow_redirects=False, ssl=self._tls or True
            ) as response,
        ):
            arrivals = [(began, b"")]
            async for piece in response.content.iter_any():
                arrivals.append((time.monotonic(), piece))
            arrivals.append((time.monotonic(), b""))
            raw = b"".join(piece for _, piece in arrivals)
            return Reply(response.status, response.headers, raw, arrivals)

    async def messages(self, body: Any = None, **options: Any) -> Reply:
        return await self.call("POST", "/v1/messages", body=request_body() if body is None else body, **options)

    async def stream(self, body: dict[str, Any] | None = None, **options: Any) -> Reply:
        return await self.messages((body or request_body()) | {"stream": True}, **options)

    async def raw(self, data: bytes, *, timeout_s: float = 5) -> bytes:
        """Sends bytes and reads until the gateway closes; raises TimeoutError when it does not."""
        async with self.connection() as (reader, writer):
            writer.write(data)
            return await self.rest(reader, timeout_s=timeout_s)

    async def rest(self, reader: asyncio.StreamReader, *, timeout_s: float = 5) -> bytes:
        """What still comes until the gateway closes, in order or by a reset."""
        out = bytearray()
        async with asyncio.timeout(timeout_s):
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(65536):
                    out += piece
        return bytes(out)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection of one's own, reset at the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self._tls)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def refuses(self) -> bool:
        """Whether new connections are refused."""
        try:
            async with self.connection():
                return False
        except OSError:
            return True

    async def settled(self, number: int = 1, *, timeout_s: float = 5) -> Exchange:
        """The number-th finished exchange, as soon as it is in the journal."""
        await until(lambda: len(self.exchanges) >= number, timeout_s=timeout_s)
        return self.exchanges[number - 1]

    async def closed_by_client(self, number: int = 1) -> Exchange:
        exchange = await self.settled(number)
        assert exchange.outcome is Outcome.CLIENT_CLOSED
        assert not self.gateway.line.open
        return exchange


def http_request(
    body: bytes, *, path: str = "/v1/messages", headers: Mapping[str, str] | None = None, method: str = "POST"
) -> bytes:
    """The bytes of one whole request."""
    told = {"host": "127.0.0.1", "content-length": str(len(body))} | dict(headers or {})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def until(held: Callable[[], bool], *, timeout_s: float = 5) -> None:
    """Waits for something that no event tells of."""
    async with asyncio.timeout(timeout_s):
        while not held():
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def gateway_to(
    url: str,
    *,
    backend: Mapping[str, Any] | None = None,
    models: Models | None = None,
    search: Search | None = None,
    sampling: Sampling | None = None,
    store: Store | None = None,
    **gateway: Any,
) -> AsyncIterator[GatewayClient]:
    """A gateway in this process in front of the backend at `url`; `gateway` are settings of that table."""
    settings = Settings(
        backend=Backend(url=url, **(backend or {})),
        gateway=Gateway(**{"drain_s": 1} | gateway),
        models=models or Models(),
        search=search or Search(),
        sampling=sampling or Sampling(),
        store=store or Store(),
    )
    async with running_gateway(settings) as running:
        yield GatewayClient(running)
