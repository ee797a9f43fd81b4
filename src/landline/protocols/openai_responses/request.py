"""A Responses request as a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from landline.core.exchange import Notes
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
    ToolResult,
    Tools,
    ToolUse,
    holds_media,
)
from landline.core.searches import TOOL
from landline.core.shelf import Shelf
from landline.errors import LandlineError
from landline.protocols.openai_client.media import file, picture
from landline.protocols.openai_client.reading import (
    ROLES,
    arguments_of,
    check_model,
    invalid,
    limit_of,
    read_body,
)
from landline.protocols.openai_client.tools import Toolset, chosen, custom_call, toolset_of
from landline.protocols.openai_responses.keeping import read_items
from landline.protocols.openai_responses.reasoning import ASKED_SEALED, OWN_WORDS, SUMMARY, Style, thought
from landline.protocols.openai_responses.tools import read_tools
from landline.protocols.openai_responses.web_search import NO_MORE_HERE, is_search, query_of, read_back
from landline.protocols.openai_responses.wire import (
    WireContent,
    WireItem,
    WirePart,
    WireRequest,
    WireToolChoice,
)

_requests = msgspec.json.Decoder(WireRequest)

_KNOWN = frozenset(WireRequest.__struct_fields__)
ASKED_SOURCES = "web_search_call.action.sources"  # in `include`
NO_SEARCHER = "tool web_search (no search service is configured: search.url or search.command)"
# What changes nothing of an answer here.
_ASIDE = frozenset(("stream_options", "user", "safety_identifier", "service_tier", "client_metadata"))


class ResponsesRequest(Struct, frozen=True):
    """`echo` is what the response repeats of the request; nothing here keeps the request's bytes."""

    conversation: Conversation
    toolset: Toolset
    session: str
    thinking: Style
    sealed: bool
    echo: dict[str, Any]
    sources: bool = False  # the client wants to know the pages of each search
    searching: bool = False  # the model may search
    searches: int = 0  # in the history


class Read(NamedTuple):
    """A request that was decoded, and its members as they were written."""

    wire: WireRequest
    members: dict[str, Raw]

    @property
    def input(self) -> Raw | UnsetType:
        """As it was written."""
        return self.members.get("input", UNSET)


def tool_shelf() -> Shelf[Toolset]:
    return Shelf(read_tools)


def decode_request(body: bytes, notes: Notes, *, shelf: Shelf[Toolset] | None = None) -> ResponsesRequest:
    """Where nothing is kept between requests. Raises LandlineError (invalid_request)."""
    read = read_request(body, notes)
    if read.wire.previous_response_id:
        raise nothing_kept()
    return request_of(read, notes, shelf=shelf)


def read_request(body: bytes, notes: Notes) -> Read:
    """Raises LandlineError (invalid_request)."""
    wire, members = read_body(_requests, body, notes)
    check_model(wire.model)
    if wire.background:
        raise invalid("background: landline keeps no responses to be fetched later.", hint="Leave it out, and stream.")
    for field in ("conversation", "prompt"):
        if bytes(getattr(wire, field) or b"null") != b"null":
            raise invalid(f"{field}: landline keeps none.", hint="Send everything in `input` and `instructions`.")
    for field in members.keys() - _KNOWN - _ASIDE:
        notes.drop(field[:60])
    return Read(wire, members)


def nothing_kept() -> LandlineError:
    """What refers to an earlier response is refused: an answer without it would be another answer."""
    return invalid(
        "previous_response_id: landline keeps no responses.",
        hint="Send the whole conversation as `input`, or have them kept: store.responses = true in landline.toml.",
    )


def request_of(
    read: Read,
    notes: Notes,
    *,
    shelf: Shelf[Toolset] | None = None,
    earlier: Sequence[WireItem] = (),
    searcher: bool = False,
) -> ResponsesRequest:
    """`earlier` are the items before those of the request itself; `searcher`: there is a service for searches.

    Raises LandlineError (invalid_request).
    """
    wire = read.wire
    toolset = toolset_of(wire.tools, shelf or tool_shelf())
    for tool in toolset.dropped:
        notes.drop(tool)
    searching = toolset.search is not None and searcher
    if toolset.search is not None and not searcher:
        notes.drop(NO_SEARCHER)
    reader = _Input(toolset, notes)
    conversation = _conversation(wire, reader, earlier, toolset.searching if searching else toolset.tools)
    include = wire.include or ()
    asked_summary = wire.reasoning is not None and wire.reasoning.summary not in (None, "none")
    return ResponsesRequest(
        conversation,
        toolset,
        wire.prompt_cache_key or "",
        SUMMARY if asked_summary else OWN_WORDS,
        ASKED_SEALED in include,
        _echo(wire),
        ASKED_SOURCES in include,
        searching,
        reader.searches,
    )


def _conversation(wire: WireRequest, reader: _Input, earlier: Sequence[WireItem], tools: Tools) -> Conversation:
    toolset = reader.toolset
    if wire.instructions:
        reader.message(Role.SYSTEM, (Text(wire.instructions),))
    for item in earlier:
        reader.take(item, "previous_response_id")
    if isinstance(wire.input, str):
        reader.message(Role.USER, (Text(wire.input),) if wire.input else ())
    for at, item in enumerate(wire.input if isinstance(wire.input, list) else ()):
        reader.take(item, f"input.{at}")
    messages = reader.finished()
    if not any(message.blocks for message in messages):
        raise invalid("input: must not be empty.")
    form = wire.text.format if wire.text else None
    return Conversation(
        model=wire.model,
        messages=messages,
        tools=tools,
        media=holds_media(messages),
        tool_choice=_tool_choice(wire, toolset, searching=tools is toolset.searching),
        max_tokens=limit_of("max_output_tokens", wire.max_output_tokens),
        sampling=Sampling(wire.temperature, wire.top_p),
        effort=(wire.reasoning.effort if wire.reasoning else None) or "",
        answer_schema=_answer_schema(form.type, form.schema) if form else None,
        stream=wire.stream is True,
    )


def _answer_schema(kind: str, schema: Raw | UnsetType) -> Raw | None:
    if kind == "json_object":
        return Raw(b'{"type":"object"}')
    return None if kind != "json_schema" or isinstance(schema, UnsetType) else schema


def _tool_choice(wire: WireRequest, toolset: Toolset, *, searching: bool) -> ToolChoice | None:
    choice = wire.tool_choice
    if not isinstance(choice, WireToolChoice):
        return chosen(choice or "", (), parallel=wire.parallel_tool_calls)
    if is_search(choice.type) and searching:
        return chosen("tool", (toolset.search_name,), parallel=wire.parallel_tool_calls)
    if choice.type in ("function", "custom"):
        names = (toolset.name(choice.name, choice.namespace or ""),)
        return chosen("tool", names, parallel=wire.parallel_tool_calls)
    # Of some tools only ("allowed_tools"), or a hosted one: how far it must be a call is what can be kept of it.
    return chosen(choice.mode or "auto", (), parallel=wire.parallel_tool_calls)


def _echo(wire: WireRequest) -> dict[str, Any]:
    effort = wire.reasoning.effort if wire.reasoning else None
    return {
        "max_output_tokens": wire.max_output_tokens,
        "metadata": wire.metadata or {},
        "parallel_tool_calls": wire.parallel_tool_calls is not False,
        "reasoning": {"effort": effort, "summary": wire.reasoning.summary if wire.reasoning else None},
        "temperature": wire.temperature,
        "tool_choice": wire.tool_choice if isinstance(wire.tool_choice, str) else "auto",
        "top_p": wire.top_p,
    }


def answered(items: bytes, toolset: Toolset, notes: Notes, *, searches: int) -> tuple[Message, ...]:
    """The turns that a list of items of an answer stands for, behind a history with so many searches."""
    reader = _Input(toolset, notes, searches)
    for item in read_items(items):
        reader.take(item, "output")
    return reader.finished()


class _Input:
    """Items one after the other, put together to the turns that they are parts of.

    A search is a call with its result, whose id is its number: clients keep no ids of such items.
    """

    def __init__(self, toolset: Toolset, notes: Notes, searches: int = 0) -> None:
        self.toolset = toolset
        self.searches = searches
        self._searched = ""  # the call whose result is still looked for
        self._notes = notes
        self._messages: list[Message] = []
        self._said: list[Block] = []  # of the model's turn that is being read
        self._results: list[Block] = []

    def take(self, item: WireItem, place: str) -> None:
        if self._searched:
            found = read_back(item)
            self._found(found or NO_MORE_HERE)
            if found:
                return
        self._take(item, place)

    def _take(self, item: WireItem, place: str) -> None:
        match item.type or "message":
            case "message":
                self._take_message(item, place)
            case "reasoning":
                if text := thought(item):
                    self._say(Thinking(text))
            case "function_call":
                name = self.toolset.name(item.name, item.namespace or "")
                self._say(ToolUse(item.call_id, name, arguments_of(item.arguments, self._notes)))
            case "custom_tool_call":
                self._say(custom_call(item.call_id, item.name, item.input or ""))
            case "function_call_output" | "custom_tool_call_output":
                self._result(item, place)
            case "web_search_call":
                self._take_search(item)
            case "item_reference":
                raise invalid(
                    f"{place}: landline keeps no items to refer to.",
                    hint="Send the items themselves, as with `store: false`.",
                )
            case other:
                self._notes.drop(f"item {other[:60]}")

    def message(self, role: Role, blocks: tuple[Block, ...]) -> None:
        self._end_turn()
        self._messages.append(Message(role, blocks))

    def finished(self) -> tuple[Message, ...]:
        if self._searched:
            self._found(NO_MORE_HERE)
        self._end_turn()
        return tuple(self._messages)

    def _take_message(self, item: WireItem, place: str) -> None:
        role = ROLES.get(item.role)
        if role is None:
            raise invalid(f"{place}.role: must be user, assistant, system or developer, not {item.role[:60]!r}.")
        blocks = _parts(item.content, f"{place}.content", self._notes)
        if role is Role.ASSISTANT:
            for block in blocks:
                self._say(block)
        else:
            self.message(role, blocks)

    def _take_search(self, item: WireItem) -> None:
        self.searches += 1
        self._searched = f"search_{self.searches}"
        name = self.toolset.search_name or TOOL.name
        self._say(ToolUse(self._searched, name, msgspec.json.encode({"query": query_of(item)}).decode()))
        if found := read_back(item):
            self._found(found)

    def _found(self, words: str) -> None:
        self._end_turn()
        self._results.append(ToolResult(self._searched, (Text(words),)))
        self._searched = ""

    def _say(self, block: Block) -> None:
        if self._results:
            self._end_turn()
        self._said.append(block)

    def _result(self, item: WireItem, place: str) -> None:
        output = item.output
        if isinstance(output, dict):
            raise invalid(f"{place}.output: must be a string or a list of parts.")
        if self._said:
            self._end_turn()
        self._results.append(ToolResult(item.call_id, _parts(output, f"{place}.output", self._notes)))

    def _end_turn(self) -> None:
        if self._said:
            self._messages.append(Message(Role.ASSISTANT, tuple(self._said)))
        if self._results:
            self._messages.append(Message(Role.USER, tuple(self._results)))
        self._said, self._results = [], []


def _parts(content: WireContent, place: str, notes: Notes) -> tuple[ResultPart, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    found = [_part(part, f"{place}.{at}", notes) for at, part in enumerate(content or ())]
    return tuple([part for part in found if part is not None])


def _part(part: WirePart, place: str, notes: Notes) -> Text | Image | Document | Opaque | None:
    match part.type:
        case "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text":
            return Text(part.text) if part.text else None
        case "refusal":
            return Text(part.refusal) if part.refusal else None
        case "input_image":
            return picture(part.image_url or "", place)
        case "input_file":
            return file(part.filename or "", part.file_data or "", place)
        case other:
            notes.drop(f"part {other[:60]}")
            return Opaque(other)
