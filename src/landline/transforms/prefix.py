"""Keeps the beginning of the prompt the same from turn to turn, so that the backend's prefix cache holds.

Two habits of clients would move it: a billing line in the first bytes whose digits differ between sessions and
subagents, and system messages in the middle of the conversation, which a backend that hoists them to the head moves
with every turn (measured: 35 % of the prompt shared with the turn before, 94 % when they stay where they are).
"""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Block, Conversation, Message, Role, Text

# The second spelling is what some client versions really sent.
BILLING_LINES = ("x-anthropic-billing-header:", "x-ahthropic-billing-header:")


def without_billing_line(conversation: Conversation, notes: Notes) -> Conversation:
    """Takes the billing line out of the system text; the same words in a message of the user's stay."""
    if not any([text.startswith(BILLING_LINES) for text in conversation.system]):
        return conversation
    notes.drop("billing line")
    texts = [_unbilled(text) for text in conversation.system]
    return msgspec.structs.replace(conversation, system=tuple(text for text in texts if text))


def system_in_place(conversation: Conversation, notes: Notes) -> Conversation:
    """System messages become user text where they stand: chat templates accept a system message only at the head.

    Those that stand at the head already, before anything was said, join the system text.
    """
    if not any([message.role is Role.SYSTEM for message in conversation.messages]):
        return conversation
    system, messages = list(conversation.system), list(conversation.messages)
    if not system:
        while len(messages) > 1 and messages[0].role is Role.SYSTEM:  # the last stays: templates want a user's turn
            system.append(_text(messages.pop(0).blocks, notes))
    if any(message.role is Role.SYSTEM for message in messages):
        notes.repaired("system message inside the conversation re-roled to user, in place")
    return msgspec.structs.replace(
        conversation,
        system=tuple(filter(None, system)),
        messages=tuple(_as_user(message, notes) if message.role is Role.SYSTEM else message for message in messages),
    )


def _as_user(message: Message, notes: Notes) -> Message:
    text = _text(message.blocks, notes).strip("\n")
    if not text.startswith("<system-reminder>"):
        text = f"<system-reminder>\n{text}\n</system-reminder>"
    return Message(Role.USER, (Text(text),))


def _text(blocks: tuple[Block, ...], notes: Notes) -> str:
    """One text, the same for a string and for a list with one block."""
    for block in blocks:
        if not isinstance(block, Text):
            notes.drop(f"{type(block).__name__} in a system message")
    texts = (_unbilled(block.text) for block in blocks if isinstance(block, Text))
    return "\n".join(filter(None, texts))


def _unbilled(text: str) -> str:
    """What stands below the billing line, which is the first line where there is one."""
    return text.partition("\n")[2] if text.startswith(BILLING_LINES) else text
