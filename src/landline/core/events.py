"""The six events that every answer is made of, whatever protocol it came in or leaves by.

Order and nesting are fixed by `grammar.py`. The kind of a delta follows from the block it belongs to: `BlockDelta.text`
is text, thinking, or a piece of the JSON arguments of a tool call.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from landline.core.model import StopReason, Usage


class BlockKind(IntEnum):
    TEXT = 0
    THINKING = 1
    TOOL_USE = 2


class ResponseStart(Struct, frozen=True, gc=False):
    """`usage` is None until the backend has said how long the prompt is."""

    usage: Usage | None = None


class BlockStart(Struct, frozen=True, gc=False):
    """`id` and `name` belong to tool calls; `id` is the backend's own until `transforms.identifiers` has seen it."""

    index: int
    kind: BlockKind
    id: str = ""
    name: str = ""


class BlockDelta(Struct, frozen=True, gc=False):
    index: int
    text: str


class BlockStop(Struct, frozen=True, gc=False):
    index: int


class ResponseEnd(Struct, frozen=True, gc=False):
    stop_reason: StopReason
    usage: Usage
    stop_sequence: str | None = None


class ResponseError(Struct, frozen=True, gc=False):
    """The answer failed: nothing follows. `status` is what the backend called it, 0 when it said nothing."""

    message: str
    status: int = 0
    cut: bool = False  # the backend's stream ended early, in contrast to an error that it told


Event = ResponseStart | BlockStart | BlockDelta | BlockStop | ResponseEnd | ResponseError
