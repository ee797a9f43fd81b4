"""Web searches that the server runs while it answers, in the shapes of the Messages API.

Out: an answer whose searches stand in it as `server_tool_use` and `web_search_tool_result`, as a stream or whole.
In: the same blocks in the history of a later turn, as the words that the model saw. Must not know who searches.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UnsetType

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseEnd, ResponseStart
from landline.core.fold import Answer
from landline.core.model import Block, Text, Thinking, WebSearch
from landline.core.searches import Found, Search, page_in_words
from landline.core.sse import frame
from landline.errors import ErrorKind, LandlineError
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder, encode_content, whole_message
from landline.protocols.anthropic_messages.wire import WireBlock, WireTool

TYPE = "web_search_"  # of the tool; a date follows
MOST_DOMAINS = 1_000
SEARCH_BLOCKS = ("server_tool_use", "web_search_tool_result")

# Claude Code's side call asks in these words, and is told of nothing but what was found.
ASKED_TO_SEARCH = "Perform a web search for the query:"


def is_web_search(tool: WireTool) -> bool:
    return isinstance(tool.input_schema, UnsetType) and (tool.type or "").startswith(TYPE)


def web_search(tool: WireTool) -> WebSearch:
    """Raises LandlineError for more domains than each result can be held against."""
    allowed, blocked = tuple(tool.allowed_domains or ()), tuple(tool.blocked_domains or ())
    if len(allowed) + len(blocked) > MOST_DOMAINS:
        message = f"tools.0: more than {MOST_DOMAINS} domains in allowed_domains and blocked_domains."
        raise LandlineError(ErrorKind.INVALID_REQUEST, message)
    return WebSearch(tool.max_uses, allowed, blocked)


# ------------------------------------------------------------------------------------------------ history


def search_in_history(block: WireBlock) -> Text | None:
    """A search of an earlier turn as text; None for what is none.

    The text must be the same on every turn: a later prompt begins with the earlier one.
    """
    if block.type == "server_tool_use":
        query = _query(block)
        return Text(f"[Searching the web: {query}]\n") if query else None
    if isinstance(block.content, dict):
        return Text("[The web search failed.]\n")
    if not isinstance(block.content, list) or any(part.type != "web_search_result" for part in block.content):
        return None
    pages = [Found(part.url or "", part.title or "", _unsealed(part.encrypted_content)) for part in block.content]
    told = [page_in_words(number, page) for number, page in enumerate(pages, 1)] or ["Nothing was found."]
    return Text("\n\n".join(told) + "\n\n")


def _query(block: WireBlock) -> str:
    if isinstance(block.input, UnsetType):
        return ""
    given: object = msgspec.json.decode(block.input)
    query: object = given.get("query") if isinstance(given, dict) else None  # pyright: ignore
    return query if isinstance(query, str) else ""


def _sealed(text: str) -> str:
    """What stands in `encrypted_content`: clients keep it unread and send it back, so the words need no table here."""
    return base64.b64encode(b"landline:" + text.encode()).decode()


def _unsealed(content: str | None) -> str:
    """The words behind our own content; nothing for a vendor's."""
    try:
        data = base64.b64decode(content or "", validate=True)
        return data.removeprefix(b"landline:").decode() if data.startswith(b"landline:") else ""
    except (binascii.Error, ValueError):
        return ""


# ------------------------------------------------------------------------------------------------ answers


class SearchAnswer:
    """An answer with searches in it: each method gives the bytes for a stream and adds to the whole."""

    def __init__(self, head: MessageHead, encoder: MessagesEncoder) -> None:
        self._head = head
        self._encoder = encoder
        self._content: list[dict[str, Any]] = []
        self._end: ResponseEnd | None = None

    def begin(self, start: ResponseStart) -> bytes:
        return self._encoder.encode([start])

    def said(self, blocks: Iterable[Block]) -> bytes:
        """Text and thinking of the model."""
        events: list[Event] = []
        for block in blocks:
            if not isinstance(block, Text | Thinking) or not block.text:
                continue
            at = len(self._content)
            kind = BlockKind.TEXT if isinstance(block, Text) else BlockKind.THINKING
            events += [BlockStart(at, kind), BlockDelta(at, block.text), BlockStop(at)]
            self._content += encode_content((block,))
        return self._encoder.encode(events)

    def searched(self, search: Search) -> bytes:
        """The model's call and what came of it."""
        call = {"type": "server_tool_use", "id": search.id, "name": "web_search", "input": {"query": search.query}}
        result = {"type": "web_search_tool_result", "tool_use_id": search.id, "content": _result(search)}
        written = self._server_block(call | {"input": {}}, str(msgspec.json.encode(call["input"]), "utf-8"))
        self._content.append(call)
        written += self._server_block(result, "")
        self._content.append(result)
        return written

    def end(self, end: ResponseEnd) -> bytes:
        self._end = end
        return self._encoder.encode([end])

    def whole(self) -> bytes:
        """The same answer as one Messages object. Only after `end`."""
        assert self._end is not None
        end = self._end
        return whole_message(self._content, Answer((), end.stop_reason, end.stop_sequence, end.usage), self._head)

    def _server_block(self, block: dict[str, Any], arguments: str) -> bytes:
        index = len(self._content)
        start = {"type": "content_block_start", "index": index, "content_block": block}
        out = [frame(b"content_block_start", msgspec.json.encode(start))]
        if arguments:
            delta = {"type": "input_json_delta", "partial_json": arguments}
            body = {"type": "content_block_delta", "index": index, "delta": delta}
            out.append(frame(b"content_block_delta", msgspec.json.encode(body)))
        stop = {"type": "content_block_stop", "index": index}
        return b"".join([*out, frame(b"content_block_stop", msgspec.json.encode(stop))])


def _result(search: Search) -> object:
    if search.failure is not None:
        return {"type": "web_search_tool_result_error", "error_code": search.failure}
    return [
        {
            "type": "web_search_result",
            "url": page.url,
            "title": page.title,
            "encrypted_content": _sealed(page.text),
            "page_age": page.age or None,
        }
        for page in search.found
    ]
