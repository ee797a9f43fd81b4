"""A Messages request as a conversation."""

from __future__ import annotations

import base64
import contextlib
from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from landline.core.exchange import Notes
from landline.core.json_text import without_half_surrogates
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
    ToolChoice,
    ToolReference,
    ToolResult,
    ToolUse,
    holds_media,
)
from landline.errors import ErrorKind, LandlineError
from landline.protocols.anthropic_messages.context_management import edits_asked
from landline.protocols.anthropic_messages.server_tools import (
    SEARCH_BLOCKS,
    search_in_history,
)
from landline.protocols.anthropic_messages.tools import Toolset, ToolShelf
from landline.protocols.anthropic_messages.wire import (
    WireBlock,
    WireContent,
    WireFormat,
    WireInner,
    WireMessage,
    WireRequest,
    WireSource,
)

_requests = msgspec.json.Decoder(WireRequest)
_sources = msgspec.json.Decoder(WireSource)

Place = tuple[int, ...]  # of a block: message, block, part of a tool result; written out only in errors

_ROLES = {role.value: role for role in Role} | {"developer": Role.SYSTEM}  # OpenAI's newer word for it
_CHOICES: dict[str, Literal["auto", "any", "tool", "none"]] = {
    "auto": "auto",
    "any": "any",
    "tool": "tool",
    "none": "none",
}
LONGEST_NAME = 512  # of a model; it stands in logs and headers
LARGEST_INTEGER = 2**53  # beyond it, JSON parsers disagree about what a number is

# How Claude Code hands back arguments that it could not parse: {"__unparsedToolInput": {"raw": ..., "len": ...}}.
_UNPARSED = b'{"__unparsedToolInput"'


def _not_empty(wire: WireRequest, conversation: Conversation, *, counting: bool) -> None:
    """Backends answer an empty prompt with errors of their own making."""
    if not wire.messages:
        raise _invalid("messages: at least one message is required.")
    if not counting and not conversation.system and not any(message.blocks for message in conversation.messages):
        raise _invalid("messages: at least one message must have content.")


def decode_request(
    body: bytes, notes: Notes, *, counting: bool = False, shelf: ToolShelf | None = None
) -> tuple[WireRequest, Conversation]:
    """The request as it was written, and as a conversation. Raises LandlineError (invalid_request).

    `counting` is for count_tokens, whose body has no max_tokens. `shelf` remembers tools from one request to the next.
    """
    try:
        wire, conversation = _decode(body, notes, shelf or ToolShelf())
    except msgspec.ValidationError as error:
        raise _invalid(_place(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(f"The request body is not valid JSON: {error}.") from None
    if len(wire.model) > LONGEST_NAME:
        raise _invalid(f"model: must not be longer than {LONGEST_NAME} characters.")
    if not isinstance(wire.thread, UnsetType) and bytes(wire.thread) != b"null":
        raise no_threads()
    _not_empty(wire, conversation, counting=counting)
    if not counting and wire.max_tokens is not None and not 1 <= wire.max_tokens <= LARGEST_INTEGER:
        raise _invalid("max_tokens: must be at least 1." if wire.max_tokens < 1 else "max_tokens: is out of range.")
    return wire, conversation


def no_threads() -> LandlineError:
    """A conversation that the server is to hold, of which each request has the new messages only.

    The tool runners of the SDKs ask for one (`anthropic` 2.11.0, `@anthropic-ai/sdk` 1.14.0) and go on without where
    these details are told. An answer without the earlier messages would be another one; a runner then never ends.
    """
    return LandlineError(
        ErrorKind.INVALID_REQUEST,
        "thread: landline keeps no conversations between requests.",
        hint="Send the whole conversation each time, without `thread`; the SDKs' `thread(...)` does that with "
        "unsupported_request_behavior continue_unthreaded.",
        details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
    )


def _decode(body: bytes, notes: Notes, shelf: ToolShelf) -> tuple[WireRequest, Conversation]:
    """Without the tools, where they are known from before: to skip them takes a third of the time."""
    if (lifted := shelf.lifted(body)) is not None:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):  # which are told of the whole body
            wire = _requests.decode(lifted[0])
            if wire.tools == shelf.mark:
                return wire, _conversation(wire, notes, lifted[1])
    wire = _wire(body, notes)
    return wire, _conversation(wire, notes, _toolset(wire.tools, shelf, body))


def _wire(body: bytes, notes: Notes) -> WireRequest:
    """Strictly first: msgspec refuses half a surrogate pair wherever it stands, also in what it leaves undecoded.

    Only then is the body searched for halves, all of it at once; on a healthy one the search would cost as much as the
    decoding itself (0.14 ms for 100 KB).
    """
    try:
        return _requests.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        whole = without_half_surrogates(body)
        if whole is body:
            raise
        notes.repaired("half of a surrogate pair read as U+FFFD")
        return _requests.decode(whole)


def _conversation(wire: WireRequest, notes: Notes, toolset: Toolset) -> Conversation:
    output = wire.output_config
    form = output.format if output else None
    for field in ("mcp_servers", "container"):
        if getattr(wire, field) is not UNSET:
            notes.drop(field)
    for tool in toolset.dropped:
        notes.drop(tool)
    messages = tuple([_message(index, message, notes) for index, message in enumerate(wire.messages)])
    return Conversation(
        model=wire.model,
        system=_system(wire.system, notes),
        messages=messages,
        tools=toolset.tools,
        media=holds_media(messages),
        tool_choice=_tool_choice(wire),
        max_tokens=wire.max_tokens,
        stop_sequences=tuple(filter(None, wire.stop_sequences or ())),
        sampling=Sampling(wire.temperature, wire.top_p, wire.top_k),
        thinking=_thinking(wire),
        thinking_budget=wire.thinking.budget_tokens if wire.thinking else None,
        effort=(output.effort if output else None) or "",
        answer_schema=_answer_schema(form),
        edits=edits_asked(wire.context_management, notes),
        web_search=toolset.search,
        stream=wire.stream is True,
    )


def _toolset(written: Raw | UnsetType, shelf: ToolShelf, body: bytes) -> Toolset:
    if isinstance(written, UnsetType):
        return Toolset()
    try:
        return shelf.toolset(written, body)
    except msgspec.ValidationError as error:
        raise _invalid(_place(str(error), "tools")) from None


def _answer_schema(form: WireFormat | None) -> Raw | None:
    if form is None or form.type != "json_schema" or isinstance(form.schema, UnsetType):
        return None
    return form.schema


def _thinking(wire: WireRequest) -> Literal["on", "off"] | None:
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
    role = _ROLES.get(message.role)
    if role is None:
        raise _invalid(f"messages.{index}.role: must be user, assistant or system, not {message.role!r}.")
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
        raise _invalid(f"{_path(place)}.content: must be a string or a list of blocks.")
    else:
        inner = [_part(part, (*place, at), notes) for at, part in enumerate(content or ())]
        parts = tuple(part for part in inner if part is not None)
    return ToolResult(block.tool_use_id, parts, block.is_error is True)


def _source(block: WireBlock, place: Place) -> WireSource:
    if isinstance(block.source, UnsetType):
        raise _invalid(f"{_path(place)}.source: field required.")
    try:
        return _sources.decode(block.source)
    except msgspec.ValidationError as error:
        raise _invalid(_place(str(error), f"{_path(place)}.source")) from None


def _image(block: WireBlock, place: Place) -> Image:
    source = _source(block, place)
    match source.type:
        case "base64":
            return Image(media_type=source.media_type, data=source.data)
        case "url":
            return Image(url=source.url)
        case _:
            raise _invalid(f"{_path(place)}.source.type: must be base64 or url, not {source.type!r}.")


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
                raise _invalid(f"{_path(place)}.source.data: is not base64.") from None
        case "base64" if source.media_type == "application/pdf":
            return Document(source.media_type, title, data=source.data)
        case _:
            return Document(source.media_type or source.type, title)


def _tool_choice(wire: WireRequest) -> ToolChoice | None:
    choice = wire.tool_choice
    if choice is None:
        return None
    mode = _CHOICES.get(choice.type)
    if mode is None:
        raise _invalid(f"tool_choice.type: must be auto, any, tool or none, not {choice.type!r}.")
    return ToolChoice(mode, choice.name, not choice.disable_parallel_tool_use)


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


def _place(error: str, prefix: str = "") -> str:
    """msgspec's "Expected `str`, got `int` - at `$.messages[0].role`" as "messages.0.role: Expected ..."."""
    what, _, path = error.partition(" - at `$")
    place = path.rstrip("`").replace("[...]", "").replace("[", ".").replace("]", "")
    where = (prefix + place).lstrip(".") or "body"
    return f"{where}: {what}."


def _invalid(message: str) -> LandlineError:
    return LandlineError(ErrorKind.INVALID_REQUEST, message)
