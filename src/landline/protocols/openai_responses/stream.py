"""Writes an answer as the stream of a response, or as one response object.

Each block is an item of the output, with the block's index: text is a message, thinking a reasoning item. The last
event repeats the whole output, so an answer is kept here until it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from landline.core.model import Block, StopReason, Text, Thinking, ToolUse, Usage
from landline.core.sse import frame
from landline.errors import LandlineError
from landline.protocols.openai_client.tools import Told, Toolset, custom_input
from landline.protocols.openai_responses.errors import failure
from landline.protocols.openai_responses.reasoning import OWN_WORDS, Style, reasoning_item
from landline.protocols.openai_responses.web_search import citations

_write = msgspec.json.encode

_PREFIX = {BlockKind.TEXT: "msg", BlockKind.THINKING: "rs", BlockKind.TOOL_USE: "fc"}
_CONSTANT: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "previous_response_id": None,
    "service_tier": "default",
    "store": False,
    "text": {"format": {"type": "text"}},
    "tools": [],
    "truncation": "disabled",
    "user": None,
}


class ResponseHead(Struct, frozen=True):
    """What is known before the answer: ids and times are passed in, so that a recorded stream replays byte for byte."""

    id: str
    model: str  # as the client asked for it
    created: int  # seconds since the epoch
    toolset: Toolset = Toolset()
    thinking: Style = OWN_WORDS
    sealed: bool = False  # thinking is handed out in a form that the client keeps unread
    echo: dict[str, Any] = {}
    prompt_scale: float = 1.0  # of the prompt's tokens as they are told


class ResponsesEncoder:
    """Events to Server-sent events. One per answer."""

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._started = False
        self._number = 0  # of the next event
        self._open: BlockStart | None = None
        self._around = (b"", b"")  # what stands around the text of a delta of the open block
        self._pieces: list[str] = []  # of the open block
        self._output: list[Raw] = []
        self.index = -1  # of the last block
        self.spoke = False  # whether it said more than thinking
        self.pages: dict[str, str] = {}  # titles of what was found for it, by address

    def final(self, end: ResponseEnd) -> bytes:
        """The response as the stream will end with it: everything before its end must have been written."""
        return _write(self._response(_status(end.stop_reason), usage=end.usage))

    def not_kept(self) -> None:
        """The response could not be kept, though that was asked and promised."""
        self._head = without_keeping(self._head)

    def began(self, item: dict[str, Any], events: Sequence[str] = ()) -> bytes:
        """An item that no block stands for."""
        out: list[bytes] = []
        self.index += 1
        self.spoke = True
        self._say("response.output_item.added", out, output_index=self.index, item=item)
        self._tell(item, events, out)
        return b"".join(out)

    def ended(self, item: dict[str, Any], events: Sequence[str] = ()) -> bytes:
        out: list[bytes] = []
        self._tell(item, events, out)
        self._say("response.output_item.done", out, output_index=self.index, item=item)
        self._output.append(Raw(_write(item)))
        return b"".join(out)

    @property
    def output(self) -> bytes:
        """The items that are whole, as one list."""
        return _write(self._output)

    def _tell(self, item: dict[str, Any], events: Sequence[str], out: list[bytes]) -> None:
        for event in events:
            self._say(event, out, output_index=self.index, item_id=item["id"])

    def encode(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is BlockDelta:
                self._pieces.append(event.text)  # type: ignore[union-attr]
                before, after = self._around
                if before:
                    out.append(before + _write(event.text) + after % self._number)  # type: ignore[union-attr]
                    self._number += 1
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
        """The start of a response says nothing of its prompt's length."""

    def heartbeat(self) -> bytes:
        """An event that says nothing new: clients count events as activity, not comments."""
        out: list[bytes] = []
        if self._started:
            self._say("response.in_progress", out, response=self._response("in_progress"))
        else:
            self._start(out)
        return b"".join(out)

    def error(self, error: LandlineError) -> bytes:
        out: list[bytes] = []
        self._start(out)
        self._say("response.failed", out, response=self._response("failed", error=failure(error)))
        return b"".join(out)

    def _say(self, event: str, out: list[bytes], **fields: Any) -> None:
        body = {"type": event, "sequence_number": self._number, **fields}
        self._number += 1
        out.append(frame(event.encode(), _write(body)))

    def _start(self, out: list[bytes]) -> None:
        if not self._started:
            self._started = True
            for event in ("response.created", "response.in_progress"):
                self._say(event, out, response=self._response("in_progress"))

    def _start_block(self, event: BlockStart, out: list[bytes]) -> None:
        self._open, self._pieces, self.index = event, [], event.index
        self.spoke = self.spoke or event.kind is not BlockKind.THINKING
        item = _item(self._head, event, None)
        self._say("response.output_item.added", out, output_index=event.index, item=item)
        place: dict[str, Any] = {"item_id": item["id"], "output_index": event.index}
        match event.kind:
            case BlockKind.TEXT:
                self._say("response.content_part.added", out, **place, content_index=0, part=_text_part(""))
                delta = "response.output_text.delta"
                place |= {"content_index": 0, "logprobs": []}
            case BlockKind.THINKING:
                style = self._head.thinking
                part = {"type": style.part, "text": ""}
                self._say(style.begin, out, **place, **{style.place: 0}, part=part)
                delta = style.delta
                place[style.place] = 0
            case BlockKind.TOOL_USE:
                delta = "" if self._head.toolset.custom(event.name) else "response.function_call_arguments.delta"
        before = _write({"type": delta, **place})[:-1] + b',"delta":'
        shown = b"event: %b\ndata: %b" % (delta.encode(), before)
        self._around = (shown, b',"sequence_number":%d}\n\n') if delta else (b"", b"")

    def _stop_block(self, out: list[bytes]) -> None:
        block, text = self._open, "".join(self._pieces)
        assert block is not None
        self._open, self._pieces = None, []
        item = _item(self._head, block, text)
        place: dict[str, Any] = {"item_id": item["id"], "output_index": block.index}
        match block.kind:
            case BlockKind.TEXT:
                part = item["content"][0]
                part["annotations"] = citations(text, self.pages)
                for at, annotation in enumerate(part["annotations"]):
                    told = place | {"content_index": 0, "annotation_index": at, "annotation": annotation}
                    self._say("response.output_text.annotation.added", out, **told)
                self._say("response.output_text.done", out, **place, content_index=0, text=text, logprobs=[])
                self._say("response.content_part.done", out, **place, content_index=0, part=part)
            case BlockKind.THINKING:
                style = self._head.thinking
                place[style.place] = 0
                self._say(style.done, out, **place, text=text)
                self._say(style.end, out, **place, part={"type": style.part, "text": text})
            case BlockKind.TOOL_USE if item["type"] == "custom_tool_call":
                said = item["input"]
                self._say("response.custom_tool_call_input.delta", out, **place, delta=said)
                self._say("response.custom_tool_call_input.done", out, **place, input=said)
            case BlockKind.TOOL_USE:
                said = item["arguments"]
                if not text:
                    self._say("response.function_call_arguments.delta", out, **place, delta=said)
                self._say("response.function_call_arguments.done", out, **place, name=item["name"], arguments=said)
        self._say("response.output_item.done", out, output_index=block.index, item=item)
        self._output.append(Raw(_write(item)))

    def _end(self, event: ResponseEnd, out: list[bytes]) -> None:
        status = _status(event.stop_reason)
        self._say(f"response.{status}", out, response=self._response(status, usage=event.usage))

    def _response(
        self, status: str, *, usage: Usage | None = None, error: dict[str, str] | None = None
    ) -> dict[str, Any]:
        return _response(self._head, status, list(self._output), usage=usage, error=error)


def without_keeping(head: ResponseHead) -> ResponseHead:
    return msgspec.structs.replace(head, echo=head.echo | {"store": False})


def encode_response(answer: Answer, head: ResponseHead) -> bytes:
    """The whole answer as one response object: what the stream of the same answer ends with."""
    items = [_item(head, _started(at, block), _text(block)) for at, block in enumerate(answer.blocks)]
    return _write(_response(head, _status(answer.stop_reason), items, usage=answer.usage))


def _started(index: int, block: Block) -> BlockStart:
    match block:
        case ToolUse():
            return BlockStart(index, BlockKind.TOOL_USE, block.id, block.name)
        case Thinking():
            return BlockStart(index, BlockKind.THINKING)
        case _:
            return BlockStart(index, BlockKind.TEXT)


def _text(block: Block) -> str:
    return block.arguments if isinstance(block, ToolUse) else block.text if isinstance(block, Text | Thinking) else ""


def _status(reason: StopReason) -> str:
    return "incomplete" if reason is StopReason.MAX_TOKENS else "completed"


def _item(head: ResponseHead, block: BlockStart, text: str | None) -> dict[str, Any]:
    """One item of the output; `text` is None while it is not known."""
    custom = block.kind is BlockKind.TOOL_USE and head.toolset.custom(block.name)
    ident = f"{'ctc' if custom else _PREFIX[block.kind]}_{head.id.removeprefix('resp_')}_{block.index}"
    if block.kind is BlockKind.THINKING:
        return reasoning_item(ident, text, head.thinking, sealed=head.sealed)
    status = "in_progress" if text is None else "completed"
    if block.kind is BlockKind.TEXT:
        content = [] if text is None else [_text_part(text)]
        return {"type": "message", "id": ident, "status": status, "role": "assistant", "content": content}
    told = head.toolset.told.get(block.name, Told(block.name))
    call: dict[str, Any] = {"id": ident, "status": status, "call_id": block.id, "name": told.name}
    if custom:
        said = "" if text is None else custom_input(text)
        return {"type": "custom_tool_call", **call, "input": said}
    if told.namespace:
        call["namespace"] = told.namespace
    return {"type": "function_call", **call, "arguments": "" if text is None else text or "{}"}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(
    head: ResponseHead,
    status: str,
    output: list[Any],
    *,
    usage: Usage | None = None,
    error: dict[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": status,
        "error": error,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": head.model,
        "output": output,
        **_CONSTANT,
        **head.echo,
        "usage": usage_object(usage, head.prompt_scale) if usage is not None else None,
    }


def usage_object(usage: Usage, prompt_scale: float = 1.0) -> dict[str, Any]:
    prompt, cached = round(usage.prompt * prompt_scale), round(usage.cached * prompt_scale)
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": prompt + usage.output,
    }
