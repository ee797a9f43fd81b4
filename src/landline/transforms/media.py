"""Pictures and documents: to where a chat template can see them, or to words.

Nothing is ever fetched, here or by the backend: an address in a request could name a machine that only the server can
reach.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from landline.core.exchange import Notes
from landline.core.model import (
    Block,
    Conversation,
    Document,
    Image,
    Message,
    ResultPart,
    Text,
    ToolResult,
    holds_media,
    replace_messages,
)
from landline.errors import ErrorKind, LandlineError
from landline.protocols.openai_chat.dialect import Dialect

OMITTED = Text("[image omitted: this model cannot see images]")
Part = TypeVar("Part", bound=Block | ResultPart)


def visible_media(conversation: Conversation, notes: Notes) -> Conversation:
    """Documents become text, images in tool results move behind the results. Raises LandlineError on remote images."""
    if not conversation.media or not holds_media(conversation.messages):
        return conversation
    return replace_messages(conversation, [_message(message, notes) for message in conversation.messages])


def seen_images(conversation: Conversation, dialect: Dialect, notes: Notes) -> Conversation:
    """Pictures become a few words where it is known that the model cannot see. Run again, it changes nothing."""
    if dialect.images is not False:
        return conversation
    if not any(type(block) is Image for message in conversation.messages for block in message.blocks):
        return conversation
    notes.drop("images: the model cannot see")
    return replace_messages(conversation, [_in_words(message) for message in conversation.messages])


def _in_words(message: Message) -> Message:
    if not any(type(block) is Image for block in message.blocks):
        return message
    blocks = tuple(OMITTED if isinstance(block, Image) else block for block in message.blocks)
    return msgspec.structs.replace(message, blocks=blocks)


def _message(message: Message, notes: Notes) -> Message:
    if not holds_media((message,)):
        return message
    results: list[Block] = []
    moved: list[Block] = []
    rest: list[Block] = []
    for block in message.blocks:
        if isinstance(block, ToolResult):
            results.append(_result(block, moved, notes))
        else:
            rest.append(_converted(block, notes))
    return msgspec.structs.replace(message, blocks=(*results, *moved, *rest))


def _result(result: ToolResult, moved: list[Block], notes: Notes) -> ToolResult:
    """Tool messages are text in most templates, so an image leaves a mark and follows in the user message."""
    parts: list[ResultPart] = []
    for part in result.parts:
        if isinstance(part, Image):
            notes.repaired("image in a tool result moved to the user message behind it")
            parts.append(Text("[The image follows in the next message.]"))
            moved.append(_local(part))
        else:
            parts.append(_converted(part, notes))
    return msgspec.structs.replace(result, parts=tuple(parts))


def _converted(part: Part, notes: Notes) -> Part | Text | Image:
    if isinstance(part, Document):
        return _words(part, notes)
    return _local(part) if isinstance(part, Image) else part


def _words(document: Document, notes: Notes) -> Text:
    name = document.title or document.media_type
    if document.text is not None:
        return Text(f"[Document: {name}]\n{document.text}")
    if document.problem:
        notes.drop(f"document that cannot be read: {document.problem}")
        return Text(f"[Document {name} was left out: {document.problem}.]")
    notes.drop(f"document of type {document.media_type}")
    return Text(f"[Document {name} was left out: the model server cannot read {document.media_type}.]")


def _local(image: Image) -> Image:
    if not image.url:
        return image
    head, comma, data = image.url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return Image(media_type=head[5:-7], data=data)
    raise LandlineError(
        ErrorKind.INVALID_REQUEST,
        "Images by URL are not fetched: an address could name a machine that only this server can reach.",
        hint="Send the image itself, as base64.",
    )
