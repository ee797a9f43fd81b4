"""A Messages request as a conversation."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec
from msgspec import UNSET, Raw, UnsetType

from landline.core.exchange import Notes
from landline.core.model import (
    Block,
    Conversation,
    Document,
    Image,
    Message,
    Opaque,
    ResultPart,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from landline.errors import ErrorKind, LandlineError
from landline.protocols.anthropic_messages.wire import (
    WireBlock,
    WireContent,
    WireMessage,
    WireRequest,
    WireSource,
    WireTool,
)

_requests = msgspec.json.Decoder(WireRequest)
_contents = msgspec.json.Decoder(WireContent)
_sources = msgspec.json.Decoder(WireSource)

# In JSON text: a surrogate pair, or half of one, behind the escaped backslashes that may stand before it.
_SURROGATES = re.compile(
    rb"(?<!\\)((?:\\\\)*)\\u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2}))"
)

_CHOICES = {"auto": "auto", "any": "any", "tool": "tool", "none": "none"}


def decode_request(body: bytes, notes: Notes, *, counting: bool = False) -> tuple[WireRequest, Conversation]:
    """The request as it was written, and as a conversation. Raises LandlineError (invalid_request).

    `counting` is for count_tokens, whose body has no max_tokens.
    """
    try:
        wire, conversation = _decode(body, notes)
    except msgspec.ValidationError as error:
        raise _invalid(_place(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(f"The request body is not valid JSON: {error}.") from None
    if not wire.messages:
        raise _invalid("messages: at least one message is required.")
    if not counting and not conversation.system and not any(message.blocks for message in conversation.messages):
        raise _invalid("messages: at least one message must have content.")
    if not counting and wire.max_tokens is not None and wire.max_tokens < 1:
        raise _invalid("max_tokens: must be at least 1.")
    return wire, conversation


def _decode(body: bytes, notes: Notes) -> tuple[WireRequest, Conversation]:
    """Strictly first; only a body that fails is searched for halves of characters and read again."""
    try:
        wire = _requests.decode(body)
        return wire, _conversation(wire, notes)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        whole = _whole_characters(body, notes)
        if whole is body:
            raise
        wire = _requests.decode(whole)
        return wire, _conversation(wire, notes)


def _whole_characters(body: bytes, notes: Notes) -> bytes:
    """The body with U+FFFD for each half of a surrogate pair.

    Clients shorten texts in the middle of a pair and write the half as an escape, which is JSON to them but no text to
    any decoder or tokenizer: refused once, the conversation that holds it could never go on.
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    halves = 0

    def mended(found: re.Match[bytes]) -> bytes:
        nonlocal halves
        if found["half"] is None:
            return found[0]
        halves += 1
        return found[1] + rb"\ufffd"

    whole = _SURROGATES.sub(mended, body)
    if not halves:
        return body
    notes.repaired("half of a surrogate pair read as U+FFFD")
    return whole


def _conversation(wire: WireRequest, notes: Notes) -> Conversation:
    output = wire.output_config
    form = output.format if output else None
    for field in ("context_management", "mcp_servers", "container"):
        if getattr(wire, field) is not UNSET:
            notes.drop(field)
    if output and output.effort:
        notes.drop("output_config.effort")
    return Conversation(
        model=wire.model,
        system=_system(wire.system, notes),
        messages=tuple(_message(index, message, notes) for index, message in enumerate(wire.messages)),
        tools=tuple(_tools(wire.tools or [], notes)),
        tool_choice=_tool_choice(wire),
        max_tokens=wire.max_tokens,
        stop_sequences=tuple(filter(None, wire.stop_sequences or ())),
        sampling=Sampling(wire.temperature, wire.top_p, wire.top_k),
        thinking=_thinking(wire),
        answer_schema=form.schema if form and form.type == "json_schema" and form.schema is not UNSET else None,
        stream=wire.stream is True,
    )


def _thinking(wire: WireRequest) -> str | None:
    if wire.thinking is None:
        return None
    return "off" if wire.thinking.type == "disabled" else "on"


def _system(content: WireContent, notes: Notes) -> tuple[str, ...]:
    if isinstance(content, str):
        return (content,) if content else ()
    texts: list[str] = []
    for block in content or ():
        if block.type == "text":
            texts.append(block.text or "")
        else:
            notes.drop(f"system block {block.type}")
    return tuple(filter(None, texts))


def _message(index: int, message: WireMessage, notes: Notes) -> Message:
    try:
        role = Role(message.role)
    except ValueError:
        raise _invalid(f"messages.{index}.role: must be user, assistant or system, not {message.role!r}.") from None
    if isinstance(message.content, str):
        return Message(role, (Text(message.content),) if message.content else ())
    blocks = (_block(block, f"messages.{index}.content.{at}", notes) for at, block in enumerate(message.content or ()))
    return Message(role, tuple(block for block in blocks if block is not None))


def _block(block: WireBlock, place: str, notes: Notes) -> Block | None:
    match block.type:
        case "text":
            return Text(block.text) if block.text else None
        case "thinking":
            return Thinking(block.thinking or "", block.signature or "")
        case "tool_use":
            return ToolUse(block.id, block.name, _raw_text(block.input) or "{}")
        case "tool_result":
            return _tool_result(block, place, notes)
        case _:
            return _part(block, place, notes)


def _part(block: WireBlock, place: str, notes: Notes) -> ResultPart | None:
    """What may stand in a message and in a tool result alike."""
    match block.type:
        case "text":
            return Text(block.text or "")
        case "image":
            return _image(block, place)
        case "document":
            return _document(block, place)
        case "tool_reference":
            return Text(f"Tool found: {block.tool_name}")
        case _:
            notes.drop(f"block {block.type}")
            return Opaque(block.type)


def _tool_result(block: WireBlock, place: str, notes: Notes) -> ToolResult:
    content = _inner(block.content, f"{place}.content")
    if isinstance(content, str):
        parts: tuple[ResultPart, ...] = (Text(content),) if content else ()
    else:
        inner = (_part(part, f"{place}.content.{at}", notes) for at, part in enumerate(content or ()))
        parts = tuple(part for part in inner if part is not None)
    return ToolResult(block.tool_use_id, parts, block.is_error is True)


def _inner(raw: Raw | UnsetType, place: str) -> WireContent:
    if isinstance(raw, UnsetType):
        return None
    try:
        return _contents.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(_place(str(error), place)) from None


def _source(block: WireBlock, place: str) -> WireSource:
    if isinstance(block.source, UnsetType):
        raise _invalid(f"{place}.source: field required.")
    try:
        return _sources.decode(block.source)
    except msgspec.ValidationError as error:
        raise _invalid(_place(str(error), f"{place}.source")) from None


def _image(block: WireBlock, place: str) -> Image:
    source = _source(block, place)
    match source.type:
        case "base64":
            return Image(media_type=source.media_type, data=source.data)
        case "url":
            return Image(url=source.url)
        case _:
            raise _invalid(f"{place}.source.type: must be base64 or url, not {source.type!r}.")


def _document(block: WireBlock, place: str) -> Document:
    source, title = _source(block, place), block.title or ""
    match source.type:
        case "text":
            return Document(source.media_type or "text/plain", title, source.data)
        case "base64" if source.media_type.startswith("text/"):
            try:
                data = base64.b64decode("".join(source.data.split()), validate=True)
                return Document(source.media_type, title, data.decode("utf-8", "replace"))
            except (binascii.Error, ValueError):
                raise _invalid(f"{place}.source.data: is not base64.") from None
        case _:
            return Document(source.media_type or source.type, title)


def _tools(tools: list[WireTool], notes: Notes) -> list[Tool]:
    """The client's own tools in their order; tools that only the vendor's servers can run are dropped."""
    kept: list[Tool] = []
    for tool in tools:
        if isinstance(tool.input_schema, UnsetType):
            notes.drop(f"tool {tool.type or tool.name} (runs on the vendor's servers)")
        elif tool.name == "DeferredToolPlaceholder":  # announces tool search; tells a model nothing
            notes.drop("tool DeferredToolPlaceholder")
        else:
            kept.append(Tool(tool.name, tool.description or "", tool.input_schema))
    return kept


def _tool_choice(wire: WireRequest) -> ToolChoice | None:
    choice = wire.tool_choice
    if choice is None:
        return None
    mode = _CHOICES.get(choice.type)
    if mode is None:
        raise _invalid(f"tool_choice.type: must be auto, any, tool or none, not {choice.type!r}.")
    return ToolChoice(mode, choice.name, not choice.disable_parallel_tool_use)


def _raw_text(raw: Raw | UnsetType) -> str:
    return "" if isinstance(raw, UnsetType) else bytes(raw).decode()


def _place(error: str, prefix: str = "") -> str:
    """msgspec's "Expected `str`, got `int` - at `$.messages[0].role`" as "messages.0.role: Expected ..."."""
    what, _, path = error.partition(" - at `$")
    place = path.rstrip("`").replace("[...]", "").replace("[", ".").replace("]", "")
    where = (prefix + place).lstrip(".") or "body"
    return f"{where}: {what}."


def _invalid(message: str) -> LandlineError:
    return LandlineError(ErrorKind.INVALID_REQUEST, message)
