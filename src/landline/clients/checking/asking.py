"""Asks a gateway as clients do: streamed Anthropic Messages, each answer folded to what a client would have of it.

Knows no probe. What answers may be anything: it is read tolerantly, and what cannot be read is the answer's `problem`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from landline.core.sse import FrameTooLarge, SSEDecoder
from landline.errors import ErrorKind, LandlineError, without_pointer
from landline.upstream.client import UpstreamClient

ROOM = 768  # tokens for an answer, when a probe does not say
ROOM_TO_THINK = 6_144  # once more, for a model that spent the first room on thinking
ROOM_USED = 0.9  # of the room that was asked; an answer that ends with less did not end for want of room
LARGEST_ANSWER = 8 * 1024 * 1024  # bytes
CONNECT_S = 5.0
SYSTEM = "You are a careful programmer's assistant. Use the tools that you are given where they are needed."

Fields = Mapping[str, Any]


class Call(Struct, frozen=True):
    """`value` is None where the arguments are no JSON object."""

    id: str
    name: str
    arguments: str
    value: dict[str, Any] | None


class Answer(Struct, frozen=True, kw_only=True):
    """`problem` is what an error said, else empty. Times in seconds since the request; tokens 0: not told.

    `room` are the tokens that were asked for; `content` are the blocks as a client sends them back.
    """

    text: str = ""
    thinking: str = ""
    calls: tuple[Call, ...] = ()
    stop_reason: str = ""
    stop_sequence: str = ""
    prompt: int = 0
    cached: int = 0
    output: int = 0
    problem: str = ""
    room: int = 0
    first_s: float = 0.0
    total_s: float = 0.0
    content: tuple[dict[str, Any], ...] = ()

    @property
    def ran_out(self) -> bool:
        """Whether the room ended it. An answer that was cut earlier was cut by the server, whatever its reason says."""
        return self.stop_reason == "max_tokens" and not 0 < self.output < ROOM_USED * self.room


class Count(Struct, frozen=True):
    """Tokens of a prompt; `exact` when the backend's own tokenizer counted."""

    tokens: int
    exact: bool


class _Piece(Struct, frozen=True):
    """A content block at its start, or a delta of one, or of the message."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Usage(Struct, frozen=True):
    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens: int | None = None


class _Message(Struct, frozen=True):
    usage: _Usage | None = None


class _Error(Struct, frozen=True):
    message: str = ""


class _Event(Struct, frozen=True):
    type: str = ""
    message: _Message | None = None
    content_block: _Piece | None = None
    delta: _Piece | None = None
    usage: _Usage | None = None
    error: _Error | None = None


class _Refusal(Struct, frozen=True):
    error: _Error


class _Block:
    """One block as it grows."""

    def __init__(self, start: _Piece) -> None:
        self.type, self.id, self.name = start.type, start.id or "", start.name or ""
        self.pieces = [start.text or start.thinking or ""]
        self.signature = start.signature or ""

    def add(self, delta: _Piece) -> None:
        self.pieces.append(delta.text or delta.thinking or delta.partial_json or "")
        self.signature = delta.signature or self.signature

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def call(self) -> Call:
        return Call(self.id, self.name, self.text, json_object(self.text or "{}"))

    def sent_back(self) -> dict[str, Any] | None:
        match self.type:
            case "text":
                return {"type": "text", "text": self.text} if self.text else None
            case "thinking":
                return {"type": "thinking", "thinking": self.text, "signature": self.signature}
            case "tool_use":
                value = json_object(self.text or "{}") or {}
                return {"type": "tool_use", "id": self.id, "name": self.name, "input": value}
            case _:
                return None


class _Fold:
    """Events to an Answer."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._decoder = SSEDecoder()
        self._blocks: list[_Block] = []
        self._usage: dict[str, int] = {}
        self._size = 0
        self.first_s = 0.0
        self.stop_reason = self.stop_sequence = self.problem = ""
        self.ended = False

    def feed(self, piece: bytes) -> bool:
        self._size += len(piece)
        try:
            for frame in self._decoder.feed(piece):
                self._take(msgspec.json.decode(frame.data, type=_Event))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FrameTooLarge):
            self.problem = "What answers does not speak Anthropic Messages."
        if self._size > LARGEST_ANSWER:
            self.problem = "The answer does not end."
        return bool(self.problem) or self.ended

    def _take(self, event: _Event) -> None:
        match event.type:
            case "message_start" if event.message and event.message.usage:
                self._count(event.message.usage)
            case "content_block_start" if event.content_block:
                self._blocks.append(_Block(event.content_block))
            case "content_block_delta" if event.delta and self._blocks:
                self.first_s = self.first_s or time.monotonic() - self._began
                self._blocks[-1].add(event.delta)
            case "message_delta":
                delta = event.delta or _Piece()
                self.stop_reason = delta.stop_reason or self.stop_reason
                self.stop_sequence = delta.stop_sequence or self.stop_sequence
                self._count(event.usage or _Usage())
            case "message_stop":
                self.ended = True
            case "error":
                self.problem = event.error.message if event.error else "an error without words"
            case _:
                pass

    def _count(self, usage: _Usage) -> None:
        """Later numbers correct earlier ones."""
        told: dict[str, int | None] = msgspec.structs.asdict(usage)
        self._usage |= {name: number for name, number in told.items() if number is not None}

    def answer(self, room: int) -> Answer:
        used = self._usage
        problem = self.problem or ("" if self.ended else "The answer broke off.")
        cached = used.get("cache_read_input_tokens", 0)
        return Answer(
            text=self._joined("text"),
            thinking=self._joined("thinking"),
            calls=tuple(block.call() for block in self._blocks if block.type == "tool_use"),
            stop_reason=self.stop_reason,
            stop_sequence=self.stop_sequence,
            prompt=used.get("input_tokens", 0) + cached + used.get("cache_creation_input_tokens", 0),
            cached=cached,
            output=used.get("output_tokens", 0),
            problem=problem,
            room=room,
            first_s=self.first_s,
            total_s=time.monotonic() - self._began,
            content=tuple(filter(None, (block.sent_back() for block in self._blocks))),
        )

    def _joined(self, kind: str) -> str:
        return "".join(block.text for block in self._blocks if block.type == kind)


class Asker:
    """One model through one gateway. `output` adds up what its answers had in tokens."""

    def __init__(self, base_url: str, *, token: str, model: str, silence_s: float) -> None:
        self._url = base_url
        self._model = model
        self._headers = {
            "authorization": f"Bearer {token}",
            "anthropic-version": "2023-06-01",
            "user-agent": "landline-check",
        }
        self._client = UpstreamClient(connect_timeout_s=CONNECT_S, idle_timeout_s=silence_s)
        self.output = 0

    def close(self) -> None:
        self._client.close()

    async def ask(self, messages: Sequence[Fields] | str, *, room: int = ROOM, **fields: Any) -> Answer:
        """One answer. A model that spent the room on thinking is asked once more, with room to think."""
        answer = await self.ask_once(messages, room=room, **fields)
        if answer.ran_out and answer.thinking and room < ROOM_TO_THINK:
            return await self.ask_once(messages, room=ROOM_TO_THINK, **fields)
        return answer

    async def ask_once(self, messages: Sequence[Fields] | str, *, room: int, **fields: Any) -> Answer:
        body = self._body(messages, fields) | {"max_tokens": room, "stream": True}
        fold = _Fold(time.monotonic())
        try:
            async with await self._client.post(
                f"{self._url}/v1/messages", msgspec.json.encode(body), self._headers
            ) as answer:
                if answer.status == 200:
                    await answer.pour(fold.feed)
                    await answer.finish()
                else:
                    fold.problem = refusal_text(answer.status, await answer.body())
        except LandlineError as error:
            fold.problem = error.text
        folded = fold.answer(room)
        self.output += folded.output
        return folded

    async def count(self, messages: Sequence[Fields] | str, **fields: Any) -> Count:
        """Raises LandlineError where the gateway does not count."""
        body = msgspec.json.encode(self._body(messages, fields))
        url = f"{self._url}/v1/messages/count_tokens"
        async with await self._client.post(url, body, self._headers) as answer:
            said = await answer.body()
            exact = answer.headers.get("landline-token-count", "") == "exact"
            tokens = (json_object(said) or {}).get("input_tokens") if answer.status == 200 else None
        if not isinstance(tokens, int) or tokens <= 0:
            raise LandlineError(ErrorKind.BAD_BACKEND, "The gateway does not count tokens.")
        return Count(tokens, exact)

    def _body(self, messages: Sequence[Fields] | str, fields: Fields) -> dict[str, Any]:
        asked = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        return {"model": self._model, "system": SYSTEM, "messages": asked} | dict(fields)


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The object that a text is, or None."""
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def refusal_text(status: int, body: bytes) -> str:
    """What an error said, or its status."""
    try:
        return without_pointer(msgspec.json.decode(body, type=_Refusal).error.message) or f"HTTP {status}"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return f"HTTP {status}"
