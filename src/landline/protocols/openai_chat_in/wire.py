"""The fields of a client's chat-completions request that landline reads, as structs.

Unknown fields are ignored by design, and told by their names (see `request.py`). One flat struct serves for all parts
of a message, so that only `type` decides what is looked at.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType


class WireImageUrl(Struct, frozen=True):
    url: str = ""


class WireFile(Struct, frozen=True):
    filename: str = ""
    file_data: str = ""


class WirePart(Struct, frozen=True):
    """From `id` on, those of Messages: calls and results that Cursor writes into the content."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    image_url: WireImageUrl | str | None = None
    file: WireFile | None = None
    id: str = ""
    name: str = ""
    input: Any = None
    tool_use_id: str = ""
    content: str | list[WirePart] | None = None
    is_error: bool | None = None


WireContent = str | list[WirePart] | None


class WireCalled(Struct, frozen=True):
    """A function's call has `arguments`, that of a custom tool `input`."""

    name: str = ""
    arguments: Any = None
    input: str = ""


class WireCall(Struct, frozen=True):
    id: str = ""
    function: WireCalled | None = None
    custom: WireCalled | None = None


class WireMessage(Struct, frozen=True):
    """Thinking has two names: servers and clients write the one or the other."""

    role: str
    content: WireContent = None
    reasoning_content: str | None = None
    reasoning: Any = None
    tool_calls: list[WireCall] | None = None
    tool_call_id: str = ""


class WireElements(Struct, frozen=True):
    """A request's messages as they are written."""

    messages: list[Raw]


class WireFunction(Struct, frozen=True):
    """A function, or a custom tool with the `format` of its text."""

    name: str = ""
    description: Raw | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET
    format: Any = None


class WireTool(Struct, frozen=True):
    """The members behind `custom` are those of a flat tool, as Responses (`parameters`) and Messages have it."""

    type: str = "function"
    function: WireFunction | None = None
    custom: WireFunction | None = None
    name: str = ""
    description: Raw | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET
    input_schema: Raw | UnsetType = UNSET
    format: Any = None


class WireChosen(Struct, frozen=True):
    name: str = ""
    mode: str = ""


class WireToolChoice(Struct, frozen=True):
    type: str = ""
    name: str = ""  # of a flat one
    function: WireChosen | None = None
    custom: WireChosen | None = None
    allowed_tools: WireChosen | None = None


class WireStreamOptions(Struct, frozen=True):
    include_usage: bool | None = None


class WireSchema(Struct, frozen=True):
    schema: Raw | UnsetType = UNSET


class WireFormat(Struct, frozen=True):
    type: str = ""
    json_schema: WireSchema | None = None


class WireTemplateArguments(Struct, frozen=True):
    enable_thinking: bool | None = None


class WireReasoning(Struct, frozen=True):
    effort: str | None = None


class WireRequest(Struct, frozen=True):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[WireMessage]
    tools: Raw | UnsetType = UNSET  # a list of WireTool
    tool_choice: str | WireToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: Raw | UnsetType = UNSET
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    min_p: float | None = None
    logit_bias: dict[str, float] | None = None
    response_format: WireFormat | None = None
    reasoning_effort: str | None = None
    reasoning: WireReasoning | None = None
    enable_thinking: bool | None = None
    chat_template_kwargs: WireTemplateArguments | None = None
    prompt_cache_key: str | None = None
