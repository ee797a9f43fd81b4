"""Reads a chat-completions stream.

Servers differ in what they put where: usage in the last chunk, in all, or nowhere; an end mark or only the end of the
bytes; errors as chunks. A stream that ends without `finish_reason` is a failure of the backend, never a success.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from landline.core.events import BlockDelta, BlockKind, Event, ResponseEnd, ResponseError, ResponseStart
from landline.core.exchange import Notes
from landline.core.json_text import without_half_surrogates
from landline.core.model import StopReason, Usage
from landline.core.sse import Frame, FrameTooLarge, SSEDecoder
from landline.protocols.openai_chat.blocks import BlockWriter
from landline.protocols.openai_chat.calls import CallTable, CallTooLarge
from landline.protocols.openai_chat.wire import Choice, Chunk, ChunkUsage, ContentPart, Delta

_read_chunk = msgspec.json.Decoder(Chunk).decode

_TEXT, _THINKING = BlockKind.TEXT, BlockKind.THINKING  # Python 3.11 is slow at finding the members of an enumeration
CUT = "The backend's stream ended before the answer was complete."
BROKEN_CHARACTER = "\ufffd"


class ChatStreamDecoder:
    """Bytes of one streamed answer to events. `stops` are the stop strings that the client asked for."""

    def __init__(self, *, notes: Notes, stops: tuple[str, ...] = ()) -> None:
        self.over = False
        self._notes = notes
        self._stops = stops
        self._sse = SSEDecoder()
        self._blocks = BlockWriter(notes)
        self._calls = CallTable()
        self._started = False
        self._finish: str | None = None
        self._stop: str | None = None
        self._usage: Usage | None = None
        self._deltas = 0  # counts output when the backend reports no usage
        self._broken = 0  # characters that came as U+FFFD

    @property
    def lost_call(self) -> bool:
        """Whether the answer ended for a tool call that was not in it: the backend's parser swallowed it."""
        return self._finish == "tool_calls" and not self._calls.named

    def feed(self, data: bytes) -> list[Event]:
        if self.over:
            return []
        only = self._sse.only(data)
        chunk = None if only is None else _read(only)
        if chunk is not None and (words := self._words(chunk)) is not None:
            return [words]  # nearly always
        try:
            if only is None:
                self._frames(self._sse.feed(data))
            elif chunk is None:
                self._frame(Frame(b"", only))
            else:
                self._other(chunk)
        except (FrameTooLarge, CallTooLarge) as error:
            self._fail(ResponseError(f"The backend sent {error}."))
        return self._take()

    def close(self) -> list[Event]:
        if self.over:
            return []
        try:
            self._frames(self._sse.close())
        except CallTooLarge as error:
            self._fail(ResponseError(f"The backend sent {error}."))
        if not self.over:
            self._end_mark()
        return self._take()

    def _frames(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self.over:
                break
            self._frame(frame)

    def _take(self) -> list[Event]:
        out, self._blocks.out = self._blocks.out, []
        return out

    def _words(self, chunk: Chunk) -> BlockDelta | None:
        """What the chunk says, where that is nothing but words of the open block."""
        if self._finish is not None or chunk.error is not None or chunk.object == "error" or not chunk.choices:
            return None
        choice = chunk.choices[0]
        delta = choice.delta
        if delta is None or delta.tool_calls or choice.finish_reason:
            return None
        thought, text = delta.reasoning or delta.reasoning_content, delta.content
        if thought:
            words = None if text else self._blocks.more(_THINKING, thought)
        elif text and isinstance(text, str) and BROKEN_CHARACTER not in text:
            words = self._blocks.more(_TEXT, text)
        else:
            return None
        if words is not None:
            self._deltas += 1
            if chunk.usage is not None:
                self._usage = _usage(chunk.usage, self._usage or Usage())
        return words

    def _frame(self, frame: Frame) -> None:
        data = frame.data
        if data == b"[DONE]":
            self._end_mark()
            return
        if frame.event == b"ping" or not data:
            return
        chunk = _read(data) or _read_tolerant(data, self._notes)
        if chunk is None:
            self._fail(ResponseError("The backend sent something that is not a chat-completions chunk."))
        elif frame.event == b"error":
            self._fail(_told_error(chunk))
        else:
            self._piece(chunk)

    def _piece(self, chunk: Chunk) -> None:
        if (words := self._words(chunk)) is not None:
            self._blocks.out.append(words)
        else:
            self._other(chunk)

    def _other(self, chunk: Chunk) -> None:
        if chunk.error is not None or chunk.object == "error":
            self._fail(_told_error(chunk))
        else:
            self._chunk(chunk)

    def _chunk(self, chunk: Chunk) -> None:
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage, self._usage or Usage())
        if not self._started:
            self._started = True
            self._blocks.out.append(ResponseStart(self._usage))
        if chunk.choices:
            self._choice(chunk.choices[0])
        elif chunk.usage is not None and self._finish is not None:
            self._end()  # the usage chunk is the last: a connection that stays open behind it owes nothing

    def _choice(self, choice: Choice) -> None:
        delta = choice.delta
        if delta is not None:
            if self._finish is None:
                self._delta(delta)
            elif delta.content or delta.tool_calls or delta.reasoning or delta.reasoning_content:
                self._notes.drop("output behind the end of the answer")
        if choice.finish_reason and self._finish is None:  # some servers write "" until the end
            self._finish = choice.finish_reason
            if isinstance(choice.stop_reason, str) and choice.stop_reason in self._stops:
                self._stop = choice.stop_reason

    def _delta(self, delta: Delta) -> None:
        self._deltas += 1
        thought = delta.reasoning or delta.reasoning_content
        if thought:
            self._blocks.text(BlockKind.THINKING, thought)
        content = delta.content
        if isinstance(content, str):
            if content:
                self._blocks.text(BlockKind.TEXT, content)
                if BROKEN_CHARACTER in content:
                    self._count_broken(content)
        elif content:
            self._parts(content)
        if delta.tool_calls:
            for call in delta.tool_calls:
                known, piece = self._calls.take(call)
                self._blocks.call(known, piece)
                if BROKEN_CHARACTER in piece:
                    self._count_broken(piece)

    def _count_broken(self, text: str) -> None:
        self._broken += text.count(BROKEN_CHARACTER)

    def _parts(self, parts: list[ContentPart]) -> None:
        """Content that came as a list."""
        self._notes.repaired("content as a list of parts read as text")
        for part in parts:
            if thought := _thought(part.thinking):
                self._blocks.text(BlockKind.THINKING, thought)
            elif part.text:
                self._blocks.text(BlockKind.TEXT, part.text)
                self._count_broken(part.text)
            elif part.text is None:
                self._notes.drop("a part of the answer that is not text")

    def _end_mark(self) -> None:
        if self._finish is None:
            self._fail(ResponseError(CUT, cut=True))
        else:
            self._end()

    def _end(self) -> None:
        if self._finish in ("error", "abort"):
            self._fail(ResponseError(f"The backend ended the answer with finish_reason {self._finish}."))
            return
        self._tell_broken()
        self._blocks.finish()
        self.over = True
        usage = self._usage or Usage(output=self._deltas, exact=False)
        reason = self._stop_reason()
        stop = self._stop if reason is StopReason.STOP_SEQUENCE else None
        self._blocks.out.append(ResponseEnd(reason, usage, stop))

    def _stop_reason(self) -> StopReason:
        """What was sent counts more than what the backend calls it: a call that left is a tool use."""
        finish = self._finish
        if finish == "length":
            return StopReason.MAX_TOKENS
        if self._calls.named and self._calls.broken_off:
            # vLLM 0.32.0 says tool_calls when the model stops in a call. Half a call must not be run: told that it was
            # cut, a client lets the model go on.
            self._notes.repaired(f"finish_reason {finish} behind half a tool call read as max_tokens")
            return StopReason.MAX_TOKENS
        if self._calls.named:
            if finish != "tool_calls":
                self._notes.repaired(f"finish_reason {finish} with tool calls read as tool_use")
            return StopReason.TOOL_USE
        if finish != "stop":
            self._notes.repaired(f"finish_reason {finish} without tool calls read as end_turn")
        return StopReason.STOP_SEQUENCE if self._stop is not None else StopReason.END_TURN

    def _fail(self, error: ResponseError) -> None:
        self._tell_broken()
        self.over = True
        self._blocks.out.append(error)

    def _tell_broken(self) -> None:
        """Once per answer. The characters are lost: servers that turn each token into text of its own cut those that
        take several tokens (seen with byte-fallback tokenizers)."""
        if self._broken:
            self._notes.alert(
                f"{self._broken} characters of the answer came as U+FFFD: if the model did not write them, "
                "the backend cuts characters when it turns tokens into text; update it"
            )


def _read(data: bytes) -> Chunk | None:
    """None: it is no chunk, or has broken characters."""
    try:
        return _read_chunk(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _read_tolerant(data: bytes, notes: Notes) -> Chunk | None:
    """A chunk with broken characters (half a surrogate pair, bytes that are not UTF-8), with U+FFFD in their place."""
    whole = without_half_surrogates(data.decode("utf-8", "replace").encode())
    chunk = _read(whole)
    if chunk is None:
        return None
    notes.repaired("broken characters of the backend replaced by U+FFFD")
    return chunk


def _thought(told: object) -> str:
    """The thinking of one part: text, or parts of its own."""
    if isinstance(told, str):
        return told
    parts = cast("list[object]", told) if isinstance(told, list) else []
    texts = [cast("dict[str, object]", part).get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _told_error(chunk: Chunk) -> ResponseError:
    told: object = chunk.error
    if not isinstance(told, dict):
        return ResponseError(str(told or chunk.message or "error"))
    error = cast("dict[str, Any]", told)
    code = error.get("code")
    return ResponseError(str(error.get("message") or error), code if isinstance(code, int) else 0)


def _usage(told: ChunkUsage, known: Usage) -> Usage:
    """Continuous usage leaves out the details until the last chunk, so what was known stays known."""
    prompt, completion = told.prompt_tokens_details, told.completion_tokens_details
    cached = prompt.cached_tokens if prompt else None
    reasoning = completion.reasoning_tokens if completion else None
    return Usage(
        prompt=_told(told.prompt_tokens, known.prompt),
        cached=_told(cached, known.cached),
        cached_told=cached is not None or known.cached_told,
        output=_told(told.completion_tokens, known.output),
        reasoning=_told(reasoning, known.reasoning),
    )


def _told(count: int | None, known: int) -> int:
    """A count of the backend's; one below zero stands for unknown."""
    return known if count is None or count < 0 else count
