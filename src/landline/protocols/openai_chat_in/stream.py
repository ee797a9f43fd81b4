"""Writes an answer as a stream of chat chunks, or as one chat completion."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

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
from landline.core.model import StopReason, Text, Thinking, ToolUse, Usage
from landline.errors import LandlineError
from landline.protocols.openai_client.errors import error_object
from landline.protocols.openai_client.tools import Toolset, custom_input

_write = msgspec.json.encode

_FINISH = {
    StopReason.END_TURN: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.TOOL_USE: "tool_calls",
}
_FIELDS = {BlockKind.TEXT: b'"content":', BlockKind.THINKING: b'"reasoning_content":'}
_BEHIND = b'},"finish_reason":null}]}\n\n'


class ChatHead(Struct, frozen=True, gc=False):
    """What is known before the answer: ids and times are passed in, so that a recorded stream replays byte for byte."""

    id: str
    model: str  # as the client asked for it
    created: int  # seconds since the epoch
    toolset: Toolset = Toolset()
    usage: bool = False  # the stream ends with the usage
    prompt_scale: float = 1.0  # of the prompt's tokens as they are told


class ChatEncoder:
    """Events to Server-sent events. One per answer."""

    def __init__(self, head: ChatHead) -> None:
        self._head = head
        told = {"id": head.id, "object": "chat.completion.chunk", "created": head.created, "model": head.model}
        self._chunk = b"data: " + _write(told)[:-1] + b',"choices":['
        self._delta = self._chunk + b'{"index":0,"delta":{'
        self._around = (b"", b"")  # what stands around the text of a delta of the open block
        self._started = False
        self._open: BlockStart | None = None
        self._held: list[str] | None = None  # of a custom tool's call: its text is known at its end
        self._fed = False  # whether the open block has had a delta
        self._calls = 0
        self.index = -1  # of the last block
        self.spoke = False  # whether it said more than thinking

    def encode(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is BlockDelta:
                self._fed = True
                if self._held is None:
                    before, after = self._around
                    out.append(before + _write(event.text) + after)  # type: ignore[union-attr]
                else:
                    self._held.append(event.text)  # type: ignore[union-attr]
            elif kind is BlockStart:
                self._start_block(event, out)  # type: ignore[arg-type]
            elif kind is BlockStop:
                self._stop_block(out)
            elif kind is ResponseStart:
                self._start(out)
            elif kind is ResponseEnd:
                self._end(event, out)  # type: ignore[arg-type]
        return b"".join(out)

    @property
    def thinking(self) -> bool:
        """Whether a block of thinking is open."""
        return self._open is not None and self._open.kind is BlockKind.THINKING

    def counted(self, prompt_tokens: int) -> None:
        """The start of a stream says nothing of the prompt's length."""

    def heartbeat(self) -> bytes:
        """A chunk that says nothing: clients count chunks as activity, not comments."""
        out: list[bytes] = []
        if self._started:
            out.append(self._delta + _BEHIND)
        else:
            self._start(out)
        return b"".join(out)

    def error(self, error: LandlineError) -> bytes:
        """The stream ends here: behind an end mark it would look whole."""
        return b"data: " + _write({"error": error_object(error)}) + b"\n\n"

    def _start(self, out: list[bytes]) -> None:
        if not self._started:
            self._started = True
            out.append(self._delta + b'"role":"assistant","content":""' + _BEHIND)

    def _start_block(self, event: BlockStart, out: list[bytes]) -> None:
        self._open, self._fed, self._held, self.index = event, False, None, event.index
        self.spoke = self.spoke or event.kind is not BlockKind.THINKING
        if event.kind is not BlockKind.TOOL_USE:
            self._around = (self._delta + _FIELDS[event.kind], _BEHIND)
        elif self._head.toolset.custom(event.name):
            self._held = []
        else:
            called = {"name": event.name, "arguments": ""}
            call = {"index": self._calls, "id": event.id, "type": "function", "function": called}
            out.append(self._delta + b'"tool_calls":[' + _write(call) + b"]" + _BEHIND)
            before = b'"tool_calls":[{"index":%d,"function":{"arguments":' % self._calls
            self._around = (self._delta + before, b"}}]" + _BEHIND)

    def _stop_block(self, out: list[bytes]) -> None:
        block, held = self._open, self._held
        assert block is not None
        self._open = None
        if block.kind is not BlockKind.TOOL_USE:
            return
        if held is not None:
            call = {"index": self._calls, **_custom(block.id, block.name, "".join(held))}
            out.append(self._delta + b'"tool_calls":[' + _write(call) + b"]" + _BEHIND)
        elif not self._fed:
            before, after = self._around
            out.append(before + b'"{}"' + after)
        self._calls += 1

    def _end(self, event: ResponseEnd, out: list[bytes]) -> None:
        finish = _FINISH[event.stop_reason].encode()
        out.append(self._chunk + b'{"index":0,"delta":{},"finish_reason":"%b"}]}\n\n' % finish)
        if self._head.usage:
            usage = _write(usage_object(event.usage, self._head.prompt_scale))
            out.append(self._chunk + b'],"usage":' + usage + b"}\n\n")
        out.append(b"data: [DONE]\n\n")


def encode_completion(answer: Answer, head: ChatHead) -> bytes:
    """The whole answer as one chat completion: what the stream of the same answer adds up to."""
    text = "".join([block.text for block in answer.blocks if isinstance(block, Text)])
    thought = "".join([block.text for block in answer.blocks if isinstance(block, Thinking)])
    calls = [_call(block, head.toolset) for block in answer.blocks if isinstance(block, ToolUse)]
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[answer.stop_reason]}
    return _write(
        {
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": head.model,
            "choices": [choice],
            "usage": usage_object(answer.usage, head.prompt_scale),
        }
    )


def _call(call: ToolUse, toolset: Toolset) -> dict[str, Any]:
    if toolset.custom(call.name):
        return _custom(call.id, call.name, call.arguments)
    called = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": called}


def _custom(ident: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": ident, "type": "custom", "custom": {"name": name, "input": custom_input(arguments)}}


def usage_object(usage: Usage, prompt_scale: float = 1.0) -> dict[str, Any]:
    prompt, cached = round(usage.prompt * prompt_scale), round(usage.cached * prompt_scale)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
