"""What a client asks of a proxy, read from bytes it sent, and what it is answered. Pure.

Hostile on purpose in its reading: what is not plainly a request is refused, never guessed at.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from hmac import compare_digest
from http import HTTPStatus

from landline.clients.egress.destinations import HTTP_PORT, Destination, destination

LONGEST_HEAD = 16_384  # bytes; the headers of a request that is meant for a proxy are far shorter
END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.[01]")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\x09\x20-\x7e\x80-\xff]*)")
# Between the client and the proxy alone; what follows is between the client and the server.
_OURS = frozenset({b"proxy-authorization", b"proxy-connection", b"host", b"connection", b"keep-alive"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in place of the connection; `reason` is for people."""

    status: HTTPStatus
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `head` is what goes on to the server itself: empty for CONNECT, where all bytes are the client's."""

    method: str
    to: Destination
    head: bytes = field(default=b"", repr=False)

    @property
    def is_tunnel(self) -> bool:
        return self.method == "CONNECT"


def read_head(content: bytes, *, credential: str = "") -> Asked | Refusal:
    """`content` up to and without the empty line. `credential` is `user:password` that the client must send."""
    first, *rest = content.split(b"\r\n")
    line = _LINE.fullmatch(first)
    fields = [_FIELD.fullmatch(one) for one in rest]
    if line is None or None in fields:
        return Refusal(HTTPStatus.BAD_REQUEST, "This is a proxy for HTTP/1.1, and that was no request of it.")
    pairs = [(one[1], one[2].rstrip()) for one in fields if one is not None]
    if credential and not _knows(credential, pairs):
        return Refusal(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "This proxy is for one launch of landline only.")
    method, target = line[1].decode(), line[2].decode()
    return _tunnel(target) if method == "CONNECT" else _plain(method, target, pairs)


def _knows(credential: str, pairs: list[tuple[bytes, bytes]]) -> bool:
    wanted = b"Basic " + b64encode(credential.encode())
    given = [value for name, value in pairs if name.lower() == b"proxy-authorization"]
    return len(given) == 1 and compare_digest(given[0], wanted)


def _tunnel(target: str) -> Asked | Refusal:
    to = destination(target)
    if to is None:
        return Refusal(HTTPStatus.BAD_REQUEST, "CONNECT needs host:port.")
    return Asked(method="CONNECT", to=to)


def _plain(method: str, target: str, pairs: list[tuple[bytes, bytes]]) -> Asked | Refusal:
    """`GET http://host/path` becomes `GET /path` for the host of the line alone, once per connection."""
    scheme, _, rest = target.partition("://")
    authority, slash, path = rest.partition("/")
    if "?" in authority:
        authority, _, query = rest.partition("?")
        slash, path = "/", f"?{query}"
    to = destination(authority, default_port=HTTP_PORT)
    if scheme.lower() != "http" or to is None:
        return Refusal(
            HTTPStatus.BAD_REQUEST, "This is landline's proxy, not a server: ask it for http:// addresses, or CONNECT."
        )
    upgrades = any(name.lower() == b"upgrade" for name, _ in pairs)
    kept = [name + b": " + value for name, value in pairs if name.lower() not in _OURS]
    lines = [
        f"{method} {slash or '/'}{path} HTTP/1.1".encode(),
        b"Host: " + authority.rpartition("@")[2].encode(),
        b"Connection: upgrade" if upgrades else b"Connection: close",
        *kept,
    ]
    return Asked(method=method, to=to, head=b"\r\n".join(lines) + END)


def basic(credential: str) -> str:
    return "Basic " + b64encode(credential.encode()).decode()


def response(status: HTTPStatus, text: str) -> bytes:
    """A whole answer of the proxy itself, after which it closes."""
    body = f"landline: {text}\n".encode()
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Content-Type: text/plain; charset=utf-8"]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "X-Landline-Egress: refused"]
    if status is HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        lines.append('Proxy-Authenticate: Basic realm="landline"')
    return "\r\n".join(lines).encode() + END + body
