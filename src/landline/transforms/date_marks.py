"""Takes a mark out of a sentence of the client's: how it writes the date says where the user is.

Claude Code 2.1.197 tells the model "Today's date is 2026-11-28." With the time zone Asia/Shanghai or Asia/Urumqi it
writes slashes for the hyphens, and by the host of its base URL another apostrophe. 2.1.329 does not. The words stay;
machines that differ in nothing else then share the beginning of their prompts too.
"""

from __future__ import annotations

import re

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Block, Conversation, Message, Role, Text

_SENTENCE = re.compile("Today(['\u2019\u02bc\u02b9])s date is (\\d{4})([-/])(\\d\\d)\\3(\\d\\d)\\.")
_SURE = "s date is "
_OF_THE_CLIENT = "<system-reminder>"


def without_date_marks(conversation: Conversation, notes: Notes) -> Conversation:
    """In what the client itself tells the model: system text, and reminders inside the conversation."""
    # Each request comes by here: one loop, and no call for what is nothing of the client's.
    told = [
        block
        for message in conversation.messages
        for block in message.blocks
        if type(block) is Text and (block.text.startswith(_OF_THE_CLIENT) or message.role is Role.SYSTEM)
    ]
    marked = {id(block) for block in told if _SURE in block.text and _plain(block.text) != block.text}
    if not marked:
        return conversation
    notes.repaired("the date is written without marks of the time zone and the address")
    messages = tuple([_without(message, marked) for message in conversation.messages])
    return msgspec.structs.replace(conversation, messages=messages)


def _without(message: Message, marked: set[int]) -> Message:
    blocks: list[Block] = []
    for block in message.blocks:
        blocks.append(Text(_plain(block.text)) if isinstance(block, Text) and id(block) in marked else block)
    return msgspec.structs.replace(message, blocks=tuple(blocks))


def _plain(text: str) -> str:
    return _SENTENCE.sub(r"Today's date is \2-\4-\5.", text)
