"""Requests that leave as they came, and answers that come back as they are: nothing of them is read.

Only the key is the gateway's own, and a model's name is changed where the settings map it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from landline.core.exchange import Exchange, Outcome
from landline.errors import LandlineError
from landline.protocols.openai_client.reading import check_model, invalid, text_of
from landline.server.asgi import Receive, Scope, Send, header
from landline.server.calls import Call
from landline.server.line import Line
from landline.server.understanding import routed
from landline.server.waiting import Waiting
from landline.upstream.client import UpstreamAnswer
from landline.upstream.dialects import BackendKind

# What the protocols themselves put into headers; everything else (keys, cookies, tracing) stays here.
FORWARDED = (b"anthropic-version", b"anthropic-beta", b"accept", b"x-claude-code-session-id")
RETURNED = ("content-type", "retry-after", "x-should-retry", "request-id", "anthropic-ratelimit-requests-reset")

_members = msgspec.json.Decoder(dict[str, Raw])


class ForwardProxy:
    """ASGI endpoint for what landline itself knows nothing of: /v1/completions and /v1/embeddings."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with Call(self._line, scope, send) as call:
            body = await self._mapped(await call.body(receive), call.exchange)
            await forward(body, scope, call, self._line)

    async def _mapped(self, body: bytes, exchange: Exchange) -> bytes:
        try:
            members = _members.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise invalid("The request is not a JSON object with a model.") from None
        asked = text_of(members.get("model"))
        check_model(asked)
        for name in ("messages", "kv_transfer_params"):  # they may name what the backend would fetch, and from where
            if name in members:
                raise invalid(f"{name}: is not forwarded.", hint="Send `input` or `prompt`.")
        changed: dict[str, object] = {}
        served = await routed(asked, exchange, self._line)
        if served != asked:
            changed["model"] = served
        if exchange.cache_salt and self._line.backend_for(exchange).kind is BackendKind.VLLM:
            changed["cache_salt"] = exchange.cache_salt
        return with_members(body, members, changed)


def with_members(body: bytes, members: Mapping[str, Raw], changed: Mapping[str, object]) -> bytes:
    """The body itself where nothing changes; else with these members, and the others as they were written."""
    return msgspec.json.encode({**members, **changed}) if changed else body


async def forward(body: bytes, scope: Scope, call: Call, line: Line) -> None:
    """Sends `body` to the path and with the query of the request, and gives back what comes. Raises LandlineError."""
    query = scope["query_string"].decode("latin-1")
    path = scope["path"] + (f"?{query}" if query else "")
    headers = {name.decode(): header(scope, name) for name in FORWARDED if header(scope, name)}
    async with await _post(path, body, headers, call.exchange, line) as answer:
        call.headers_arrived()
        if answer.repeated:
            call.exchange.backend_requests += 1
            call.exchange.notes.repaired("sent again: the backend had closed the kept connection")
        del body
        await _give_back(answer, call)


async def _post(path: str, body: bytes, headers: dict[str, str], exchange: Exchange, line: Line) -> UpstreamAnswer:
    """To the session's replica, or to the next one where that is gone. Raises LandlineError when all are."""
    backend = line.backend_for(exchange)
    while True:
        exchange.backend_requests += 1
        try:
            told = {**headers, **line.headers_for(backend, exchange)}
            with Waiting(exchange):
                answer = await line.client.post(backend.url + path, body, told, relayed=True)
        except LandlineError as error:
            following = line.after_failure(backend, exchange, error)
            if following is None:
                raise
            backend = following
        else:
            if answer.status < 500:
                backend.answered()
            return answer


async def _give_back(answer: UpstreamAnswer, call: Call) -> None:
    """Head and body as they come. An answer that stops before its end is cut towards the client as well."""
    exchange = call.exchange
    headers = [(name.encode(), answer.headers[name].encode()) for name in RETURNED if name in answer.headers]
    headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    exchange.stream = "event-stream" in answer.content_type
    call.client.begin(answer.status, headers)
    call.first_event()
    exchange.status = answer.status

    try:
        take, relay = call.client.relay(answer.pause, answer.resume)
        await answer.pour(take, relay=relay)
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
