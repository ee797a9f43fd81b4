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
    if not any(text.startswith(BILLING_LINES) for text in conversation.system):
        return conversation
    notes.drop("billing line")
    texts = (text.partition("\n")[2] if text.startswith(BILLING_LINES) else text for text in conversation.system)
    return msgspec.structs.replace(conversation, system=tuple(filter(None, texts)))


def system_in_place(conversation: Conversation, notes: Notes) -> Conversation:
    """System messages become user text where they stand: chat templates accept a system message only at the head.

    Those that stand at the head already, before anything was said, join the system text.
    """
    if all(message.role is not Role.SYSTEM for message in conversation.messages):
        return conversation
    system, messages = list(conversation.system), list(conversation.messages)
    if not system:
        while messages and messages[0].role is Role.SYSTEM:
            system.append(_text(messages.pop(0).blocks))
    if any(message.role is Role.SYSTEM for message in messages):
        notes.repaired("system message inside the conversation re-roled to user, in place")
    return msgspec.structs.replace(
        conversation,
        system=tuple(filter(None, system)),
        messages=tuple(_as_user(message) if message.role is Role.SYSTEM else message for message in messages),
    )


def _as_user(message: Message) -> Message:
    text = _text(message.blocks).strip("\n")
    if not text.startswith("<system-reminder>"):
        text = f"<system-reminder>\n{text}\n</system-reminder>"
    return Message(Role.USER, (Text(text),))


def _text(blocks: tuple[Block, ...]) -> str:
    texts = (block.text for block in blocks if isinstance(block, Text))
    return "\n".join(text for text in texts if not text.startswith(BILLING_LINES))
