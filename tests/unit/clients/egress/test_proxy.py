"""The proxy over real sockets, with clients that do what they should not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from landline.clients.egress.destinations import Destination, Law, Mode, rules
from landline.clients.egress.proxy import Proxy
from landline.clients.egress.relay import forwarding
from landline.clients.egress.report import Tried
from landline.clients.egress.variables import users_proxies
from tests.fakes.outside import BODY, door, users_own_proxy

pytestmark = pytest.mark.timeout(30)
NOBODY = Destination("127.0.0.1", 9)


class Served:
    def __init__(self, proxy: Proxy, port: int) -> None:
        self.proxy, self.port = proxy, port

    @property
    def tried(self) -> dict[str, str]:
        return {to.authority: counted.text for to, counted in self.proxy.tried.by_destination.items()}

    async def ask(self, content: bytes) -> bytes:
        """All that comes back for these bytes, to the end of the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(content)
                await writer.drain()
            return await asyncio.wait_for(_all(reader), 10)
        finally:
            writer.close()


async def _all(reader: asyncio.StreamReader) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionError):
        while more := await reader.read(65_536):
            got += more
    return got


@contextlib.asynccontextmanager
async def served(
    mode: Mode = Mode.AUDIT, *allow: str, gateway: Destination = NOBODY, **options: Any
) -> AsyncIterator[Served]:
    law = Law(mode=mode, gateway=gateway, allow=rules(allow))
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(law=law, tried=Tried(client="claude", mode=mode), **options)
    async with proxy.serve(listener):
        yield Served(proxy, listener.getsockname()[1])


def connect(authority: str) -> bytes:
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


def status(content: bytes) -> bytes:
    return content.split(b" ", 2)[1] if content else b""


async def test_a_tunnel_carries_bytes_both_ways_and_half_closes():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())  # to the end of what the client has to say
        writer.close()

    far = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = far.sockets[0].getsockname()[1]
    async with far, served() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        sent = bytes(range(256)) * 4096
        writer.write(connect(f"127.0.0.1:{port}") + sent)
        writer.write_eof()
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert await _all(reader) == sent
        writer.close()
        assert proxy.tried == {}  # nothing left this machine


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", b""),
        (b"CONNECT exam", b""),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET https://example.org/ HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"CONNECT example.org HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT example.org:443 HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_what_is_no_request_opens_nothing(content: bytes, code: bytes):
    async with served() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(content)
        writer.write_eof()
        assert status(await _all(reader)) == code
        writer.close()
        assert proxy.tried == {}


async def test_a_head_without_an_end_is_bounded_in_size_and_time():
    async with served(head_timeout_s=0.2) as proxy:
        assert status(await proxy.ask(b"CONNECT example.org:443 HTTP/1.1\r\nX: y")) == b"408"
        assert status(await proxy.ask(b"x" * 200_000)) in {b"431", b""}  # or the reset that unread bytes make
        assert proxy.tried == {}


async def test_more_connections_than_the_limit_are_told_so_and_the_others_live():
    async with door() as far, served(limit=5) as proxy:
        idle = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(5)]
        await asyncio.sleep(0.05)
        answers = await asyncio.gather(*(proxy.ask(connect(f"127.0.0.1:{far.port}")) for _ in range(200)))
        assert {status(answer) for answer in answers} <= {b"503", b""}
        assert far.came == 0
        idle[0][1].write(connect(f"127.0.0.1:{far.port}"))
        assert (await _all(idle[0][0])).endswith(BODY)
        for _, writer in idle:
            writer.close()


async def test_the_end_of_the_launch_ends_every_connection():
    async with door() as far:
        async with served() as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"CONNECT 127.0.0.1:1")
            await asyncio.sleep(0.02)
        assert await asyncio.wait_for(_all(reader), 5) == b""
        writer.close()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        assert far.came == 0


@pytest.mark.parametrize("mode", [Mode.PROXY_ONLY, Mode.LOCK])
async def test_a_refusal_says_what_to_do_and_connects_to_nothing(mode: Mode):
    async with door() as far, served(mode) as proxy:
        told = await proxy.ask(connect("Example.org.:443"))
        assert told.startswith(b"HTTP/1.1 403 ")
        assert f"example.org:443 is not allowed in this launch (--egress {mode})".encode() in told
        assert b"--egress-allow example.org" in told
        assert status(await proxy.ask(connect(f"127.0.0.1:{far.port}"))) == b"403"
        assert far.came == 0
        assert proxy.tried == {"example.org:443": "1 refused", f"127.0.0.1:{far.port}": "1 refused"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST."])
async def test_the_gateway_is_reached_through_the_proxy_too(host: str):
    """Qwen Code asks the proxy for it whatever NO_PROXY says."""
    async with door() as gateway:
        at = Destination("127.0.0.1", gateway.port)
        async with served(Mode.LOCK, gateway=at) as proxy:
            assert (await proxy.ask(connect(f"{host}:{gateway.port}"))).endswith(BODY)
            assert proxy.tried == {}


@pytest.mark.parametrize("name", ["rebound.test", "2130706433", "0x7f.1"])
async def test_an_allowed_name_that_leads_back_here_is_refused(name: str, monkeypatch: pytest.MonkeyPatch):
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def resolve(host: str, port: int, **options: Any) -> Any:
        return await real("127.0.0.1" if host == "rebound.test" else host, port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    async with door() as far, served(Mode.LOCK, name) as proxy:
        assert status(await proxy.ask(connect(f"{name}:{far.port}"))) == b"403"
        assert far.came == 0
        assert proxy.tried == {f"{name}:{far.port}": "1 refused"}


async def test_what_cannot_be_reached_is_told_and_counted():
    async with served() as proxy:
        told = await proxy.ask(connect("nowhere.invalid:443"))
        assert status(told) == b"502"
        assert b"nowhere.invalid:443: cannot be reached." in told
        assert proxy.tried == {"nowhere.invalid:443": "1 failed"}


async def test_bytes_after_a_plain_request_stay_with_its_host():
    """A second request in the same connection, for another host, is not read as one."""
    seen = bytearray()

    async def far_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.read())
        writer.close()

    far = await asyncio.start_server(far_side, "127.0.0.1", 0)
    port = far.sockets[0].getsockname()[1]
    async with door() as other, far, served() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"GET http://127.0.0.1:{port}/a HTTP/1.1\r\n\r\n".encode())
        writer.write(f"GET http://127.0.0.1:{other.port}/b HTTP/1.1\r\n\r\n".encode())
        writer.write_eof()
        await _all(reader)
        writer.close()
        assert other.came == 0
    assert bytes(seen).startswith(b"GET /a HTTP/1.1\r\n")
    assert f"http://127.0.0.1:{other.port}/b".encode() in seen


async def test_a_credential_is_wanted_where_the_users_proxy_has_one():
    async with served(credential="landline:t") as proxy:
        told = await proxy.ask(connect("example.org:443"))
        assert status(told) == b"407"
        assert proxy.tried == {}


async def test_the_users_own_proxy_is_gone_through_with_its_password_and_its_exceptions():
    async with users_own_proxy(credential="me:s3cret") as own:
        environ = {"ALL_PROXY": own.url, "NO_PROXY": "near.invalid"}
        async with served(proxies=users_proxies(environ)) as proxy:
            got = await proxy.ask(connect("example.org:443") + b"hello\r\n\r\n")
            assert got.endswith(BODY)
            got = await proxy.ask(b"GET http://example.org/x HTTP/1.1\r\nX: y\r\n\r\n")
            assert got.endswith(BODY)
            assert status(await proxy.ask(connect("near.invalid:443"))) == b"502"
            assert proxy.tried == {
                "example.org:443": "1 allowed",
                "example.org:80": "1 allowed",
                "near.invalid:443": "1 failed",
            }
        assert own.asked == ["CONNECT example.org:443", "GET http://example.org:80/x"]
        assert all("Proxy-Authorization: Basic bWU6czNjcmV0\r\n" in head for head in own.heads)
        assert "Host: example.org\r\n" in own.heads[1]


@pytest.mark.parametrize("answer", ["407 Proxy Authentication Required", "403 Forbidden", "\x00\xff"])
async def test_a_refusal_of_the_users_own_proxy_is_told_without_its_password(answer: str):
    own_proxy = users_own_proxy(credential="me:s3cret", status=answer)
    async with own_proxy as own, served(proxies=users_proxies({"HTTPS_PROXY": own.url})) as proxy:
        told = await proxy.ask(connect("example.org:443"))
        assert status(told) == b"502"
        assert b"example.org:443: your own proxy answered " in told
        assert b"s3cret" not in told
        assert proxy.tried == {"example.org:443": "1 failed"}


async def test_a_users_own_proxy_that_is_not_there():
    async with served(proxies=users_proxies({"HTTPS_PROXY": "http://127.0.0.1:9"})) as proxy:
        assert status(await proxy.ask(connect("example.org:443"))) == b"502"


async def test_forwarding_leads_to_one_place_and_a_hang_up_is_passed_on():
    gone = asyncio.Event()

    async def far_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(100):
                writer.write(b"x")
        gone.set()
        writer.close()

    far = await asyncio.start_server(far_side, "127.0.0.1", 0)
    listener = socket.create_server(("127.0.0.1", 0))
    async with far, forwarding(listener, Destination("127.0.0.1", far.sockets[0].getsockname()[1])):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"hello")
        assert await reader.read(1) == b"x"
        writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 5)


async def test_forwarding_to_a_gateway_that_is_gone_ends_the_connection():
    listener = socket.create_server(("127.0.0.1", 0))
    async with forwarding(listener, NOBODY):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(_all(reader), 5) == b""
        writer.close()
