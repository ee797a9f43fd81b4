"""The fields of the OpenAI Responses API that landline reads, as structs.

Unknown fields are ignored by design. One flat struct serves for all items of the input, another for all parts of their
contents, so that what nobody has heard of yet still decodes, and only `type` decides what is looked at.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType


class WirePart(Struct, frozen=True):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    filename: str | None = None
    file_data: str | None = None


WireContent = str | list[WirePart] | None


class WireItem(Struct, frozen=True):
    """`type` may be left out of messages. `input` is a custom tool's text."""

    type: str | None = None
    role: str = ""
    content: WireContent = None
    call_id: str = ""
    name: str = ""
    namespace: str | None = None
    arguments: Any = None
    input: str | None = None
    output: str | list[WirePart] | dict[str, Any] | None = None
    summary: list[WirePart] | None = None
    encrypted_content: str | None = None
    action: dict[str, Any] | None = None  # of a search


class WireFilters(Struct, frozen=True):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class WireTool(Struct, frozen=True):
    """`tools` are those of a namespace, `format` is that of a custom tool's text, `filters` those of a search."""

    type: str = "function"
    name: str = ""
    description: Raw | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET
    format: Any = None
    tools: list[WireTool] | None = None
    filters: WireFilters | None = None


class WireToolChoice(Struct, frozen=True):
    type: str = ""
    name: str = ""
    namespace: str | None = None
    mode: str = ""


class WireReasoning(Struct, frozen=True):
    effort: str | None = None
    summary: str | None = None


class WireFormat(Struct, frozen=True):
    type: str = ""
    schema: Raw | UnsetType = UNSET


class WireText(Struct, frozen=True):
    format: WireFormat | None = None


class WireRequest(Struct, frozen=True):
    """`POST /v1/responses`. Of the last five, each is about something that is kept between requests."""

    model: str
    input: str | list[WireItem] | None = None
    instructions: str | None = None
    tools: Raw | UnsetType = UNSET  # a list of WireTool
    tool_choice: str | WireToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    text: WireText | None = None
    reasoning: WireReasoning | None = None
    include: list[str] | None = None
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    truncation: str | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: Raw | UnsetType = UNSET
    prompt: Raw | UnsetType = UNSET
    background: bool | None = None
