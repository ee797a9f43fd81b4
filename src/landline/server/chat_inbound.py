"""OpenAI chat completions, as clients speak them."""

from __future__ import annotations

import secrets

from landline.core.exchange import Exchange
from landline.core.fold import Answer
from landline.core.model import Conversation
from landline.errors import LandlineError
from landline.policy.forwarding import Forwarding, goes_verbatim
from landline.policy.identity import session_name
from landline.protocols.openai_chat_in.known import Known
from landline.protocols.openai_chat_in.request import ChatRequest, note_unknown, written_as_responses
from landline.protocols.openai_chat_in.request import decode_request as decode_chat
from landline.protocols.openai_chat_in.stream import ChatEncoder, ChatHead, encode_completion
from landline.protocols.openai_client.reading import members_of
from landline.protocols.openai_client.tools import Toolset
from landline.protocols.openai_responses.request import decode_request as decode_responses
from landline.protocols.openai_responses.request import tool_shelf as responses_shelf
from landline.server.forwarding import with_members
from landline.server.inbound import Asked, PlainForm, Verbatim
from landline.server.line import Line
from landline.server.opening import Opening
from landline.server.understanding import served


class ChatForm(PlainForm):
    """`usage`: the stream ends with it."""

    def __init__(self, toolset: Toolset, *, usage: bool) -> None:
        self._toolset = toolset
        self._usage = usage

    def encoder(self, exchange: Exchange, opening: Opening) -> ChatEncoder:
        return ChatEncoder(self._head(exchange, opening))

    async def whole(self, answer: Answer, exchange: Exchange, opening: Opening) -> bytes:
        return encode_completion(answer, self._head(exchange, opening))

    def _head(self, exchange: Exchange, opening: Opening) -> ChatHead:
        ident, created = f"chatcmpl-{exchange.id[4:]}", int(exchange.started_at)
        return ChatHead(ident, exchange.model_asked, created, self._toolset, self._usage, opening.prompt_scale)


class ChatInbound:
    """OpenAI chat completions. What needs nothing of ours is forwarded as it is."""

    def __init__(self) -> None:
        self._known = Known(secret=secrets.token_hex(16))
        self._responses_shelf = responses_shelf()

    async def understood(self, body: bytes, exchange: Exchange, line: Line) -> Asked | Verbatim:
        try:
            request = decode_chat(body, exchange.notes, known=self._known)
        except LandlineError:
            if not written_as_responses(body):
                raise
            return await self._understood_as_responses(body, exchange, line)
        exchange.session = exchange.session or session_name(request.session)
        conversation = await served(request.conversation, exchange, line)
        if self._goes_verbatim(request, conversation, exchange, line, size=len(body)):
            return Verbatim(_forwarded(body, request, conversation))
        note_unknown(request, exchange.notes)
        return Asked(conversation, ChatForm(request.toolset, usage=request.usage))

    async def _understood_as_responses(self, body: bytes, exchange: Exchange, line: Line) -> Asked:
        """Cursor sends requests of the Responses API here, and wants chat completions as the answer."""
        request = decode_responses(body, exchange.notes, shelf=self._responses_shelf)
        exchange.notes.repaired("a request of the Responses API on the path of chat completions")
        exchange.session = exchange.session or session_name(request.session)
        conversation = await served(request.conversation, exchange, line)
        return Asked(conversation, ChatForm(request.toolset, usage=True))

    def told_in_stream(self, error: LandlineError, exchange: Exchange) -> bytes | None:
        return None

    def _goes_verbatim(
        self, request: ChatRequest, conversation: Conversation, exchange: Exchange, line: Line, *, size: int
    ) -> bool:
        known = line.backend_for(exchange).known(conversation.model)
        own = Forwarding(
            size=size,
            window=known.window,
            changed=bool(exchange.cache_salt) or bool(line.settings.models.reported_window),
        )
        return goes_verbatim(request, known.dialect, own)


def _forwarded(body: bytes, request: ChatRequest, conversation: Conversation) -> bytes:
    """The body as it came, but for the name of the model and the sampling of the settings."""
    asked, sent = request.conversation, conversation
    changed: dict[str, object] = {}
    if sent.model != asked.model:
        changed["model"] = sent.model
    for name in ("temperature", "top_p", "top_k"):
        value: object = getattr(sent.sampling, name)
        if value is not None and value != getattr(asked.sampling, name):
            changed[name] = value
    return with_members(body, members_of(body), changed) if changed else body
