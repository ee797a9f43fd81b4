"""A client's chat request as a conversation."""

from __future__ import annotations

import contextlib
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from landline.core.exchange import Notes
from landline.core.growing import Growing
from landline.core.model import (
    NO_FURTHER,
    Block,
    Conversation,
    Document,
    FurtherSampling,
    Image,
    Message,
    Opaque,
    ResultPart,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
    holds_media,
)
from landline.errors import LandlineError
from landline.protocols.openai_chat_in.known import Element, Known
from landline.protocols.openai_chat_in.wire import (
    WireCall,
    WireContent,
    WireElements,
    WireFile,
    WireFormat,
    WireMessage,
    WirePart,
    WireRequest,
    WireToolChoice,
)
from landline.protocols.openai_client.media import file, picture
from landline.protocols.openai_client.reading import (
    LARGEST_INTEGER,
    ROLES,
    arguments_of,
    check_model,
    invalid,
    limit_of,
    read_body,
)
from landline.protocols.openai_client.tools import Toolset, chosen, custom_call, toolset_of

_requests = msgspec.json.Decoder(WireRequest)
_elements = msgspec.json.Decoder(WireElements)

_KNOWN = frozenset(WireRequest.__struct_fields__)
# What changes nothing of an answer here.
_ASIDE = frozenset(("store", "user", "metadata", "service_tier", "safety_identifier"))
_MODES_OF_MESSAGES = {"any": "required", "none": "none"}


class _Kind(Struct, frozen=True):
    """The members by which a request of the Responses API is known."""

    messages: Raw | UnsetType = UNSET
    input: Raw | UnsetType = UNSET


_kinds = msgspec.json.Decoder(_Kind)


class ChatRequest(Struct, frozen=True):
    conversation: Conversation
    toolset: Toolset
    session: str
    usage: bool  # the stream is to end with the usage
    unknown: tuple[str, ...]  # members that a conversation has no place for


def written_as_responses(body: bytes) -> bool:
    """Whether a body is one of the Responses API: Cursor sends those on the path of chat completions."""
    if b'"input"' not in body:
        return False
    try:
        kind = _kinds.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False  # told in words where it is read as chat
    without_messages = isinstance(kind.messages, UnsetType) or bytes(kind.messages) in (b"null", b"[]")
    return without_messages and not isinstance(kind.input, UnsetType)


def decode_request(body: bytes, notes: Notes, *, known: Known | None = None) -> ChatRequest:
    """`known` remembers tools and messages from one request to the next. Raises LandlineError (invalid_request)."""
    known = known or Known()
    wire, members, told = _read(body, notes, known)
    check_model(wire.model)
    if not wire.messages:
        raise invalid("messages: at least one message is required.")
    if not isinstance(wire.functions, UnsetType) and bytes(wire.functions) not in (b"null", b"[]"):
        raise invalid("functions: this old form is not understood.", hint="Send `tools`.")
    toolset = toolset_of(wire.tools, known.tools)
    conversation = _conversation(wire, toolset, notes, told)
    unknown = sorted(name[:60] for name in members.keys() - _KNOWN - _ASIDE if bytes(members[name]) != b"null")
    if wire.n is not None and wire.n != 1:
        unknown.append("n")
    options = wire.stream_options
    usage = options is not None and options.include_usage is True
    return ChatRequest(conversation, toolset, wire.prompt_cache_key or "", usage, tuple(unknown))


def _read(body: bytes, notes: Notes, known: Known) -> tuple[WireRequest, dict[str, Raw], Growing[Element]]:
    """The request without the messages that are known from before, its members, and where all its messages are."""
    lifted = known.messages.lifted(body)
    if lifted is not None:
        with contextlib.suppress(LandlineError):  # which is told of the whole body
            own = Notes()
            wire, members = read_body(_requests, lifted.body, own)
            if known.messages.stand_first(wire.messages):
                notes.add(own)
                return wire, members, Growing(known.messages, body, lifted.body, lifted)
    return *read_body(_requests, body, notes), Growing(known.messages, body, body, None)


def _as_written(rest: bytes) -> list[Raw]:
    return _elements.decode(rest).messages


def note_unknown(request: ChatRequest, notes: Notes) -> None:
    """What is left out where the request is not forwarded as it is. Raises LandlineError for what nobody may lose."""
    if "n" in request.unknown:
        raise invalid("n: one answer at a time.", hint="Send the request as often as you want answers.")
    for name in (*request.unknown, *request.toolset.dropped):
        notes.drop(name)


def _conversation(wire: WireRequest, toolset: Toolset, notes: Notes, told: Growing[Element]) -> Conversation:
    messages = _messages(told.read(wire.messages, notes, one=_element, raw=_as_written))
    if not any(message.blocks for message in messages):
        raise invalid("messages: at least one message must have content.")
    stops = [wire.stop] if isinstance(wire.stop, str) else wire.stop or []
    return Conversation(
        model=wire.model,
        messages=messages,
        tools=toolset.tools,
        media=holds_media(messages),
        tool_choice=_tool_choice(wire),
        max_tokens=limit_of("max_completion_tokens", wire.max_completion_tokens)
        or limit_of("max_tokens", wire.max_tokens),
        stop_sequences=tuple(filter(None, stops)),
        sampling=Sampling(wire.temperature, wire.top_p, wire.top_k),
        further=_further(wire),
        thinking=_thinking(wire),
        effort=wire.reasoning_effort or (wire.reasoning.effort if wire.reasoning else None) or "",
        answer_schema=_answer_schema(wire.response_format),
        stream=wire.stream is True,
    )


def _further(wire: WireRequest) -> FurtherSampling:
    if wire.seed is not None and abs(wire.seed) > LARGEST_INTEGER:
        raise invalid("seed: is out of range.")
    told = {name: getattr(wire, name) for name in FurtherSampling.__struct_fields__}
    return FurtherSampling(**told) if any(value is not None for value in told.values()) else NO_FURTHER


def _thinking(wire: WireRequest) -> Literal["on", "off"] | None:
    """Two spellings of the switch: Qwen's own API has the first, vLLM and SGLang the second."""
    told = wire.chat_template_kwargs
    switch = wire.enable_thinking if told is None or told.enable_thinking is None else told.enable_thinking
    return None if switch is None else "on" if switch else "off"


def _answer_schema(form: WireFormat | None) -> Raw | None:
    if form is None:
        return None
    if form.type == "json_object":
        return Raw(b'{"type":"object"}')
    schema = form.json_schema.schema if form.json_schema else None
    return schema if isinstance(schema, Raw) else None


def _tool_choice(wire: WireRequest) -> ToolChoice | None:
    choice, parallel = wire.tool_choice, wire.parallel_tool_calls
    if not isinstance(choice, WireToolChoice):
        return chosen(choice or "", (), parallel=parallel)
    named = choice.function or choice.custom
    if named is not None or choice.name:
        return chosen("tool", (named.name if named else choice.name,), parallel=parallel)
    mode = choice.allowed_tools.mode if choice.allowed_tools else _MODES_OF_MESSAGES.get(choice.type)
    return chosen(mode or "auto", (), parallel=parallel)


def _messages(elements: tuple[Element, ...]) -> tuple[Message, ...]:
    """Results that follow each other are one message."""
    out: list[Message] = []
    results: list[ToolResult] = []
    for element in elements:
        if isinstance(element, ToolResult):
            results.append(element)
            continue
        if results:
            out.append(Message(Role.USER, tuple(results)))
            results = []
        out.append(element)
    if results:
        out.append(Message(Role.USER, tuple(results)))
    return tuple(out)


def _element(at: int, message: WireMessage, notes: Notes) -> Element:
    place = f"messages.{at}"
    if message.role == "tool":
        return ToolResult(message.tool_call_id, _parts(message.content, f"{place}.content", notes))
    role = ROLES.get(message.role)
    if role is None:
        known = "user, assistant, tool, system or developer"
        raise invalid(f"{place}.role: must be {known}, not {message.role[:60]!r}.")
    blocks = _blocks(message.content, f"{place}.content", notes)
    if role is Role.ASSISTANT:
        blocks = (*_thoughts(message), *blocks, *_calls(message.tool_calls or [], notes))
    return Message(role, blocks)


def _blocks(content: WireContent, place: str, notes: Notes) -> tuple[Block, ...]:
    """Parts, and among them the calls and results of Messages, which Cursor leaves where they are."""
    if not isinstance(content, list) or not any(part.type in ("tool_use", "tool_result") for part in content):
        return _parts(content, place, notes)
    found: list[Block] = []
    for at, part in enumerate(content):
        if part.type == "tool_use":
            found.append(ToolUse(part.id, part.name, arguments_of(part.input, notes)))
        elif part.type == "tool_result":
            parts = _parts(part.content, f"{place}.{at}.content", notes)
            found.append(ToolResult(part.tool_use_id, parts, part.is_error is True))
        else:
            found += _parts([part], place, notes)
    return tuple(found)


def _thoughts(message: WireMessage) -> tuple[Thinking, ...]:
    text = message.reasoning_content or message.reasoning
    return (Thinking(text),) if isinstance(text, str) and text else ()


def _calls(calls: list[WireCall], notes: Notes) -> list[ToolUse]:
    found: list[ToolUse] = []
    for call in calls:
        if call.custom is not None:
            found.append(custom_call(call.id, call.custom.name, call.custom.input))
        elif call.function is not None:
            found.append(ToolUse(call.id, call.function.name, arguments_of(call.function.arguments, notes)))
    return found


def _parts(content: WireContent, place: str, notes: Notes) -> tuple[ResultPart, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    found = [_part(part, f"{place}.{at}", notes) for at, part in enumerate(content or ())]
    return tuple([part for part in found if part is not None])


def _part(part: WirePart, place: str, notes: Notes) -> Text | Image | Document | Opaque | None:
    match part.type:
        case "text":
            return Text(part.text) if part.text else None
        case "refusal":
            return Text(part.refusal) if part.refusal else None
        case "image_url":
            told = part.image_url
            return picture((told if isinstance(told, str) else told.url if told else ""), place)
        case "file":
            told = part.file or WireFile()
            return file(told.filename, told.file_data, place)
        case other:
            notes.drop(f"part {other[:60]}")
            return Opaque(other)
