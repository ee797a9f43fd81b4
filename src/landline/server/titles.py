"""Answers the call for a conversation's title without a model, where `models.local_titles` says so."""

from __future__ import annotations

import msgspec

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, ResponseEnd, ResponseStart
from landline.core.exchange import Outcome
from landline.core.fold import Answer
from landline.core.model import Conversation, StopReason, Text, Usage
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder, encode_message
from landline.protocols.anthropic_messages.titles import title_of
from landline.server.answer import stream_headers, whole_headers
from landline.server.asgi import Send, send_whole
from landline.server.calls import Call
from landline.server.line import Line

NOTE = "title made of the user's words, no model asked: models.local_titles"


class TitleCall:
    """One such call. `answer` sends it, streamed or whole."""

    def __init__(self, conversation: Conversation, call: Call, line: Line) -> None:
        size = sum(len(block.text) for block in conversation.messages[0].blocks if isinstance(block, Text))
        self._prompt = line.backend.estimate_tokens(size)  # clients expect a number; the record says that none was used
        self._text = msgspec.json.encode({"title": title_of(conversation)}).decode()
        self._call = call
        call.exchange.side = True
        call.exchange.notes.repaired(NOTE)

    async def answer(self, send: Send) -> None:
        exchange, usage = self._call.exchange, Usage(prompt=self._prompt, exact=False)
        head = MessageHead(f"msg_{exchange.id[4:]}", exchange.model_asked, self._prompt)
        if exchange.stream:
            end = ResponseEnd(StopReason.END_TURN, usage)
            block = [BlockStart(0, BlockKind.TEXT), BlockDelta(0, self._text), BlockStop(0)]
            body = MessagesEncoder(head).encode([ResponseStart(usage), *block, end])
            headers = stream_headers(exchange)
        else:
            body = encode_message(Answer((Text(self._text),), StopReason.END_TURN, None, usage), head)
            headers = whole_headers(exchange)
        exchange.outcome = Outcome.COMPLETED
        self._call.first_event()
        await send_whole(send, 200, body, headers)
