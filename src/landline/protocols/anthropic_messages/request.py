"""A Messages request as a conversation."""

from __future__ import annotations

import contextlib
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from landline.core.exchange import Notes
from landline.core.growing import Growing
from landline.core.json_text import without_half_surrogates
from landline.core.model import (
    Conversation,
    Message,
    Sampling,
    ToolChoice,
    holds_media,
)
from landline.errors import ErrorKind, LandlineError
from landline.protocols.anthropic_messages.context_management import edits_asked
from landline.protocols.anthropic_messages.known import Known
from landline.protocols.anthropic_messages.messages import in_words, invalid, read_message
from landline.protocols.anthropic_messages.tools import Toolset, ToolShelf
from landline.protocols.anthropic_messages.wire import (
    WireContent,
    WireElements,
    WireFormat,
    WireRequest,
)

_requests = msgspec.json.Decoder(WireRequest)
_elements = msgspec.json.Decoder(WireElements)

_CHOICES: dict[str, Literal["auto", "any", "tool", "none"]] = {
    "auto": "auto",
    "any": "any",
    "tool": "tool",
    "none": "none",
}
LONGEST_NAME = 512  # of a model; it stands in logs and headers
LARGEST_INTEGER = 2**53  # beyond it, JSON parsers disagree about what a number is


def _not_empty(wire: WireRequest, conversation: Conversation, *, counting: bool) -> None:
    """Backends answer an empty prompt with errors of their own making."""
    if not wire.messages:
        raise invalid("messages: at least one message is required.")
    if not counting and not conversation.system and not any(message.blocks for message in conversation.messages):
        raise invalid("messages: at least one message must have content.")


def decode_request(
    body: bytes, notes: Notes, *, counting: bool = False, known: Known | None = None
) -> tuple[WireRequest, Conversation]:
    """The request as it was written, and as a conversation. Raises LandlineError (invalid_request).

    `counting` is for count_tokens, whose body has no max_tokens. `known` remembers tools and messages from one request
    to the next.
    """
    try:
        wire, conversation = _decode(body, notes, known or Known())
    except msgspec.ValidationError as error:
        raise invalid(in_words(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"The request body is not valid JSON: {error}.") from None
    if len(wire.model) > LONGEST_NAME:
        raise invalid(f"model: must not be longer than {LONGEST_NAME} characters.")
    if not isinstance(wire.thread, UnsetType) and bytes(wire.thread) != b"null":
        raise no_threads()
    _not_empty(wire, conversation, counting=counting)
    if not counting and wire.max_tokens is not None and not 1 <= wire.max_tokens <= LARGEST_INTEGER:
        raise invalid("max_tokens: must be at least 1." if wire.max_tokens < 1 else "max_tokens: is out of range.")
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


def _decode(body: bytes, notes: Notes, known: Known) -> tuple[WireRequest, Conversation]:
    """Without what is known from before: of most requests, nearly everything is."""
    told = known.messages.lifted(body)
    rest = body if told is None else told.body
    listed = known.tools.lifted(rest)
    rest = rest if listed is None else listed[0]
    if rest is not body:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):  # which are told of the whole body
            wire = _requests.decode(rest)
            messages_stand = told is None or known.messages.stand_first(wire.messages)
            if messages_stand and (listed is None or wire.tools == known.tools.mark):
                toolset = _toolset(wire.tools, known.tools, rest) if listed is None else listed[1]
                return wire, _conversation(wire, notes, toolset, Growing(known.messages, body, rest, told))
    wire = _wire(body, notes)
    toolset = _toolset(wire.tools, known.tools, body)
    return wire, _conversation(wire, notes, toolset, Growing(known.messages, body, body, None))


def _as_written(rest: bytes) -> list[Raw]:
    return _elements.decode(rest).messages


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


def _conversation(wire: WireRequest, notes: Notes, toolset: Toolset, told: Growing[Message]) -> Conversation:
    output = wire.output_config
    form = output.format if output else None
    for field in ("mcp_servers", "container"):
        if getattr(wire, field) is not UNSET:
            notes.drop(field)
    for tool in toolset.dropped:
        notes.drop(tool)
    messages = told.read(wire.messages, notes, one=read_message, raw=_as_written)
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
        raise invalid(in_words(str(error), "tools")) from None


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


def _tool_choice(wire: WireRequest) -> ToolChoice | None:
    choice = wire.tool_choice
    if choice is None:
        return None
    mode = _CHOICES.get(choice.type)
    if mode is None:
        raise invalid(f"tool_choice.type: must be auto, any, tool or none, not {choice.type!r}.")
    return ToolChoice(mode, choice.name, not choice.disable_parallel_tool_use)
