"""The protocols of OpenAI's clients: chat completions and Responses."""

from __future__ import annotations

from landline.core.exchange import Exchange
from landline.core.fold import Answer
from landline.core.model import Conversation
from landline.errors import LandlineError
from landline.policy.affinity import session_name
from landline.policy.forwarding import Forwarding, goes_verbatim
from landline.protocols.openai_chat_in.request import ChatRequest, note_unknown
from landline.protocols.openai_chat_in.request import decode_request as decode_chat
from landline.protocols.openai_chat_in.request import tool_shelf as chat_shelf
from landline.protocols.openai_chat_in.stream import ChatEncoder, ChatHead, encode_completion
from landline.protocols.openai_client.tools import Toolset
from landline.protocols.openai_responses.errors import told_in_stream
from landline.protocols.openai_responses.request import ResponsesRequest
from landline.protocols.openai_responses.request import decode_request as decode_responses
from landline.protocols.openai_responses.request import tool_shelf as responses_shelf
from landline.protocols.openai_responses.stream import ResponseHead, ResponsesEncoder, encode_response
from landline.server.forwarding import with_members
from landline.server.inbound import Asked, Verbatim
from landline.server.line import Line
from landline.server.opening import Opening
from landline.server.understanding import served


class ChatForm:
    """`usage`: the stream ends with it."""

    def __init__(self, toolset: Toolset, *, usage: bool) -> None:
        self._toolset = toolset
        self._usage = usage

    def encoder(self, exchange: Exchange, opening: Opening) -> ChatEncoder:
        return ChatEncoder(self._head(exchange, opening))

    def whole(self, answer: Answer, exchange: Exchange, opening: Opening) -> bytes:
        return encode_completion(answer, self._head(exchange, opening))

    def _head(self, exchange: Exchange, opening: Opening) -> ChatHead:
        ident, created = f"chatcmpl-{exchange.id[4:]}", int(exchange.started_at)
        return ChatHead(ident, exchange.model_asked, created, self._toolset, self._usage, opening.prompt_scale)


class ChatInbound:
    """OpenAI chat completions. What needs nothing of ours is forwarded as it is."""

    def __init__(self) -> None:
        self._shelf = chat_shelf()

    async def understood(self, body: bytes, exchange: Exchange, line: Line) -> Asked | Verbatim:
        request = decode_chat(body, exchange.notes, shelf=self._shelf)
        exchange.session = exchange.session or session_name(request.session)
        conversation = await served(request.conversation, exchange, line)
        if self._goes_verbatim(request, conversation, exchange, line, size=len(body)):
            return Verbatim(_forwarded(body, request, conversation))
        note_unknown(request, exchange.notes)
        return Asked(conversation, ChatForm(request.toolset, usage=request.usage))

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
    return with_members(body, request.members, changed)


class ResponsesForm:
    def __init__(self, request: ResponsesRequest) -> None:
        self._toolset = request.toolset
        self._thinking = request.thinking
        self._sealed = request.sealed
        self._echo = request.echo

    def encoder(self, exchange: Exchange, opening: Opening) -> ResponsesEncoder:
        return ResponsesEncoder(self._head(exchange, opening.prompt_scale))

    def whole(self, answer: Answer, exchange: Exchange, opening: Opening) -> bytes:
        return encode_response(answer, self._head(exchange, opening.prompt_scale))

    def _head(self, exchange: Exchange, prompt_scale: float) -> ResponseHead:
        return _response_head(
            exchange,
            toolset=self._toolset,
            thinking=self._thinking,
            sealed=self._sealed,
            echo=self._echo,
            prompt_scale=prompt_scale,
        )


class ResponsesInbound:
    """The OpenAI Responses API."""

    def __init__(self) -> None:
        self._shelf = responses_shelf()

    async def understood(self, body: bytes, exchange: Exchange, line: Line) -> Asked:
        request = decode_responses(body, exchange.notes, shelf=self._shelf)
        exchange.session = exchange.session or session_name(request.session)
        exchange.stream = request.conversation.stream
        return Asked(await served(request.conversation, exchange, line), ResponsesForm(request))

    def told_in_stream(self, error: LandlineError, exchange: Exchange) -> bytes | None:
        if not exchange.stream or not told_in_stream(error, exchange.client):
            return None
        return ResponsesEncoder(_response_head(exchange)).error(error)


def _response_head(exchange: Exchange, **known: object) -> ResponseHead:
    ident, created = f"resp_{exchange.id[4:]}", int(exchange.started_at)
    return ResponseHead(ident, exchange.model_asked, created, **known)  # type: ignore[arg-type]
