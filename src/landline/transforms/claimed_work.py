"""Notices an answer that says that something was done with a tool, where no tool was called. It only notes it.

Small models tell what a tool would have found instead of calling it. Nobody can mend that, but its user should know
that it is the model, and not the line, that did nothing.
"""

from __future__ import annotations

import re
from typing import ClassVar

from landline.core.events import BlockDelta, BlockKind, BlockStart, Event, ResponseEnd, ResponseStart
from landline.core.exchange import Notes
from landline.core.model import Conversation, Role, StopReason, ToolUse
from landline.core.stream import Patience

MOST_READ = 4_000  # characters of the answer
CLAIMED = (
    "the answer says that something was read, run or changed, but no tool was called: the model tells of tools instead "
    "of using them"
)
_PATIENCE = Patience()
_CLAIM = re.compile(
    r"\bI(?:'ve|’ve| have)(?: (?:just|now|already|successfully|carefully))? "
    r"(?:read|run|executed|created|edited|updated|written|modified|deleted|fixed|searched|opened|installed|tested)\b",
    re.IGNORECASE,
)


def claims_noticed(conversation: Conversation, notes: Notes) -> tuple[NoticeClaims, ...]:
    """Nothing where there are no tools, or where any was called since the beginning: what is told may be true then."""
    if not conversation.tools:
        return ()
    for message in conversation.messages:
        if message.role is Role.ASSISTANT and any(type(block) is ToolUse for block in message.blocks):
            return ()
    return (NoticeClaims(notes),)


class NoticeClaims:
    """Changes nothing; the note is its work."""

    reads_text: ClassVar[bool] = True

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._in_text = self._called = False
        self._pieces: list[str] = []
        self._size = 0

    def patience(self) -> Patience:
        return _PATIENCE

    def leaves(self, text: str) -> str | None:
        self.left(text)
        return text

    def left(self, text: str) -> None:
        if self._in_text and self._size < MOST_READ:
            self._pieces.append(text)
            self._size += len(text)

    def push(self, events: list[Event]) -> list[Event]:
        for event in events:
            if type(event) is BlockDelta:
                self.left(event.text)
            elif type(event) is BlockStart:
                self._in_text = event.kind is BlockKind.TEXT
                self._called = self._called or event.kind is BlockKind.TOOL_USE
            elif type(event) is ResponseStart:
                self._called, self._pieces, self._size = False, [], 0
            elif type(event) is ResponseEnd:
                self._ended(event)
        return events

    def _ended(self, end: ResponseEnd) -> None:
        if end.stop_reason is StopReason.END_TURN and not self._called and _CLAIM.search("".join(self._pieces)):
            self._notes.alert(CLAIMED)
