"""Tool names that chat completions refuses: longer than 64 characters, or with others than letters, digits, _ and -.

Such a name leaves as a spelling of its own with a hash of the whole name, so that two names stay two and a later
request spells it alike; on the answer it is the client's again.
"""

from __future__ import annotations

import hashlib
import re
from typing import ClassVar

import msgspec

from landline.core.events import BlockStart, Event
from landline.core.exchange import Notes
from landline.core.model import (
    Block,
    Conversation,
    Message,
    ResultPart,
    ToolReference,
    ToolResult,
    Tools,
    ToolUse,
)
from landline.core.tools import all_plain, fine_name

LONGEST = 64
HASH_DIGITS = 8
_ALL_FINE = re.compile(r"(?:[a-zA-Z0-9_-]{1,64}\n)*").fullmatch
_STRANGE = re.compile(r"[^a-zA-Z0-9_-]")
_NAMED = (ToolUse, ToolResult, ToolReference)


class RestoreNames:
    """Gives the calls of an answer the names that the client knows. `known`: the backend's name = the client's."""

    reads_text: ClassVar[bool] = False

    def __init__(self, known: dict[str, str]) -> None:
        self._known = known

    def push(self, events: list[Event]) -> list[Event]:
        for at, event in enumerate(events):
            if type(event) is BlockStart and event.name in self._known:
                events[at] = msgspec.structs.replace(event, name=self._known[event.name])
        return events


def plain_names(conversation: Conversation, notes: Notes) -> tuple[Conversation, tuple[RestoreNames, ...]]:
    """The conversation with names that every backend takes, and what restores the client's own on the answer."""
    names = [] if conversation.tools.once(all_plain) else [tool.name for tool in conversation.tools]
    names += [block.name for message in conversation.messages for block in message.blocks if type(block) is ToolUse]
    if not names or _ALL_FINE("\n".join(names) + "\n"):
        return conversation, ()
    names += [tool.name for tool in conversation.tools]
    spelled = _spelled(list(dict.fromkeys(names)))
    notes.repaired("tool names spelled as the backend wants them")
    choice = conversation.tool_choice
    if choice is not None and choice.tool in spelled:
        choice = msgspec.structs.replace(choice, tool=spelled[choice.tool])
    renamed = msgspec.structs.replace(
        conversation,
        tools=Tools(
            msgspec.structs.replace(tool, name=spelled[tool.name]) if tool.name in spelled else tool
            for tool in conversation.tools
        ),
        tool_choice=choice,
        messages=tuple(_message(message, spelled) for message in conversation.messages),
    )
    return renamed, (RestoreNames({short: name for name, short in spelled.items()}),)


def _spelled(names: list[str]) -> dict[str, str]:
    """The names that must change, each with a spelling that no other name of the request has."""
    taken = {name for name in names if fine_name(name)}
    spelled: dict[str, str] = {}
    for name in names:
        if not fine_name(name):
            spelled[name] = _spelling(name, taken)
            taken.add(spelled[name])
    return spelled


def _spelling(name: str, taken: set[str]) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
    head = _STRANGE.sub("_", name)
    for digits in range(HASH_DIGITS, len(digest)):
        short = f"{head[: LONGEST - digits - 1]}_{digest[:digits]}"
        if short not in taken:
            return short
    raise AssertionError("56 spellings of one name are names of other tools")


def _message(message: Message, spelled: dict[str, str]) -> Message:
    if not any(isinstance(block, _NAMED) for block in message.blocks):
        return message
    return Message(message.role, tuple(_block(block, spelled) for block in message.blocks))


def _block(block: Block, spelled: dict[str, str]) -> Block:
    match block:
        case ToolUse(name=name) if name in spelled:
            return msgspec.structs.replace(block, name=spelled[name])
        case ToolReference(name=name) if name in spelled:
            return ToolReference(spelled[name])
        case ToolResult(parts=parts) if any(isinstance(part, ToolReference) for part in parts):
            return msgspec.structs.replace(block, parts=tuple(_part(part, spelled) for part in parts))
        case _:
            return block


def _part(part: ResultPart, spelled: dict[str, str]) -> ResultPart:
    return ToolReference(spelled.get(part.name, part.name)) if isinstance(part, ToolReference) else part
