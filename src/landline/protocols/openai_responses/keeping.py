"""What a kept response says to the one after it, and to those who fetch it.

The items of a conversation are kept as they were written, so that a prompt that goes on from a kept response is byte
for byte that of a client which sends everything itself.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct, UnsetType

from landline.protocols.openai_client.reading import invalid
from landline.protocols.openai_responses.wire import WireItem

MOST_LISTED, USUALLY_LISTED = 100, 20

_lists = msgspec.json.Decoder(list[Raw])
_items = msgspec.json.Decoder(list[WireItem])
_write = msgspec.json.encode


class _Output(Struct, frozen=True):
    output: Raw


_outputs = msgspec.json.Decoder(_Output)


def read_items(written: bytes) -> list[WireItem]:
    """Items of a kept conversation; they were read before."""
    return _items.decode(written)


def conversation_so_far(kept_input: bytes, response: bytes) -> bytes:
    """The items that led to a kept response, and those that it answered with, as one JSON list."""
    return _joined(kept_input, bytes(_outputs.decode(response).output))


def with_input(earlier: bytes, written: Raw | UnsetType) -> bytes:
    """The same with what a request puts behind it, its `input`. A text is the message that it stands for."""
    if isinstance(written, UnsetType) or (first := bytes(written)[:1]) == b"n":
        return earlier
    if first == b'"':
        content = msgspec.json.decode(written, type=str)
        if not content:
            return earlier
        written = Raw(_write([{"type": "message", "role": "user", "content": content}]))
    return _joined(earlier, bytes(written))


def _joined(one: bytes, other: bytes) -> bytes:
    first, second = one.strip()[1:-1].strip(), other.strip()[1:-1].strip()
    return b"[" + first + (b"," if first and second else b"") + second + b"]"


def deleted(ident: str) -> bytes:
    return _write({"id": ident, "object": "response", "deleted": True})


def listed(ident: str, kept_input: bytes, asked: dict[str, str]) -> bytes:
    """The input of a response, one page of it, the youngest first. Raises LandlineError (invalid_request)."""
    items = [_told(ident, at, item) for at, item in enumerate(_lists.decode(kept_input))]
    if asked.get("order", "desc") != "asc":
        items.reverse()
    if after := asked.get("after", ""):
        places = [at for at, item in enumerate(items) if item["id"] == after]
        if not places:
            raise invalid("after: no item of this response has that id.")
        items = items[places[0] + 1 :]
    limit = asked.get("limit", "")
    if limit and not (limit.isdecimal() and len(limit) < 5 and 1 <= int(limit) <= MOST_LISTED):
        raise invalid(f"limit: must be a number from 1 to {MOST_LISTED}.")
    page = items[: int(limit or USUALLY_LISTED)]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    more = len(page) < len(items)
    return _write({"object": "list", "data": page, "first_id": first, "last_id": last, "has_more": more})


def _told(ident: str, at: int, written: Raw) -> dict[str, Any]:
    """An item as one is told: with an id, and a message's text as a part."""
    item: dict[str, Any] = msgspec.json.decode(written)
    item.setdefault("type", "message")
    if not isinstance(item.get("id"), str):
        item["id"] = f"item_{ident.removeprefix('resp_')}_{at}"
    if item["type"] == "message" and isinstance(content := item.get("content"), str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        item["content"] = [{"type": kind, "text": content}]
    return item
