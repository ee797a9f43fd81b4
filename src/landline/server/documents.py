"""The documents of a request become words, or pictures of their pages, before anything else sees the request."""

from __future__ import annotations

import asyncio
import time

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
    replace_messages,
)
from landline.upstream.document_child import Output
from landline.upstream.documents import AT_ONCE, TOO_HEAVY, TOO_SLOW, DocumentReader

Readings = dict[str, Output]  # by the document's data
MOST_WASTED_S = 30.0  # on documents of one request that run into a limit, and are not remembered from before
LEFT = Output(problem="it was not looked at: too many documents of this request could not be read in time")


def has_unread(conversation: Conversation) -> bool:
    return conversation.media and bool(_unread(conversation))


async def with_documents(
    conversation: Conversation, reader: DocumentReader, *, pictures: bool, notes: Notes
) -> Conversation:
    """Raises nothing: what cannot be read says so in its place. `pictures`: the model can see."""
    unread = dict.fromkeys(document.data for document in _unread(conversation))
    readings: Readings = {}
    places = asyncio.Semaphore(AT_ONCE)  # a request with many of them takes turns with other clients' requests
    wasted_s = 0.0

    async def read(data: str) -> None:
        nonlocal wasted_s
        async with places:
            began = time.monotonic()
            output = LEFT if wasted_s >= MOST_WASTED_S else await reader.read(data, pictures=pictures)
            wasted_s += (time.monotonic() - began) * (output.problem in (TOO_SLOW, TOO_HEAVY))
            readings[data] = output

    await asyncio.gather(*map(read, unread))
    return replace_messages(conversation, [_message(message, readings, notes) for message in conversation.messages])


def _unread(conversation: Conversation) -> list[Document]:
    found: list[Document] = []
    for message in conversation.messages:
        for block in message.blocks:
            if type(block) is Document and block.data:
                found.append(block)
            elif type(block) is ToolResult:
                found += [part for part in block.parts if type(part) is Document and part.data]
    return found


def _message(message: Message, readings: Readings, notes: Notes) -> Message:
    blocks: list[Block] = []
    for block in message.blocks:
        if isinstance(block, ToolResult) and any(isinstance(part, Document) for part in block.parts):
            parts = [read for part in block.parts for read in _read(part, readings, notes)]
            blocks.append(msgspec.structs.replace(block, parts=tuple(parts)))
        elif isinstance(block, Document):
            blocks += _read(block, readings, notes)
        else:
            blocks.append(block)
    return Message(message.role, tuple(blocks))


def _read(part: ResultPart, readings: Readings, notes: Notes) -> list[ResultPart]:
    if not isinstance(part, Document) or not part.data:
        return [part]
    output = readings[part.data]
    name = part.title or part.media_type
    if output.text:
        notes.repaired("the text of a document was read out of it")
        return [Document(part.media_type, part.title, output.text)]
    if output.pictures:
        notes.repaired("the pages of a document, which has no text in it, sent as pictures")
        pages: list[ResultPart] = [Image("image/png", picture) for picture in output.pictures]
        return [Text(f"[Document: {name}. Its first {len(pages)} pages follow as pictures.]"), *pages]
    return [Document(part.media_type, part.title, problem=output.problem)]
