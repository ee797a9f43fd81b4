"""Writes an answer as a Messages stream, or as one Messages object."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from landline.core.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Event,
    ResponseEnd,
    ResponseStart,
)
from landline.core.fold import Answer
from landline.core.model import Block, Cleared, Text, Thinking, ToolUse, Usage
from landline.core.sse import frame
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.context_management import applied_edits

# Stands where a vendor's signature would; clients send it back unchanged.
SIGNATURE = "landline"

_write = msgspec.json.encode

_DELTA = (
    (b"text_delta", b"text"),
    (b"thinking_delta", b"thinking"),
    (b"input_json_delta", b"partial_json"),
)


class MessageHead(Struct, frozen=True, gc=False):
    """What the start of a message says: ids are passed in, so that a recorded stream replays byte for byte."""

    id: str
    model: str  # as the client asked for it
    prompt_estimate: int  # tokens, for a backend that does not tell at the start
    cleared: tuple[Cleared, ...] = ()  # out of the history, on the client's wish
    prompt_scale: float = 1.0  # of the prompt's tokens as they are told: for clients that assume a larger window


class MessagesEncoder:
    """Events to Server-sent events. One per answer."""

    def __init__(self, head: MessageHead) -> None:
        self._head = head
        self._prompt = head.prompt_estimate
        self._started = False
        self._kind: BlockKind | None = None  # of the open block
        self._delta = (b"", b"")  # what stands around the text of a delta of the open block
        self._fed = False  # whether the open block has had a delta
        self.index = -1  # of the last block
        self.spoke = False  # whether it said more than thinking

    def encode(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is BlockDelta:
                before, after = self._delta
                out.append(before + _write(event.text) + after)  # type: ignore[union-attr]
                self._fed = True
            elif kind is BlockStart:
                self._start_block(event, out)  # type: ignore[arg-type]
            elif kind is BlockStop:
                self._stop_block(event.index, out)  # type: ignore[union-attr]
            elif kind is ResponseStart:
                self._start(event.usage, out)  # type: ignore[union-attr]
            elif kind is ResponseEnd:
                self._end(event, out)  # type: ignore[arg-type]
        return b"".join(out)

    @property
    def thinking(self) -> bool:
        """Whether a block of thinking is open."""
        return self._kind is BlockKind.THINKING

    def counted(self, prompt_tokens: int) -> None:
        """The prompt's length became known before the start of the message."""
        self._prompt = prompt_tokens

    def heartbeat(self) -> bytes:
        """`ping` is not counted as activity by every client, an empty thinking delta or message_delta is.

        Measured on Claude Code 2.1.197 and 2.1.329; neither leaves a trace in the conversation.
        """
        out: list[bytes] = []
        if not self._started:
            self._start(None, out)
        elif self._kind is BlockKind.THINKING:
            before, after = self._delta
            out.append(before + b'""' + after)
        else:
            delta = b'"delta":{"stop_reason":null,"stop_sequence":null},"usage":{"output_tokens":0}'
            out.append(frame(b"message_delta", b'{"type":"message_delta",%b}' % delta))
        return b"".join(out)

    def error(self, error: LandlineError) -> bytes:
        body = {"type": "error", "error": {"type": error.wire.anthropic_type, "message": error.for_client}}
        return frame(b"error", _write(body))

    def _start(self, usage: Usage | None, out: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        head = self._head
        message: dict[str, object] = {
            "id": head.id,
            "type": "message",
            "role": "assistant",
            "model": head.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(usage or Usage(prompt=self._prompt), head.prompt_scale, started=True),
        }
        out.append(frame(b"message_start", _write({"type": "message_start", "message": message})))

    def _start_block(self, event: BlockStart, out: list[bytes]) -> None:
        match event.kind:
            case BlockKind.TEXT:
                block: dict[str, object] = {"type": "text", "text": ""}
            case BlockKind.THINKING:
                block = {"type": "thinking", "thinking": "", "signature": ""}
            case BlockKind.TOOL_USE:
                block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        name, field = _DELTA[event.kind]
        self._kind, self._fed, self.index = event.kind, False, event.index
        self.spoke = self.spoke or event.kind is not BlockKind.THINKING
        self._delta = (
            b"event: content_block_delta\ndata: "
            b'{"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":' % (event.index, name, field),
            b"}}\n\n",
        )
        start = {"type": "content_block_start", "index": event.index, "content_block": block}
        out.append(frame(b"content_block_start", _write(start)))

    def _stop_block(self, index: int, out: list[bytes]) -> None:
        before, after = self._delta
        if self._kind is BlockKind.TOOL_USE and not self._fed:
            out.append(before + b'"{}"' + after)  # clients read the input from deltas only
        elif self._kind is BlockKind.THINKING:
            signature = {"type": "signature_delta", "signature": SIGNATURE}
            delta = {"type": "content_block_delta", "index": index, "delta": signature}
            out.append(frame(b"content_block_delta", _write(delta)))
        out.append(frame(b"content_block_stop", b'{"type":"content_block_stop","index":%d}' % index))
        self._kind = None

    def _end(self, event: ResponseEnd, out: list[bytes]) -> None:
        delta = {"stop_reason": event.stop_reason.value, "stop_sequence": event.stop_sequence}
        body = {"type": "message_delta", "delta": delta, "usage": usage_object(event.usage, self._head.prompt_scale)}
        if self._head.cleared:
            body["context_management"] = applied_edits(self._head.cleared)
        out.append(frame(b"message_delta", _write(body)))
        out.append(frame(b"message_stop", b'{"type":"message_stop"}'))


def usage_object(usage: Usage, prompt_scale: float = 1.0, *, started: bool = False) -> dict[str, object]:
    """Usage as Anthropic counts it: `input_tokens` leaves out what was read from the cache."""
    fresh, cached = usage.fresh, usage.cached
    if prompt_scale != 1.0:
        fresh, cached = round(fresh * prompt_scale), round(cached * prompt_scale)
    told: dict[str, object] = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 1 if started else usage.output,
        "service_tier": "standard",
    }
    if usage.searches is not None:
        told["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
    return told


def encode_message(answer: Answer, head: MessageHead) -> bytes:
    """The whole answer as one Messages object: what the stream of the same answer adds up to."""
    return whole_message(encode_content(answer.blocks), answer, head)


def encode_content(blocks: tuple[Block, ...]) -> list[dict[str, Any]]:
    """Blocks of an answer as they stand in a Messages object."""
    content: list[dict[str, Any]] = []
    for block in blocks:
        match block:
            case Text():
                content.append({"type": "text", "text": block.text})
            case Thinking():
                content.append({"type": "thinking", "thinking": block.text, "signature": SIGNATURE})
            case ToolUse():
                call = {"type": "tool_use", "id": block.id, "name": block.name}
                content.append({**call, "input": _input(block.arguments)})
            case _:
                pass
    return content


def whole_message(content: list[dict[str, Any]], answer: Answer, head: MessageHead) -> bytes:
    """A Messages object with this content; the blocks of `answer` are not looked at."""
    message: dict[str, object] = {
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": content,
        "stop_reason": answer.stop_reason.value,
        "stop_sequence": answer.stop_sequence,
        "usage": usage_object(answer.usage, head.prompt_scale),
    }
    if head.cleared:
        message["context_management"] = applied_edits(head.cleared)
    return _write(message)


def _input(arguments: str) -> Raw | dict[str, object]:
    """Arguments as a JSON object; what does not parse is handed over as the client itself would write it."""
    text = arguments.strip() or "{}"
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"__unparsedToolInput": {"raw": arguments, "len": len(arguments)}}
    return Raw(text.encode())
