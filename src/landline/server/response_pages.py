"""Kept responses, for those who fetch or delete them: `/v1/responses/{id}` and its `input_items`."""

from __future__ import annotations

from urllib.parse import parse_qsl

from landline.core.exchange import Outcome
from landline.errors import ErrorKind, LandlineError
from landline.protocols.openai_client.reading import invalid
from landline.protocols.openai_responses.keeping import deleted, listed
from landline.server.answer import whole_headers
from landline.server.asgi import Receive, Scope, Send, send_whole
from landline.server.calls import Call
from landline.server.kept_responses import TURN_ON
from landline.server.line import Line
from landline.server.response_file import KeptResponse


class OneResponse:
    """ASGI endpoint for GET and DELETE of one."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with Call(self._line, scope, send) as call:
            await call.body(receive)
            if scope["method"] == "DELETE":
                answer = await self._deleted(scope, call)
            else:
                if _asked(scope).get("stream", "false").lower() not in ("false", "0"):
                    raise invalid("stream: a kept response is told whole.", hint="Leave it out.")
                answer = (await found(scope, call, self._line)).response
            await answered(answer, call, send)

    async def _deleted(self, scope: Scope, call: Call) -> bytes:
        ident = _ident(scope, self._line)
        if not await self._line.kept.remove(ident, call.exchange.owner):
            raise _unknown(ident)
        return deleted(ident)


class InputItems:
    """ASGI endpoint for what led to one."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with Call(self._line, scope, send) as call:
            await call.body(receive)
            kept = await found(scope, call, self._line)
            await answered(listed(kept.id, kept.input, _asked(scope)), call, send)


async def found(scope: Scope, call: Call, line: Line) -> KeptResponse:
    """Raises LandlineError."""
    ident = _ident(scope, line)
    kept = await line.kept.find(ident, call.exchange.owner)
    if kept is None:
        raise _unknown(ident)
    return kept


async def answered(answer: bytes, call: Call, send: Send) -> None:
    call.exchange.status, call.exchange.outcome = 200, Outcome.COMPLETED
    await send_whole(send, 200, answer, whole_headers(call.exchange))


def _ident(scope: Scope, line: Line) -> str:
    if not line.kept.on:
        raise LandlineError(ErrorKind.NOT_FOUND, "landline keeps no responses.", hint=f"To have them kept: {TURN_ON}.")
    return scope["path_params"]["response"]


def _asked(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1")))


def _unknown(ident: str) -> LandlineError:
    return LandlineError(
        ErrorKind.NOT_FOUND,
        f"No response {ident[:60]!r} is kept.",
        hint="They are for 24 hours, where the request said `store: true`, and for the same key only.",
    )
