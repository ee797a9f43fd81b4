"""Tool-call ids: unique towards the client, native towards the backend, and no table in between.

A backend may use an id again in a later turn; a client that meets it twice loses a result and loops. So the client
gets `toolu_ll<unique>_<the native id in base64url>`, and what comes back in the history carries all that is needed to
name the native id again, in any process and after any restart.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from landline.core.events import BlockKind, BlockStart, Event
from landline.core.model import Block, Conversation, Message, ToolResult, ToolUse, replace_messages

_WITH_IDS = (ToolUse, ToolResult)
_MARK = "toolu_ll"
_OURS = re.compile(r"toolu_ll[0-9a-z]+_([A-Za-z0-9_-]+)")


class MintIds:
    """Gives each tool call of one answer its id. `unique` is [0-9a-z], another one for each answer."""

    def __init__(self, unique: str) -> None:
        self._unique = unique
        self._count = 0
        self._seen: set[str] = set()

    def push(self, events: list[Event]) -> list[Event]:
        for at, event in enumerate(events):
            if type(event) is BlockStart and event.kind is BlockKind.TOOL_USE:
                events[at] = msgspec.structs.replace(event, id=self._mint(event.id))
        return events

    def _mint(self, native: str) -> str:
        self._count += 1
        ours = f"{_MARK}{self._unique}{self._count}"
        if not native or native in self._seen:  # nothing that would tell two calls of one message apart
            return ours
        self._seen.add(native)
        return f"{ours}_{base64.urlsafe_b64encode(native.encode()).decode().rstrip('=')}"


def native_id(ident: str) -> str:
    """The backend's own id; an id that is not ours is returned as it is."""
    if not ident.startswith(_MARK):
        return ident
    match = _OURS.fullmatch(ident)
    if match is None:
        return ident
    coded = match[1]
    try:
        return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ident


def with_native_ids(conversation: Conversation) -> Conversation:
    """The history as the backend knows it."""
    return replace_messages(conversation, [_native(message) for message in conversation.messages])


def _native(message: Message) -> Message:
    for block in message.blocks:
        if type(block) in _WITH_IDS:
            return Message(message.role, tuple(map(_native_block, message.blocks)))
    return message


def _native_block(block: Block) -> Block:
    if isinstance(block, ToolUse):
        ident = native_id(block.id)
        return block if ident is block.id else ToolUse(ident, block.name, block.arguments)
    if isinstance(block, ToolResult):
        ident = native_id(block.tool_use_id)
        return block if ident is block.tool_use_id else ToolResult(ident, block.parts, block.failed)
    return block
