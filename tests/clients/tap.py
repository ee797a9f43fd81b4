"""A wire tap between a client and the gateway: passes every byte on, and keeps what was said.

It tells what the client really sent and the raw bytes of every answer, which the stream invariant is checked over. A
hang-up of either side is passed on at once. Must not import landline.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools

from tests.fakes.listener import Listener

READ_SIZE = 65536


@dataclass
class Spoken:
    """One request and its answer, as they went over the wire. Times are those of time.monotonic()."""

    method: str = ""
    path: str = ""
    request_body: bytes = b""
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    pieces: list[tuple[float, bytes]] = field(default_factory=list)  # of the answer's body

    @property
    def asked(self) -> dict[str, Any]:
        return json.loads(self.request_body)

    @property
    def answer(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    @property
    def streamed(self) -> bool:
        return "event-stream" in self.answer_headers.get("content-type", "")


class _Asking:
    """Callbacks of the parser on the client's side."""

    def __init__(self, spoken: list[Spoken], waiting: list[Spoken]) -> None:
        self._all = spoken
        self._waiting = waiting
        self._url = b""
        self._now = Spoken()
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self._url, self._now = b"", Spoken()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_headers_complete(self) -> None:
        self._now.method = self.parser.get_method().decode()
        self._now.path = self._url.decode()
        self._all.append(self._now)
        self._waiting.append(self._now)

    def on_body(self, data: bytes) -> None:
        self._now.request_body += data


class _Answering:
    """Callbacks of the parser on the gateway's side."""

    def __init__(self, waiting: list[Spoken]) -> None:
        self._waiting = waiting
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._waiting[0].answer_headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._waiting[0].status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self._waiting[0].pieces.append((time.monotonic(), data))

    def on_message_complete(self) -> None:
        self._waiting.pop(0)


class Tap(Listener):
    """`async with Tap(gateway.url) as tap: ... tap.url ... tap.spoken`. Knows no HEAD: its answers have no body."""

    def __init__(self, url: str) -> None:
        super().__init__()
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self.spoken: list[Spoken] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._host, self._port)
        waiting: list[Spoken] = []
        asking, answering = _Asking(self.spoken, waiting), _Answering(waiting)
        ways = [
            asyncio.ensure_future(_pass_on(reader, back, asking.parser)),
            asyncio.ensure_future(_pass_on(there, writer, answering.parser)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):
                end.close()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, back):
                with contextlib.suppress(ConnectionError):
                    await end.wait_closed()


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    parser: httptools.HttpRequestParser | httptools.HttpResponseParser,
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(READ_SIZE):
            parser.feed_data(data)
            writer.write(data)
            await writer.drain()
