"""A conversation as a chat-completions request.

Chat knows no order between text and tool results inside one message, so results leave first, each as a message of its
own, and what the user said beside them follows. Nothing is merged across messages: the request of a later turn must
begin with the bytes of the earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from landline.core.exchange import Notes
from landline.core.model import (
    NO_FURTHER,
    Block,
    Conversation,
    Document,
    Image,
    Message,
    Opaque,
    ResultPart,
    Role,
    Text,
    Thinking,
    ToolChoice,
    ToolReference,
    ToolResult,
    Tools,
    ToolUse,
)
from landline.protocols.openai_chat.dialect import ANYWHERE, Dialect, Placement, Tooling
from landline.protocols.openai_chat.thinking import thinking_fields
from landline.protocols.openai_chat.wire import (
    AssistantMessage,
    CalledFunction,
    ChatMessage,
    ChatRequest,
    Function,
    FunctionTool,
    ImagePart,
    ImageUrl,
    StreamOptions,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)

_encode = msgspec.json.Encoder().encode

_WORDED = (Text, Document, ToolReference)

# A tool message has no field for failure, so the model is told in words, before the tool's own.
FAILED = "[the tool call failed]\n"


def encode_request(
    conversation: Conversation,
    *,
    dialect: Dialect,
    notes: Notes,
    stream: bool = True,
    placement: Placement = ANYWHERE,
) -> bytes:
    """The body of `POST /v1/chat/completions`. Always a streamed request, except for counting prompts."""
    request = chat_request(conversation, dialect=dialect, notes=notes, stream=stream)
    if conversation.further is not NO_FURTHER:
        request = msgspec.structs.replace(request, **msgspec.structs.asdict(conversation.further))
    if placement != ANYWHERE:
        request = msgspec.structs.replace(request, id_slot=placement.slot, cache_salt=placement.salt)
    return _encode(request)


def chat_request(conversation: Conversation, *, dialect: Dialect, notes: Notes, stream: bool = True) -> ChatRequest:
    tools = conversation.tools
    sampling = conversation.sampling
    if sampling.top_k is not None and not dialect.top_k:
        notes.drop("top_k")
    begun = _begun(conversation)
    thinking = thinking_fields(conversation, dialect, notes, begun=begun)
    choice = _asked(conversation.tool_choice, dialect) if tools else None
    return ChatRequest(
        model=conversation.model,
        messages=chat_messages(conversation, notes),
        stream=stream,
        tools=tools.once(_written) if tools else None,
        tool_choice=_tool_choice(choice, dialect, notes) if choice else None,
        parallel_tool_calls=False if choice and not choice.parallel else None,
        max_tokens=conversation.max_tokens,
        stop=conversation.stop_sequences or None,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k if dialect.top_k else None,
        response_format=_response_format(conversation),
        reasoning_effort=thinking.reasoning_effort,
        thinking_token_budget=thinking.thinking_token_budget,
        chat_template_kwargs={**dict(dialect.keep_thinking), **(thinking.template_arguments or {})} or None,
        add_generation_prompt=False if begun and dialect.continues_answers else None,
        continue_final_message=True if begun and dialect.continues_answers else None,
        stream_options=_stream_options(dialect) if stream else None,
    )


def _written(tools: Tools) -> Raw:
    """The list as it is sent. It is most of a request's bytes, and each turn of a session has the same."""
    return Raw(_encode([FunctionTool(Function(tool.name, tool.description, tool.schema)) for tool in tools]))


def _stream_options(dialect: Dialect) -> StreamOptions | None:
    return StreamOptions(True, dialect.continuous_usage or None) if dialect.stream_options else None


def _begun(conversation: Conversation) -> bool:
    """Whether the client wrote the first words of the answer, which the model is to go on with.

    Servers refuse that while the model may think: the words would stand before its thoughts.
    """
    last = conversation.messages[-1:]
    if not last or last[0].role is not Role.ASSISTANT:
        return False
    kinds = {type(block) for block in last[0].blocks}
    return Text in kinds and ToolUse not in kinds


def chat_messages(conversation: Conversation, notes: Notes) -> list[ChatMessage]:
    """System text first, then each message of the conversation as one or more chat messages, in place."""
    out: list[ChatMessage] = []
    if conversation.system:
        out.append(SystemMessage("\n\n".join(conversation.system)))
    for message in conversation.messages:
        match message.role:
            case Role.USER:
                out.extend(_user(message.blocks, notes))
            case Role.ASSISTANT:
                out.append(_assistant(message, notes))
            case Role.SYSTEM:
                out.append(SystemMessage("\n".join(_texts(message.blocks))))
    return out


def _user(blocks: Iterable[Block], notes: Notes) -> list[ChatMessage]:
    results: list[ChatMessage] = []
    rest: list[TextPart | ImagePart] = []
    for block in blocks:
        if isinstance(block, ToolResult):
            text = _result_text(block.parts, notes)
            results.append(ToolMessage(block.tool_use_id, FAILED + text if block.failed else text))
        else:
            part = _part(block, notes)
            if part is not None:
                rest.append(part)
    if rest or not results:
        results.append(UserMessage(_content(rest)))
    return results


def _result_text(parts: tuple[ResultPart, ...], notes: Notes) -> str:
    if len(parts) == 1 and type(parts[0]) is Text:
        return parts[0].text
    if any(isinstance(part, Image) for part in parts):
        notes.drop("image in a tool result")
    return "\n".join(_texts(parts))


def _content(parts: list[TextPart | ImagePart]) -> str | list[TextPart | ImagePart]:
    """Text alone as one string, so that a string and a list of one text block render alike."""
    if len(parts) == 1 and type(parts[0]) is TextPart:
        return parts[0].text
    texts = [part.text for part in parts if type(part) is TextPart]
    return "\n".join(texts) if len(texts) == len(parts) else parts


def _part(block: Block, notes: Notes) -> TextPart | ImagePart | None:
    match block:
        case Text() | ToolReference():
            return TextPart(block.text)
        case Image():
            return ImagePart(ImageUrl(f"data:{block.media_type or 'image/png'};base64,{block.data}"))
        case Document():
            return TextPart(block.text or "")
        case _:
            notes.drop(_misplaced(block, "a user message"))
            return None


def _texts(parts: Iterable[Block | ResultPart]) -> list[str]:
    return [part.text for part in parts if isinstance(part, _WORDED) and part.text is not None]


def _assistant(message: Message, notes: Notes) -> AssistantMessage:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for block in message.blocks:
        match block:
            case Text():
                if calls:
                    notes.repaired("text after a tool call moved before it")
                texts.append(block.text)
            case Thinking():
                thoughts.append(block.text)
            case ToolUse():
                calls.append(ToolCall(block.id, CalledFunction(block.name, block.arguments)))
            case _:
                notes.drop(_misplaced(block, "an assistant message"))
    thought = "\n".join(filter(None, thoughts)) or None
    return AssistantMessage("".join(texts), thought, thought, tuple(calls))


def _misplaced(block: Block, place: str) -> str:
    return f"block {block.kind}" if isinstance(block, Opaque) else f"{type(block).__name__} in {place}"


def _asked(choice: ToolChoice | None, dialect: Dialect) -> ToolChoice | None:
    """Where nobody reads calls, `auto` is refused: a server that is told `none` still shows the model its tools."""
    if dialect.tools is not Tooling.UNREAD or (choice is not None and choice.mode == "tool"):
        return choice
    return ToolChoice("none")


def _tool_choice(choice: ToolChoice, dialect: Dialect, notes: Notes) -> str | dict[str, Any] | None:
    if not dialect.tool_choice:
        if choice.mode != "auto":
            notes.drop(f"tool_choice {choice.mode}: the backend cannot be told")
        return None
    match choice.mode:
        case "any":
            return "required"
        case "tool" if dialect.named_tool_choice:
            return {"type": "function", "function": {"name": choice.tool}}
        case "tool":
            notes.repaired("tool_choice of one tool sent as required: the backend knows no more")
            return "required"
        case _:
            return choice.mode


def _response_format(conversation: Conversation) -> dict[str, Any] | None:
    if conversation.answer_schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": conversation.answer_schema}}
