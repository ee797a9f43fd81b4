"""The fields of the Anthropic Messages API that landline reads, as structs.

Unknown fields are ignored by design: clients add some with nearly every release. One flat struct serves for all block
types, so that a block type nobody has heard of yet still decodes, and only `type` decides what is looked at.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType


class WireSource(Struct, frozen=True):
    type: str = ""
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: WireInner = None


class WireBlock(Struct, frozen=True):
    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str = ""
    name: str = ""
    title: str | None = None
    tool_name: str = ""
    tool_use_id: str = ""
    is_error: bool | None = None
    input: Raw | UnsetType = UNSET
    content: WireInner = None
    source: Raw | UnsetType = UNSET
    url: str | None = None
    encrypted_content: str | None = None


WireContent = str | list[WireBlock] | None
WireInner = str | list[WireBlock] | dict[str, Any] | None  # of a block; an object where a vendor's tool failed


class WireMessage(Struct, frozen=True):
    role: str
    content: WireContent = None


class WireElements(Struct, frozen=True):
    """A request's messages as they are written."""

    messages: list[Raw]


class WireTool(Struct, frozen=True):
    """A tool with a schema is the client's own; one without (only a `type`) runs on the vendor's servers."""

    name: str = ""
    type: str | None = None
    description: Raw | UnsetType = UNSET
    input_schema: Raw | UnsetType = UNSET
    defer_loading: bool | None = None
    max_uses: int | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class WireToolChoice(Struct, frozen=True):
    type: str
    name: str = ""
    disable_parallel_tool_use: bool = False


class WireThinking(Struct, frozen=True):
    type: str = ""
    budget_tokens: int | None = None


class WireFormat(Struct, frozen=True):
    type: str = ""
    schema: Raw | UnsetType = UNSET


class WireOutputConfig(Struct, frozen=True):
    format: WireFormat | None = None
    effort: str | None = None


class WireRequest(Struct, frozen=True):
    """`POST /v1/messages` and `/v1/messages/count_tokens`; the last four have no counterpart in other protocols."""

    model: str
    messages: list[WireMessage]
    system: WireContent = None
    tools: Raw | UnsetType = UNSET  # a list of WireTool
    tool_choice: WireToolChoice | None = None
    max_tokens: int | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: WireThinking | None = None
    output_config: WireOutputConfig | None = None
    metadata: Raw | UnsetType = UNSET
    context_management: Raw | UnsetType = UNSET
    mcp_servers: Raw | UnsetType = UNSET
    container: Raw | UnsetType = UNSET
    thread: Raw | UnsetType = UNSET
