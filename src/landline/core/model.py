"""One conversation, independent of any wire protocol.

Blocks are a closed set. What a protocol says beyond them rides in `Opaque`, which only the protocol it came from may
write again; for every other one it is dropped, and the drop is recorded (see `exchange.Notes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Literal, TypeVar

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
    """A document whose words are known (`text`), or one that cannot be read here (`text` is None).

    `data` (base64) is there until the words were read out of it; `problem` says why they could not be.
    """

    media_type: str
    title: str = ""
    text: str | None = None
    data: str = ""
    problem: str = ""


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


class ToolReference(Struct, frozen=True, gc=False):
    """What a search for tools found: the tool of that name in `Conversation.tools`."""

    name: str

    @property
    def text(self) -> str:
        """In words, where nobody says more."""
        return f"Tool found: {self.name}."


ResultPart = Text | Image | Document | ToolReference | Opaque


class ToolResult(Struct, frozen=True):
    tool_use_id: str
    parts: tuple[ResultPart, ...]
    failed: bool = False


Block = Text | Image | Document | Thinking | ToolUse | ToolResult | ToolReference | Opaque


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
    deferred: bool = False  # found in mid-session by the client's tool search
    plain: bool = False  # known to need nothing (see core/tools.py); False: not looked at


Found = TypeVar("Found")


class Tools(tuple[Tool, ...]):
    """The tools of a request, in their order.

    A client sends the same list in every turn, and every turn has the same object of it: what is worked out about the
    list, or written of it, is kept with it.
    """

    def once(self, work: Callable[[Tools], Found]) -> Found:
        """`work(self)`, done once for this list. `work` is a function of a module; nobody changes what it returns."""
        kept: dict[Any, Any] = self.__dict__
        if work not in kept:
            kept[work] = work(self)
        return kept[work]


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


class FurtherSampling(Struct, frozen=True):
    """Numbers that only clients of OpenAI's protocols send; `logit_bias` is by token ids."""

    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    min_p: float | None = None
    logit_bias: dict[str, float] | None = None


NO_FURTHER = FurtherSampling()


class WebSearch(Struct, frozen=True):
    """Searches that the client expects the server to run while it answers. Domains include their subdomains."""

    max_uses: int | None = None
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()


class ClearToolUses(Struct, frozen=True):
    """Old results are to be cleared, once the prompt has more than `above_tokens`, or `above_uses` calls.

    `inputs`: the arguments too, of all tools (True) or of the named ones.
    """

    above_tokens: int = 100_000
    above_uses: int | None = None
    keep: int = 3
    at_least_tokens: int = 0
    exclude: tuple[str, ...] = ()
    inputs: bool | tuple[str, ...] = False


class ClearThinking(Struct, frozen=True):
    """Thinking is to be kept in the last `turns` turns of the model only."""

    turns: int = 1


Edit = ClearToolUses | ClearThinking


class Cleared(Struct, frozen=True):
    """What one edit did; `tokens` are estimated."""

    tokens: int
    tool_uses: int = 0
    thinking_turns: int = 0


class Conversation(Struct, frozen=True, kw_only=True):
    """One request to a model."""

    model: str
    system: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    tools: Tools = Tools()
    media: bool = True  # pictures or documents may stand in its messages; False spares every look for them
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    further: FurtherSampling = NO_FURTHER
    thinking: Literal["on", "off"] | None = None  # None: as the model does by default
    thinking_budget: int | None = None  # tokens
    effort: str = ""  # as the client named it; empty: it said nothing
    answer_schema: Raw | None = None  # JSON Schema that the answer must follow
    edits: tuple[Edit, ...] = ()  # what the client wants cleared out of its history
    web_search: WebSearch | None = None  # the one tool of a request whose searches the server is to run
    stream: bool = False


class Usage(Struct, frozen=True, gc=False, kw_only=True):
    """Tokens of one answer. `prompt` counts the whole prompt, `cached` the part of it read from the prefix cache.

    `searches` are web searches run for it; None where it could have none.
    """

    prompt: int = 0
    cached: int = 0
    cached_told: bool = False  # the backend reports `cached`; without it, 0 says nothing
    output: int = 0
    reasoning: int = 0
    exact: bool = True
    searches: int | None = None

    @property
    def fresh(self) -> int:
        """Prompt tokens that were computed."""
        return max(self.prompt - self.cached, 0)


class StopReason(StrEnum):
    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"


def holds_media(messages: Iterable[Message]) -> bool:
    """Whether pictures or documents stand in the messages, or in tool results of theirs."""
    blocks = [block for message in messages for block in message.blocks]
    parts = [part for block in blocks if type(block) is ToolResult for part in block.parts]
    return not _MEDIA.isdisjoint((*map(type, blocks), *map(type, parts)))


_MEDIA = frozenset((Image, Document))


def replace_messages(conversation: Conversation, messages: list[Message]) -> Conversation:
    """The same conversation with other messages."""
    return msgspec.structs.replace(conversation, messages=tuple(messages))
