"""One conversation, independent of any wire protocol.

Blocks are a closed set. What a protocol says beyond them rides in `Opaque`, which only the protocol it came from may
write again; for every other one it is dropped, and the drop is recorded (see `exchange.Notes`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Raw, Struct


class Text(Struct, frozen=True, gc=False):
    text: str


class Image(Struct, frozen=True, gc=False):
    """A picture: either `data` (base64) or the `url` it was named by; never both."""

    media_type: str = ""
    data: str = ""
    url: str = ""


class Document(Struct, frozen=True, gc=False):
    """A document whose words are known (`text`), or one that cannot be read here (`text` is None)."""

    media_type: str
    title: str = ""
    text: str | None = None


class Thinking(Struct, frozen=True, gc=False):
    text: str
    signature: str = ""


class ToolUse(Struct, frozen=True, gc=False):
    """A call by the model. `arguments` is JSON text, kept as the client wrote it."""

    id: str
    name: str
    arguments: str


class Opaque(Struct, frozen=True, gc=False):
    """What only its own protocol understands; `kind` is that protocol's name for it."""

    kind: str


ResultPart = Text | Image | Document | Opaque


class ToolResult(Struct, frozen=True):
    tool_use_id: str
    parts: tuple[ResultPart, ...]
    failed: bool = False


Block = Text | Image | Document | Thinking | ToolUse | ToolResult | Opaque


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class Message(Struct, frozen=True):
    role: Role
    blocks: tuple[Block, ...]


class Tool(Struct, frozen=True):
    """A tool that the model may call; `schema` is the JSON Schema of its arguments.

    Description (a JSON string) and schema are kept as the client wrote them: tools are most of a request's bytes.
    """

    name: str
    description: Raw
    schema: Raw


class ToolChoice(Struct, frozen=True, gc=False):
    """`tool` names the one tool to call when mode is "tool"."""

    mode: Literal["auto", "any", "tool", "none"]
    tool: str = ""
    parallel: bool = True


class Sampling(Struct, frozen=True, gc=False):
    """None: the client said nothing, so the backend's default rules."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


class Conversation(Struct, frozen=True, kw_only=True):
    """One request to a model."""

    model: str
    system: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    thinking: Literal["on", "off"] | None = None  # None: as the model does by default
    answer_schema: Raw | None = None  # JSON Schema that the answer must follow
    stream: bool = False


class Usage(Struct, frozen=True, gc=False, kw_only=True):
    """Tokens of one answer. `prompt` counts the whole prompt, `cached` the part of it read from the prefix cache."""

    prompt: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    exact: bool = True

    @property
    def fresh(self) -> int:
        """Prompt tokens that were computed."""
        return max(self.prompt - self.cached, 0)


class StopReason(StrEnum):
    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"


def replace_messages(conversation: Conversation, messages: list[Message]) -> Conversation:
    """The same conversation with other messages."""
    return msgspec.structs.replace(conversation, messages=tuple(messages))
