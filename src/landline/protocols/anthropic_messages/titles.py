"""The call by which Claude Code has a conversation named: how it is recognised, and a name made of the user's words.

2.1.197 and 2.1.329 send it beside the first request, to the main model, with the user's words between <session> and
</session> and the schema {title} for the answer. Any text is taken as the title.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from landline.core.model import Conversation, Role, Text

OPEN, CLOSE = "<session>", "</session>"
MOST_WORDS = 7
MOST_CHARACTERS = 48
MOST_READ = 2_000  # characters of what the user wrote
UNNAMED = "New conversation"
_REMINDER = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)
_MARKS = re.compile(r"[`*_#>\"]+")
_SENTENCE_END = re.compile(r"(?<=[^\s.!?])[.!?:;](?:\s|\Z)|[。！？\n]")


class _Schema(Struct, frozen=True):
    properties: dict[str, msgspec.Raw] = {}


def is_title_call(conversation: Conversation) -> bool:
    """Whether this asks for nothing but a title. The first look ends it for every turn of a conversation."""
    if conversation.tools or conversation.answer_schema is None or len(conversation.messages) != 1:
        return False
    try:
        schema = msgspec.json.decode(conversation.answer_schema, type=_Schema)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return list(schema.properties) == ["title"] and _asked(conversation).startswith(OPEN)


def title_of(conversation: Conversation) -> str:
    """The user's first sentence, cut to a few words. What the client put around and between his words is left out."""
    session = _asked(conversation)[len(OPEN) : len(OPEN) + MOST_READ].partition(CLOSE)[0]
    plain = _MARKS.sub("", _REMINDER.sub("", session)).strip()
    sentence = _SENTENCE_END.split(plain, maxsplit=1)[0]
    words = sentence.split()[:MOST_WORDS]
    while len(words) > 1 and len(" ".join(words)) > MOST_CHARACTERS:
        words.pop()
    title = "".join(char for char in " ".join(words)[:MOST_CHARACTERS] if char.isprintable()).rstrip(" ,;:-")
    return title[:1].upper() + title[1:] if title else UNNAMED


def _asked(conversation: Conversation) -> str:
    message = conversation.messages[0]
    if message.role is not Role.USER:
        return ""
    return next((block.text.lstrip() for block in message.blocks if isinstance(block, Text)), "")
