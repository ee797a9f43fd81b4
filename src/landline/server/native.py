"""Requests for a backend that speaks Anthropic Messages itself: forwarded as they are, answered as they come.

Only the key is the gateway's own, and a model's name is changed only where the settings map it.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw

from landline.errors import ErrorKind, LandlineError
from landline.policy.identity import session_of_metadata
from landline.policy.routing import Names, route
from landline.protocols.anthropic_messages.request import LONGEST_NAME
from landline.server.asgi import Receive, Scope, Send
from landline.server.calls import Call
from landline.server.forwarding import forward, with_members
from landline.server.line import Line

_members = msgspec.json.Decoder(dict[str, Raw])


class NativeProxy:
    """ASGI endpoint for /v1/messages and /v1/messages/count_tokens."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with Call(self._line, scope, send) as call:
            await forward(await self._body(receive, call), scope, call, self._line)

    async def _body(self, receive: Receive, call: Call) -> bytes:
        body = await call.body(receive)
        await self._line.know()
        return self._mapped(body, call)

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
        return with_members(body, members, {} if chosen == asked else {"model": chosen})
