"""The few ASGI moves that the endpoints share: read a body within limits, send a whole answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple, Protocol

from landline.errors import ErrorKind, LandlineError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Header = tuple[bytes, bytes]

JSON = (b"content-type", b"application/json")


class Relay(NamedTuple):
    """What writes parts of a body. `chunk`: takes a whole chunk, size and all; None where the body has no chunks."""

    take: Callable[[bytes], bool]  # returns False
    chunk: Callable[[bytes], object] | None


class ClientSide(Protocol):
    """What a connection of ours offers beyond ASGI, as `scope["landline.client"]`: streams without a task."""

    def on_hang_up(self, function: Callable[[], None]) -> None:
        """Calls `function` when the client leaves, or at once if it has left."""
        ...

    def begin(self, status: int, headers: Iterable[Header]) -> None:
        """The head of the answer; it leaves with the first bytes of the body."""
        ...

    def write(self, data: bytes, *, last: bool = False) -> bool:
        """Part of the body. False: the client does not keep up; wait with the rest (see `when_drained`)."""
        ...

    def relay(self, pause: Callable[[], None], resume: Callable[[], None]) -> Relay:
        """The shortest ways for the parts of a body, behind `begin`.

        `pause` is called when the client does not keep up, or has left; `resume` when more can be written.
        """
        ...

    def cut(self) -> None:
        """Ends the connection in the middle of the answer: the client must see that it is not whole."""
        ...

    def when_drained(self, function: Callable[[], None]) -> None:
        """Calls `function` when the client has read enough for more to be written."""
        ...


class BodySilence(Exception):
    """The request body stopped coming. Raised by `receive`."""


class AnswerBegun(RuntimeError):
    """An answer was begun twice: what went wrong behind its beginning cannot be told by a status any more."""


class ClientGone(Exception):
    """The client hung up; nobody is left to be told anything."""


def header(scope: Scope, name: bytes) -> str:
    """One request header (`name` in lower case), empty when it is not there. Of several, the first."""
    for known, value in scope["headers"]:
        if known == name:
            return value.decode("latin-1")
    return ""


async def read_body(scope: Scope, receive: Receive, *, limit: int) -> bytes:
    """The whole request body. Raises LandlineError when it is too large or stops coming, ClientGone on a hang-up."""
    told = header(scope, b"content-length")
    if told.isdigit() and int(told) > limit:
        raise _too_large(limit)
    first = await _next(receive)
    if not first.get("more_body"):
        return _checked(first["body"], limit)
    out = bytearray(first["body"])
    while True:
        message = await _next(receive)
        out += message["body"]
        if len(out) > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return bytes(out)


async def _next(receive: Receive) -> MutableMapping[str, Any]:
    try:
        message = await receive()
    except BodySilence:
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            "The request body stopped coming.",
            hint="gateway.body_timeout_s in landline.toml is the limit.",
        ) from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def _checked(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> LandlineError:
    # Inside a conversation, these words make a client compact; a plain refusal would end it.
    return LandlineError(
        ErrorKind.REQUEST_TOO_LARGE,
        f"prompt is too long: the request body is larger than {limit // 2**20} MiB.",
        hint="gateway.body_limit_mib in landline.toml is the limit.",
    )


async def send_whole(send: Send, status: int, body: bytes, headers: Iterable[Header] = (JSON,)) -> None:
    """One complete answer."""
    sent = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body, "more_body": False})
