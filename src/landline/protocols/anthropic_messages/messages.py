"""The messages of a Messages request: each alone, whatever stands before or behind it."""

from __future__ import annotations

import base64
from typing import Any, cast

import msgspec
from msgspec import Raw, UnsetType

from landline.core.exchange import Notes
from landline.core.model import (
    Block,
    Document,
    Image,
    Message,
    Opaque,
    ResultPart,
    Role,
    Text,
    Thinking,
    ToolReference,
    ToolResult,
    ToolUse,
)
from landline.errors import ErrorKind, LandlineError
from landline.protocols.anthropic_messages.server_tools import SEARCH_BLOCKS, search_in_history
from landline.protocols.anthropic_messages.wire import WireBlock, WireInner, WireMessage, WireSource

_sources = msgspec.json.Decoder(WireSource)
Place = tuple[int, ...]  # of a block: message, block, part of a tool result; written out only in errors
_ROLES = {role.value: role for role in Role} | {"developer": Role.SYSTEM}  # OpenAI's newer word for it
# How Claude Code hands back arguments that it could not parse: {"__unparsedToolInput": {"raw": ..., "len": ...}}.
_UNPARSED = b'{"__unparsedToolInput"'


def read_message(index: int, message: WireMessage, notes: Notes) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise invalid(f"messages.{index}.role: must be user, assistant or system, not {message.role!r}.")
    if isinstance(message.content, str):
        return Message(role, (Text(message.content),) if message.content else ())
    blocks: list[Block] = []
    for at, wire in enumerate(message.content or ()):
        block = _block(wire, (index, at), notes)
        if block is not None:
            blocks.append(block)
    return Message(role, tuple(blocks))


def _block(block: WireBlock, place: Place, notes: Notes) -> Block | None:
    match block.type:
        case "text":
            return Text(block.text) if block.text else None
        case "thinking":
            return Thinking(block.thinking or "", block.signature or "")
        case "tool_use":
            return ToolUse(block.id, block.name, _arguments(block.input, notes))
        case "tool_result":
            return _tool_result(block, place, notes)
        case _:
            return _part(block, place, notes)


def _part(block: WireBlock, place: Place, notes: Notes) -> ResultPart | None:
    """What may stand in a message and in a tool result alike."""
    match block.type:
        case "text":
            return Text(block.text or "")
        case "image":
            return _image(block, place)
        case "document":
            return _document(block, place)
        case "tool_reference":
            return ToolReference(block.tool_name)
        case "search_result":
            return _search_result(block, place)
        case kind if kind in SEARCH_BLOCKS and (text := search_in_history(block)):
            return text
        case _:
            notes.drop(f"block {block.type}")
            return Opaque(block.type)


def _tool_result(block: WireBlock, place: Place, notes: Notes) -> ToolResult:
    content = block.content
    if isinstance(content, str):
        parts: tuple[ResultPart, ...] = (Text(content),) if content else ()
    elif isinstance(content, dict):
        raise invalid(f"{_path(place)}.content: must be a string or a list of blocks.")
    else:
        inner = [_part(part, (*place, at), notes) for at, part in enumerate(content or ())]
        parts = tuple(part for part in inner if part is not None)
    return ToolResult(block.tool_use_id, parts, block.is_error is True)


def _source(block: WireBlock, place: Place) -> WireSource:
    if isinstance(block.source, UnsetType):
        raise invalid(f"{_path(place)}.source: field required.")
    try:
        return _sources.decode(block.source)
    except msgspec.ValidationError as error:
        raise invalid(in_words(str(error), f"{_path(place)}.source")) from None


def _image(block: WireBlock, place: Place) -> Image:
    source = _source(block, place)
    match source.type:
        case "base64":
            return Image(media_type=source.media_type, data=source.data)
        case "url":
            return Image(url=source.url)
        case _:
            raise invalid(f"{_path(place)}.source.type: must be base64 or url, not {source.type!r}.")


def _document(block: WireBlock, place: Place) -> Document:
    source, title = _source(block, place), block.title or ""
    match source.type:
        case "text":
            return Document(source.media_type or "text/plain", title, source.data)
        case "content":
            return Document("text/plain", title, _joined(source.content))
        case "base64" if source.media_type.startswith("text/"):
            try:
                data = base64.b64decode("".join(source.data.split()), validate=True)
                return Document(source.media_type, title, data.decode("utf-8", "replace"))
            except ValueError:
                raise invalid(f"{_path(place)}.source.data: is not base64.") from None
        case "base64" if source.media_type == "application/pdf":
            return Document(source.media_type, title, data=source.data)
        case _:
            return Document(source.media_type or source.type, title)


def _search_result(block: WireBlock, place: Place) -> Text:
    """A search result as the words that a model can read. Its `source` is an address, not an object."""
    source = "" if isinstance(block.source, UnsetType) else bytes(block.source).decode().strip('"')
    head = " ".join(filter(None, ("Search result:", block.title, source)))
    return Text(f"[{head}]\n{_joined(block.content)}")


def _joined(content: WireInner) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.text for block in content if block.text) if isinstance(content, list) else ""


def _arguments(raw: Raw | UnsetType, notes: Notes) -> str:
    """The arguments of a call as the client wrote them. They must be an object: backends parse what is replayed."""
    text = b"" if isinstance(raw, UnsetType) else bytes(raw)
    if not text or text == b"null":
        return "{}"
    if text.startswith(_UNPARSED):
        return _unparsed(text)
    if not text.startswith(b"{"):
        notes.repaired("tool input that is no object wrapped into one")
        return f'{{"input":{text.decode()}}}'
    return text.decode()


def _unparsed(wrapped: bytes) -> str:
    """What the model really wrote, if it reads as an object after all; else the client's wrapping of it."""
    found: object = msgspec.json.decode(wrapped)["__unparsedToolInput"]
    raw: object = cast("dict[str, Any]", found).get("raw") if isinstance(found, dict) else None
    if not isinstance(raw, str):
        return wrapped.decode()
    try:
        whole = isinstance(msgspec.json.decode(raw), dict)
    except (msgspec.DecodeError, RecursionError):
        whole = False
    return raw if whole else wrapped.decode()


def _path(place: Place) -> str:
    """A place in words: (1, 0, 2) is "messages.1.content.0.content.2"."""
    return f"messages.{place[0]}" + "".join(f".content.{at}" for at in place[1:])


def in_words(error: str, prefix: str = "") -> str:
    """msgspec's "Expected `str`, got `int` - at `$.messages[0].role`" as "messages.0.role: Expected ..."."""
    what, _, path = error.partition(" - at `$")
    place = path.rstrip("`").replace("[...]", "").replace("[", ".").replace("]", "")
    where = (prefix + place).lstrip(".") or "body"
    return f"{where}: {what}."


def invalid(message: str) -> LandlineError:
    return LandlineError(ErrorKind.INVALID_REQUEST, message)
