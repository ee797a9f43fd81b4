"""The one place where the golden and cutting tests meet the converter under test.

The request is the same for all cases: model ASKED_MODEL, tools TOOLS, prompt of PROMPT_TOKENS tokens. Ids are fixed, so
that the same upstream bytes always give the same answer. A failure is worded as the server words it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import pairwise

from landline.core.events import Event, ResponseError
from landline.core.exchange import Notes
from landline.core.stream import Pipeline, StreamEncoder
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from landline.protocols.openai_chat_in.stream import ChatEncoder, ChatHead
from landline.protocols.openai_responses.stream import ResponseHead, ResponsesEncoder
from landline.transforms.identifiers import MintIds
from landline.transforms.usage import FillUsage
from landline.upstream.failures import Known, failed_in_stream
from tests.fakes.streams import STOP_STRINGS, TOOLS

__all__ = ["ASKED_MODEL", "PROMPT_TOKENS", "PROTOCOLS", "TOOLS", "pieces", "translate"]

ASKED_MODEL = "claude-golden-4"
PROMPT_TOKENS = 100


def pieces(upstream: bytes, cuts: Collection[int]) -> list[bytes]:
    """The bytes cut at the given offsets; offsets outside are ignored."""
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(upstream)}), len(upstream)]
    return [upstream[begin:end] for begin, end in pairwise(places)]


def _messages() -> StreamEncoder:
    return MessagesEncoder(MessageHead("msg_golden", ASKED_MODEL, PROMPT_TOKENS))


def _chat() -> StreamEncoder:
    return ChatEncoder(ChatHead("chatcmpl-golden", ASKED_MODEL, 1_790_000_000, usage=True))


def _responses() -> StreamEncoder:
    return ResponsesEncoder(ResponseHead("resp_golden", ASKED_MODEL, 1_790_000_000))


PROTOCOLS: dict[str, Callable[[], StreamEncoder]] = {"messages": _messages, "chat": _chat, "responses": _responses}


def translate(upstream: bytes, *, cuts: Collection[int] = (), protocol: str = "messages") -> bytes:
    """The gateway's stream in a client's protocol for one chat stream that arrives cut at the offsets `cuts`."""
    encoder = PROTOCOLS[protocol]()
    return b"".join(_written(encoder, events) for events in decoded(upstream, cuts=cuts) if events)


def decoded(upstream: bytes, *, cuts: Collection[int] = (), notes: Notes | None = None) -> Iterator[list[Event]]:
    """The events of each piece, and of the end of the bytes."""
    decoder = ChatStreamDecoder(notes=Notes() if notes is None else notes, stops=STOP_STRINGS)
    pipeline = Pipeline(decoder, (MintIds("golden"), FillUsage(PROMPT_TOKENS)))
    for piece in pieces(upstream, cuts):
        yield pipeline.feed(piece)
    yield pipeline.close()


def _written(encoder: StreamEncoder, events: list[Event]) -> bytes:
    data = encoder.encode(events)
    last = events[-1]
    if not isinstance(last, ResponseError):
        return data
    error = failed_in_stream(last.status, last.message, Known(0, PROMPT_TOKENS, "http://backend"), cut=last.cut)
    return data + encoder.error(error)
