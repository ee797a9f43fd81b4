"""What stands around an answer: its headers, and how an error of ours is told, in the words of the endpoint."""

from __future__ import annotations

from landline.core.exchange import Exchange, Outcome
from landline.errors import ErrorKind, LandlineError
from landline.policy.auth import key_mark, presented_keys
from landline.protocols.anthropic_messages.errors import error_body, error_headers
from landline.protocols.openai_client.errors import error_body as openai_error_body
from landline.server.asgi import JSON, Scope, Send, header, send_whole

OPENAI_PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings")
_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the events back
)


def exchange_headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """What every answer tells of itself: its id, which model was really asked and where, and what that cost."""
    return [*_names(exchange), *_cost(exchange)]


def _names(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-request-id" if _speaks_openai(exchange) else b"request-id", exchange.id.encode())]
    if exchange.model_served:
        headers.append((b"landline-model", _header_value(exchange.model_served)))
    if exchange.backend:
        headers.append((b"landline-backend", _header_value(exchange.backend.rpartition("@")[2])))
    return headers


def _cost(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    if (own_s := exchange.overhead_s) is not None:
        headers.append((b"landline-overhead-ms", f"{1000 * own_s:.1f}".encode()))
    if exchange.warning:
        headers.append((b"landline-warning", _header_value(exchange.warning)))
    return headers


def stream_headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    return [*_STREAM, *exchange_headers(exchange)]


class StreamHead:
    """The headers of a stream. Made while the backend works, but for those that are known only when it opens."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._backend = exchange.backend
        self._known = [*_STREAM, *_names(exchange)]

    def headers(self) -> list[tuple[bytes, bytes]]:
        if self._exchange.backend != self._backend:  # another replica answers
            return stream_headers(self._exchange)
        return self._known + _cost(self._exchange)


def whole_headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    return [JSON, *exchange_headers(exchange)]


def note_stranger(exchange: Exchange, error: LandlineError, scope: Scope) -> None:
    """Of a login that failed, the log tells from where: without that nobody can act against many of them."""
    if error.kind is ErrorKind.AUTHENTICATION:
        address, _ = scope.get("client") or ("unknown", 0)
        presented = presented_keys(header(scope, b"authorization"), header(scope, b"x-api-key"))
        exchange.stranger = f"from {address}, {key_mark(presented)}"


async def refuse(send: Send, error: LandlineError, exchange: Exchange) -> None:
    """Answers with an error, before the first byte."""
    exchange.outcome, exchange.status = Outcome.REFUSED, error.wire.status
    exchange.error, exchange.error_logged = error.text, error.logged
    headers = whole_headers(exchange)
    headers += [(name.encode(), value.encode()) for name, value in error_headers(error).items()]
    await send_whole(send, error.wire.status, _error_body(error, exchange), headers)


async def refuse_in_stream(send: Send, error: LandlineError, told: bytes, exchange: Exchange) -> None:
    """The same for a client that does better with a stream that fails at once."""
    exchange.outcome, exchange.status = Outcome.REFUSED, 200
    exchange.error, exchange.error_logged = error.text, error.logged
    await send_whole(send, 200, told, stream_headers(exchange))


def _error_body(error: LandlineError, exchange: Exchange) -> bytes:
    return openai_error_body(error) if _speaks_openai(exchange) else error_body(error, exchange.id)


def _speaks_openai(exchange: Exchange) -> bool:
    return exchange.path.startswith(OPENAI_PATHS)


def _header_value(text: str) -> bytes:
    """Printable ASCII only: a model's name or a path is somebody else's text."""
    if text.isascii() and text.isprintable() and len(text) <= 200:
        return text.encode()
    return "".join(char if " " <= char <= "~" else "?" for char in text[:200]).encode()
