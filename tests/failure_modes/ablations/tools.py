"""Without these, backends refuse tools and parameters, or clients get what they did not ask for."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from landline.core.events import BlockDelta
from landline.core.exchange import Notes
from landline.core.model import Conversation, Tool
from landline.protocols.anthropic_messages.request import _conversation
from landline.protocols.anthropic_messages.tools import Toolset
from landline.protocols.openai_chat.dialect import Dialect
from landline.protocols.openai_chat.request import chat_request
from landline.server.native import NativeProxy
from tests.failure_modes.ablation import Ablation


def _as_it_stands(conversation: Conversation, *_: Any) -> Conversation:
    return conversation


def _unsampled(conversation: Conversation, own: Any, notes: Notes, *, override: bool) -> Conversation:
    return conversation


def _nothing_to_undo(conversation: Conversation, notes: Notes) -> tuple[Conversation, tuple[()]]:
    return conversation, ()


def _pushed(transform: Any, events: list[Any]) -> list[Any]:
    return events


def _let_out(transform: Any, call: Any, event: Any, out: list[Any]) -> bool:
    left = call.feed(event.text)
    if left and transform._nameless is None:
        out.append(BlockDelta(event.index, left))
    return False


def _only_first_character(name: str, taken: set[str]) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)[:64]


def _raw(raw: bytes, notes: Notes) -> bytes:
    return raw


def _as_told(self: Any, name: str, value: Any, within: Any) -> Any:
    return value


def _unresolved(self: Any, told: Any, within: Any) -> Any:
    return told


def _any_pattern(pattern: str) -> str:
    return pattern


def _no_mend(text: str) -> None:
    return None


def _everything_found(transform: Any, index: int, text: str, out: list[Any]) -> None:
    out.append(BlockDelta(index, text))


def _named(choice: Any, dialect: Dialect, notes: Notes) -> Any:
    return {"type": "function", "function": {"name": choice.tool}} if choice.tool else choice.mode


def _whole(conversation: Conversation, *, dialect: Dialect, notes: Notes, stream: bool = True, **_: Any) -> bytes:
    request = chat_request(conversation, dialect=dialect, notes=notes, stream=stream)
    return msgspec.json.encode(msgspec.structs.replace(request, stream=conversation.stream))


def _all_stream(wire: Any, notes: Notes, toolset: Toolset, told: Any) -> Conversation:
    return msgspec.structs.replace(_conversation(wire, notes, toolset, told), stream=wire.stream is not False)


async def _no_page(pages: Any, request: Any) -> Any:
    return Response(status_code=404)


def _unchanged(tool: Tool, dialect: Dialect, notes: Notes) -> Tool:
    return tool


_mapped = NativeProxy._mapped


def _written_again(proxy: NativeProxy, body: bytes, call: Any) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(_mapped(proxy, body, call)))


T = "landline.transforms."
ABLATIONS = (
    Ablation("plain_names", "tool names are spelled as backends want them", f"{T}names:plain_names", _nothing_to_undo),
    Ablation("restored_names", "clients get their own tool names", f"{T}names:RestoreNames.push", _pushed),
    Ablation("hashed_names", "spelled names carry a hash", f"{T}names:_spelling", _only_first_character),
    Ablation("readable_schemas", "schemas are written for the backend", f"{T}schemas:_tool", _unchanged),
    Ablation("object_root", "the root of a schema is one object", f"{T}schemas:_object_root", _raw),
    Ablation("plain_schemas", "schemas are simplified for grammars", f"{T}schemas:_plain", _raw),
    Ablation("plain_patterns", "patterns are written plainly", f"{T}schemas:plain_pattern", _any_pattern),
    Ablation("plain_keywords", "keywords are simplified at every depth", f"{T}schemas:_Plainer._keyword", _as_told),
    Ablation("resolved_references", "references are resolved", f"{T}schemas:_Plainer._resolved", _unresolved),
    Ablation("taught_mends", "refusals teach", "landline.upstream.failures:_taught", _no_mend),
    Ablation("seen_images", "pictures become words for the blind", f"{T}media:seen_images", _as_it_stands),
    Ablation("visible_media", "pictures leave tool results", f"{T}media:visible_media", _as_it_stands),
    Ablation("object_arguments", "arguments become an object", f"{T}tool_repair:RepairCalls.push", _pushed),
    Ablation("endless_blanks", "endless white space is noticed", f"{T}tool_repair:RepairCalls._delta", _let_out),
    Ablation("tool_choices", "tool_choice is mapped", "landline.protocols.openai_chat.request:_tool_choice", _named),
    Ablation("own_stops", "stop strings are applied here", f"{T}stop_strings:own_stops", _nothing_to_undo),
    Ablation("held_stops", "stop strings are found", f"{T}stop_strings:StopStrings._piece", _everything_found),
    Ablation(
        "streamed_upstream",
        "backends are always asked for a stream",
        "landline.protocols.openai_chat.request:encode_request",
        _whole,
    ),
    Ablation(
        "true_streams",
        "only stream: true streams",
        "landline.protocols.anthropic_messages.request:_conversation",
        _all_stream,
    ),
    Ablation("verbatim", "what a native backend gets", "landline.server.native:NativeProxy._mapped", _written_again),
    Ablation("configured_sampling", "the user's sampling is sent", f"{T}sampling:sampled", _unsampled),
    Ablation("family_sampling", "the family's sampling is sent", f"{T}sampling:family_sampled", _as_it_stands),
    Ablation("probes", "probes are answered", "landline.server.endpoints:Pages.hello", _no_page),
)
