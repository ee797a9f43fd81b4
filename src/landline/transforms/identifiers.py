"""Tool-call ids: unique towards the client, native towards the backend, and no table in between.

A backend may use an id again in a later turn; a client that meets it twice loses a result and loops. So the client
gets `toolu_ll<unique>_<the native id in base64url>`, and what comes back in the history carries all that is needed to
name the native id again, in any process and after any restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import string
from typing import ClassVar, Protocol, assert_never

import msgspec

from landline.core.events import BlockKind, BlockStart, Event
from landline.core.exchange import Notes
from landline.core.model import Block, Conversation, Message, ToolResult, ToolUse, replace_messages
from landline.protocols.openai_chat.dialect import CallIds

_MARK = "toolu_ll"
_OURS = re.compile(r"toolu_ll[0-9a-z]+_([A-Za-z0-9_-]+)")
_NINE = re.compile(r"[A-Za-z0-9]{9}")
_NUMBER = re.compile(r":[0-9]+\Z")
_ALPHANUMERIC = string.digits + string.ascii_letters


class MintIds:
    """Gives each tool call of one answer its id. `unique` is [0-9a-z], another one for each answer."""

    reads_text: ClassVar[bool] = False

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
    blocks = [block for message in conversation.messages for block in message.blocks]
    calls = [block.id for block in blocks if type(block) is ToolUse]
    results = [block.tool_use_id for block in blocks if type(block) is ToolResult]
    if _MARK not in "".join(calls) and _MARK not in "".join(results):
        return conversation
    return replace_messages(conversation, [_native(message) for message in conversation.messages])


def _native(message: Message) -> Message:
    changed: list[Block] | None = None
    for at, block in enumerate(message.blocks):
        if type(block) is ToolUse or type(block) is ToolResult:
            native = _native_block(block)
            if native is not block:
                changed = changed or list(message.blocks)
                changed[at] = native
    return Message(message.role, tuple(changed)) if changed else message


def _native_block(block: ToolUse | ToolResult) -> Block:
    if isinstance(block, ToolUse):
        ident = native_id(block.id)
        return block if ident is block.id else ToolUse(ident, block.name, block.arguments)
    ident = native_id(block.tool_use_id)
    return block if ident is block.tool_use_id else ToolResult(ident, block.parts, block.failed)


# ---------------------------------------------------------------------------------------------- as templates want them


def in_form(conversation: Conversation, form: CallIds, notes: Notes) -> Conversation:
    """Ids in the one form that the model's template reads; an id that has the form stays.

    Run again, it changes nothing. An id is told by the ids before it alone, so that each turn extends the one before.
    """
    match form:
        case CallIds.ANY:
            return conversation
        case CallIds.NINE:
            names: _Names = _NineCharacters()
        case CallIds.KIMI:
            names = _Numbered()
        case _:
            assert_never(form)
    messages: list[Message] = []
    for message in conversation.messages:
        blocks = tuple(_renamed(block, names) for block in message.blocks)
        messages.append(message if blocks == message.blocks else Message(message.role, blocks))
    if any(new is not old for new, old in zip(messages, conversation.messages, strict=True)):
        notes.repaired("tool call ids written as the model's template wants them")
    return replace_messages(conversation, messages)


def _renamed(block: Block, names: _Names) -> Block:
    if isinstance(block, ToolUse):
        return ToolUse(names.call(block.id, block.name), block.name, block.arguments)
    if isinstance(block, ToolResult):
        return ToolResult(names.result(block.tool_use_id), block.parts, block.failed)
    return block


class _Names(Protocol):
    def call(self, ident: str, tool: str) -> str: ...

    def result(self, ident: str) -> str: ...


class _NineCharacters:
    """The same id always gets the same name, and two ids of one conversation never share one."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def call(self, ident: str, tool: str) -> str:
        return self.result(ident)

    def result(self, ident: str) -> str:
        name = self._names.get(ident)
        if name is None:
            name = ident if _NINE.fullmatch(ident) else _hashed(ident)
            attempt = 0
            while name in self._taken:
                attempt += 1
                name = _hashed(f"{ident}\n{attempt}")
            self._names[ident] = name
            self._taken.add(name)
        return name


def _hashed(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16], "big")
    characters: list[str] = []
    for _ in range(9):
        number, digit = divmod(number, len(_ALPHANUMERIC))
        characters.append(_ALPHANUMERIC[digit])
    return "".join(characters)


class _Numbered:
    """`functions.NAME:INDEX` with an index that runs over the conversation, as the model itself writes it."""

    def __init__(self) -> None:
        self._count = 0
        self._taken: set[str] = set()
        self._names: dict[str, str] = {}  # of the latest call with an id: backends use ids again

    def call(self, ident: str, tool: str) -> str:
        name = ident
        if ident in self._taken or not ident.startswith(f"functions.{tool}:") or not _NUMBER.search(ident):
            while (name := f"functions.{tool}:{self._count}") in self._taken:
                self._count += 1
        self._count += 1
        self._taken.add(name)
        self._names[ident] = name
        return name

    def result(self, ident: str) -> str:
        return self._names.get(ident, ident)
