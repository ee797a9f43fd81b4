"""Target: the body of a client's request, through the whole request side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from landline.core import growing, shelf
from landline.core.exchange import Notes
from landline.core.model import Conversation
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.known import Known
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.openai_chat.request import encode_request
from landline.protocols.openai_chat_in.known import Known as ChatKnown
from landline.protocols.openai_chat_in.request import decode_request as decode_chat
from landline.transforms.sequence import outbound
from landline.upstream.backend import DIALECTS

VARIANTS = tuple(DIALECTS.values())
shelf.WORTH_LIFTING = growing.WORTH_LIFTING = 2  # an input is short
SECRET = "5ecret5ecret5ecret"
# They know tools and messages of other inputs, and where they stood.
WARM = Known(secret=SECRET)
WARM_CHAT = ChatKnown(secret=SECRET)

PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}, "title": "t"}
CALL = {"type": "tool_use", "id": "toolu_ll0_YQ", "name": "Bash", "input": {"command": "ls"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_ll0_YQ", "is_error": True, "content": [PICTURE, DOCUMENT]}
FOUND = {"type": "tool_result", "tool_use_id": "x", "content": [{"type": "tool_reference", "tool_name": "Read"}]}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
SEARCHED = {
    "type": "web_search_tool_result",
    "tool_use_id": "y",
    "content": [{"type": "web_search_result", "url": "u"}],
}
SCHEMA = {"$schema": "x", "type": "object", "properties": {"a": {"type": "string", "pattern": "^(?!x)\\/$"}}}
TOOLS = [
    {"name": "Bash", "description": "runs", "input_schema": SCHEMA},
    {"name": "a.b:c", "defer_loading": True, "input_schema": {"anyOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": {}}}},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
]
CONVERSATIONS: tuple[list[dict[str, Any]], ...] = (
    [{"role": "user", "content": "hi"}],
    [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "hi"}, PICTURE]}],
    [
        {"role": "user", "content": [DOCUMENT]},
        {"role": "assistant", "content": [THOUGHT, CALL, {**CALL, "id": "x"}]},
        {"role": "user", "content": [RESULT, FOUND, {"type": "text", "text": "<system-reminder>x</system-reminder>"}]},
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": [SEARCHED, {"type": "text", "text": "so"}]},
    ],
)
CHAT_CALL = {"id": "c", "type": "function", "function": {"name": "Bash", "arguments": '{"command":"ls"}'}}
CHATS: tuple[list[dict[str, Any]], ...] = (
    [
        {"role": "developer", "content": "s"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CHAT_CALL, CHAT_CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "a"},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "go on"},
    ],
)
EXTRAS: tuple[dict[str, Any], ...] = (
    {},
    {"stream": True, "tools": TOOLS, "tool_choice": {"type": "tool", "name": "Bash"}, "system": "be brief"},
    {
        "thinking": {"type": "enabled", "budget_tokens": 5000},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}},
        "context_management": {
            "edits": [{"type": "clear_tool_uses_20250919", "keep": {"type": "tool_uses", "value": 1}}]
        },
        "stop_sequences": ["a", "", "b", "c", "d", "e"],
        "metadata": {"user_id": '{"session_id":"s"}'},
    },
)


def seeds() -> Iterator[bytes]:
    for messages in (*CONVERSATIONS, *CHATS):
        for extra in EXTRAS:
            yield b"\x00" + json.dumps({"model": "m", "max_tokens": 100, "messages": messages} | extra).encode()


def run(data: bytes) -> None:
    """The first byte chooses the backend. A request is refused with a LandlineError, or becomes JSON, always the same.

    Read as one of Messages and as one of chat. Schemas and descriptions pass as they were written, bytes that are no
    UTF-8 included.
    """
    dialect = VARIANTS[data[0] % len(VARIANTS)] if data else VARIANTS[0]
    own, chat = Known(secret=SECRET), ChatKnown(secret=SECRET)  # what they have seen once they lift the next time
    as_messages = [_written(_messages, data[1:], dialect, known) for known in (own, own, WARM)]
    as_chat = [_written(_chat, data[1:], dialect, known) for known in (chat, chat, WARM_CHAT)]
    for written in (as_messages, as_chat):
        assert written[0] == written[1] == written[2]
        if written[0] is not None:
            json.loads(written[0].decode("utf-8", "replace"))


def _messages(body: bytes, known: Known, notes: Notes) -> Conversation:
    return decode_request(body, notes, known=known)[1]


def _chat(body: bytes, known: ChatKnown, notes: Notes) -> Conversation:
    return decode_chat(body, notes, known=known).conversation


def _written(
    read: Callable[[bytes, Any, Notes], Conversation], body: bytes, dialect: Any, known: object
) -> bytes | None:
    notes = Notes()
    try:
        conversation = outbound(read(body, known, notes), dialect, notes).conversation
    except LandlineError:
        return None
    return encode_request(conversation, dialect=dialect, notes=notes)
