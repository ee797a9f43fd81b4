"""The fields of chat completions that landline writes (requests) and reads (stream chunks)."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

# ------------------------------------------------------------------------------------------------ requests


class TextPart(Struct, tag_field="type", tag="text", frozen=True):
    text: str


class ImageUrl(Struct, frozen=True):
    url: str


class ImagePart(Struct, tag_field="type", tag="image_url", frozen=True):
    image_url: ImageUrl


class CalledFunction(Struct, frozen=True):
    name: str
    arguments: str


class ToolCall(Struct, frozen=True):
    id: str
    function: CalledFunction
    type: str = "function"


class SystemMessage(Struct, tag_field="role", tag="system", frozen=True):
    content: str


class UserMessage(Struct, tag_field="role", tag="user", frozen=True):
    content: str | list[TextPart | ImagePart]


class AssistantMessage(Struct, tag_field="role", tag="assistant", frozen=True, omit_defaults=True):
    """Thinking goes out under both names: servers read one or the other, and ignore what they do not know."""

    content: str
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(Struct, tag_field="role", tag="tool", frozen=True):
    tool_call_id: str
    content: str


ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage


class Function(Struct, frozen=True):
    name: str
    description: Raw
    parameters: Raw


class FunctionTool(Struct, frozen=True):
    function: Function
    type: str = "function"


class StreamOptions(Struct, frozen=True, omit_defaults=True):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """None leaves a field out. The order is that of a rendered prompt, so that a later turn extends the bytes of the
    earlier one up to the end of its messages.
    """

    model: str
    tools: Raw | None = None  # a list of FunctionTool
    messages: list[ChatMessage]
    stream: bool
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    min_p: float | None = None
    logit_bias: dict[str, float] | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    thinking_token_budget: int | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    stream_options: StreamOptions | None = None
    id_slot: int | None = None
    cache_salt: str | None = None


# ------------------------------------------------------------------------------------------------ stream chunks


class FunctionDelta(Struct, gc=False):
    """`arguments` is text by the standard; some servers send the object itself."""

    name: str | None = None
    arguments: Any = None


class ToolCallDelta(Struct):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class ContentPart(Struct, gc=False):
    """`thinking` is Mistral's: the same parts again, or text."""

    type: str = ""
    text: str | None = None
    thinking: Any = None


class Delta(Struct):
    """`content` is text by the standard; some servers send the list of parts that requests have."""

    content: str | list[ContentPart] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class Choice(Struct):
    """`stop_reason` is vLLM's: the stop string that matched, or the id of a stop token."""

    delta: Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class PromptDetails(Struct, gc=False):
    cached_tokens: int | None = None


class CompletionDetails(Struct, gc=False):
    reasoning_tokens: int | None = None


class ChunkUsage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Chunk(Struct):
    """One `data:` of a stream. `error` and `message` appear when a server fails in mid-stream."""

    choices: list[Choice] | None = None
    usage: ChunkUsage | None = None
    error: Any = None
    object: str | None = None
    message: str | None = None
