"""A client's protocol, as the life of a request needs it: how its bytes are read, how its answers are written.

One class per protocol; `proxy.py` runs them all alike. Anthropic Messages stands here, OpenAI's in `chat_inbound.py`
and `responses_inbound.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from landline.core.events import ResponseEnd
from landline.core.exchange import Exchange
from landline.core.fold import Answer
from landline.core.model import Conversation
from landline.core.stream import StreamEncoder
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder, encode_message
from landline.server.asgi import Send
from landline.server.calls import Call
from landline.server.line import Line
from landline.server.opening import Opening
from landline.server.understanding import understood


class AnswerEncoder(StreamEncoder, Protocol):
    """An encoder that tells how far its answer is."""

    index: int  # of the last block; -1: none yet
    spoke: bool  # whether it said more than thinking

    @property
    def thinking(self) -> bool:
        """Whether a block of thinking is open."""
        ...

    def counted(self, prompt_tokens: int) -> None:
        """The prompt's length became known before the start of the answer."""
        ...


class Form(Protocol):
    """How the answer to one request is written. Must not keep the request, unless it was asked to."""

    @property
    def holds_end(self) -> bool:
        """Whether `ending` has more to do than to write."""
        ...

    def encoder(self, exchange: Exchange, opening: Opening) -> AnswerEncoder: ...

    async def ending(self, encoder: AnswerEncoder, end: ResponseEnd, exchange: Exchange) -> bytes:
        """The end of a stream, behind all that was written."""
        ...

    async def whole(self, answer: Answer, exchange: Exchange, opening: Opening) -> bytes: ...


class Asked(NamedTuple):
    """`answered_here`: what answers it in place of the backend alone."""

    conversation: Conversation
    form: Form
    answered_here: Callable[[Call], AnsweredHere] | None = None


class AnsweredHere(Protocol):
    async def answer(self, send: Send) -> None:
        """Raises LandlineError before the first byte."""
        ...


class Verbatim:
    """The body that the backend is to get as it is; its answer leaves as it comes."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def taken(self) -> bytes:
        """The body, which is not kept: the stream may be open for long."""
        body, self._body = self._body, b""
        return body


class Inbound(Protocol):
    async def understood(self, body: bytes, exchange: Exchange, line: Line) -> Asked | Verbatim:
        """Raises LandlineError."""
        ...

    def told_in_stream(self, error: LandlineError, exchange: Exchange) -> bytes | None:
        """The stream that tells an error before the first byte, for clients that do better with it; None: HTTP does."""
        ...


class PlainForm:
    """A form that keeps nothing."""

    holds_end = False

    async def ending(self, encoder: AnswerEncoder, end: ResponseEnd, exchange: Exchange) -> bytes:
        return encoder.encode([end])


class MessagesForm(PlainForm):
    def encoder(self, exchange: Exchange, opening: Opening) -> MessagesEncoder:
        return MessagesEncoder(_head(exchange, opening))

    async def whole(self, answer: Answer, exchange: Exchange, opening: Opening) -> bytes:
        return encode_message(answer, _head(exchange, opening))


class MessagesInbound:
    """Anthropic Messages."""

    async def understood(self, body: bytes, exchange: Exchange, line: Line) -> Asked:
        return Asked(await understood(body, exchange, line), _MESSAGES)

    def told_in_stream(self, error: LandlineError, exchange: Exchange) -> bytes | None:
        return None


_MESSAGES = MessagesForm()


def _head(exchange: Exchange, opening: Opening) -> MessageHead:
    return MessageHead(
        f"msg_{exchange.id[4:]}", exchange.model_asked, opening.estimate, opening.cleared, opening.prompt_scale
    )
