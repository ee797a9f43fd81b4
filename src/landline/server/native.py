"""Requests for a backend that speaks Anthropic Messages itself: forwarded as they are, answered as they come.

Only the key is the gateway's own, and a model's name is changed only where the settings map it.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw

from landline.core.exchange import Exchange, Outcome
from landline.errors import ErrorKind, LandlineError
from landline.policy.affinity import session_of_metadata
from landline.policy.routing import Names, route
from landline.protocols.anthropic_messages.request import LONGEST_NAME
from landline.server.asgi import Receive, Scope, Send, header
from landline.server.calls import Call
from landline.server.line import Line
from landline.upstream.client import UpstreamAnswer

# What the protocol itself puts into headers; everything else (keys, cookies, tracing) stays here.
FORWARDED = (b"anthropic-version", b"anthropic-beta", b"accept", b"x-claude-code-session-id")
RETURNED = ("content-type", "retry-after", "x-should-retry", "request-id", "anthropic-ratelimit-requests-reset")

_members = msgspec.json.Decoder(dict[str, Raw])


class NativeProxy:
    """ASGI endpoint for /v1/messages and /v1/messages/count_tokens."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        line = self._line
        async with Call(self._line, scope, send) as call:
            body = await call.body(receive)
            await line.know()
            body = self._mapped(body, call)
            query = scope["query_string"].decode("latin-1")
            path = scope["path"] + (f"?{query}" if query else "")
            headers = {name.decode(): header(scope, name) for name in FORWARDED if header(scope, name)}
            async with await self._post(path, body, headers, call.exchange) as answer:
                call.headers_arrived()
                if answer.repeated:
                    call.exchange.backend_requests += 1
                    call.exchange.notes.repaired("sent again: the backend had closed the kept connection")
                del body
                await _forward(answer, call)

    async def _post(self, path: str, body: bytes, headers: dict[str, str], exchange: Exchange) -> UpstreamAnswer:
        """To the session's replica, or to the next one where that is gone. Raises LandlineError when all are."""
        line, backend = self._line, self._line.backend_for(exchange)
        while True:
            exchange.backend_requests += 1
            try:
                told = {**headers, **line.headers_for(backend, exchange)}
                answer = await line.client.post(backend.url + path, body, told)
            except LandlineError as error:
                following = line.after_failure(backend, exchange, error)
                if following is None:
                    raise
                backend = following
            else:
                if answer.status < 500:
                    backend.answered()
                return answer

    def _mapped(self, body: bytes, call: Call) -> bytes:
        """The body untouched, or with another model where aliases, tiers or the default say so."""
        try:
            members = _members.decode(body)
            asked = msgspec.json.decode(members["model"], type=str)
        except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
            raise LandlineError(ErrorKind.INVALID_REQUEST, "The request is not a JSON object with a model.") from None
        if len(asked) > LONGEST_NAME:
            raise LandlineError(ErrorKind.INVALID_REQUEST, f"model: must not be longer than {LONGEST_NAME} characters.")
        models = self._line.settings.models
        # What nothing maps is for the backend to know: a hosted API serves more names than it lists.
        names = Names(self._line.backend.served, models.default or asked, models.aliases, models.tiers)
        found = route(asked, names)
        chosen = found.model
        call.exchange.model_asked, call.exchange.model_served, call.exchange.route = asked, chosen, found.rule
        call.exchange.session = call.exchange.session or session_of_metadata(members.get("metadata", UNSET))
        if chosen == asked:
            return body
        return msgspec.json.encode({**members, "model": chosen})


async def _forward(answer: UpstreamAnswer, call: Call) -> None:
    """Head and body as they come. An answer that stops before its end is cut towards the client as well."""
    exchange = call.exchange
    headers = [(name.encode(), answer.headers[name].encode()) for name in RETURNED if name in answer.headers]
    headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    exchange.stream = "event-stream" in answer.content_type
    call.client.begin(answer.status, headers)
    call.first_event()
    exchange.status = answer.status

    def take(piece: bytes) -> bool:
        if piece and not call.client.write(piece):
            answer.pause()
            call.client.when_drained(answer.resume)
        return False

    try:
        await answer.pour(take)
    except LandlineError as error:
        exchange.error, exchange.error_logged = error.text, error.logged
    if answer.complete:
        call.client.write(b"", last=True)
        exchange.outcome = _outcome(answer.status)
    else:
        exchange.outcome = Outcome.FAILED
        call.client.cut()


def _outcome(status: int) -> Outcome:
    if status >= 500:
        return Outcome.FAILED
    return Outcome.REFUSED if status >= 400 else Outcome.COMPLETED
