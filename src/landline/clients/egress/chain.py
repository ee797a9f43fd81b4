"""Opens the connection that a client asked for: straight, or through the proxy that the user has of his own."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus

from landline.clients.egress.destinations import Destination, Law
from landline.clients.egress.heads import END, LONGEST_HEAD, Asked, basic
from landline.clients.egress.relay import Connection
from landline.clients.egress.variables import UsersProxies, UsersProxy

CONNECT_TIMEOUT_S = 20.0


class UnreachableError(Exception):
    """With the status that the client is answered; its text has no name but the destination's."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class NotAllowedError(Exception):
    """A name that may be reached led to an address that may not."""


@dataclass(frozen=True, slots=True)
class Opened:
    """`head` is what the server, or the next proxy, is sent first."""

    connection: Connection
    head: bytes = field(repr=False)


async def opened(asked: Asked, law: Law, proxies: UsersProxies) -> Opened:
    """Raises UnreachableError and NotAllowedError."""
    through = proxies.towards(asked.to, tunnel=asked.is_tunnel)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if through is None:
                return Opened(await _straight(asked.to, law), asked.head)
            return await _through(through, asked)
    except TimeoutError as error:
        raise UnreachableError(HTTPStatus.GATEWAY_TIMEOUT, "no answer in time.") from error
    except ssl.SSLError as error:
        raise UnreachableError(HTTPStatus.BAD_GATEWAY, "your own proxy's certificate was not accepted.") from error
    except (OSError, UnicodeError) as error:  # names that the resolver cannot encode
        raise UnreachableError(HTTPStatus.BAD_GATEWAY, "cannot be reached.") from error


async def _straight(to: Destination, law: Law) -> Connection:
    """Resolved once: what was judged is what is connected to."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [address for address in addresses if law.may_reach(to, address)]
    if not allowed:
        raise NotAllowedError
    failure: OSError | None = None
    for address in allowed:
        try:
            return await asyncio.open_connection(address, to.port)
        except OSError as error:
            failure = error
    raise failure or OSError


async def _through(proxy: UsersProxy, asked: Asked) -> Opened:
    context = ssl.create_default_context() if proxy.tls else None
    connection = await asyncio.open_connection(proxy.at.host, proxy.at.port, ssl=context)
    credential = f"Proxy-Authorization: {basic(proxy.credential)}\r\n" if proxy.credential else ""
    try:
        if not asked.is_tunnel:
            return Opened(connection, _told_to_proxy(asked, credential))
        await _tunnelled(connection, asked.to, credential)
    except BaseException:
        connection[1].transport.abort()
        raise
    return Opened(connection, b"")


def _told_to_proxy(asked: Asked, credential: str) -> bytes:
    """The request with its whole address again, as proxies want it."""
    method, path, rest = asked.head.split(b" ", 2)
    return b" ".join((method, b"http://" + asked.to.authority.encode() + path, rest)).replace(
        b"\r\n", b"\r\n" + credential.encode(), 1
    )


async def _tunnelled(connection: Connection, to: Destination, credential: str) -> None:
    reader, writer = connection
    writer.write(f"CONNECT {to.authority} HTTP/1.1\r\nHost: {to.authority}\r\n{credential}\r\n".encode())
    try:
        head = await reader.readuntil(END)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise UnreachableError(HTTPStatus.BAD_GATEWAY, "your own proxy gave no answer.") from error
    status = head.split(b" ", 2)[1:2]
    if len(head) > LONGEST_HEAD or status != [b"200"]:
        told = status[0].decode() if status and status[0].isdigit() and len(status[0]) == 3 else "no HTTP"
        raise UnreachableError(HTTPStatus.BAD_GATEWAY, f"your own proxy answered {told}.")
