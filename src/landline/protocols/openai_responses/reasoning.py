"""Thinking as items of a response, and what comes back of it.

A client may keep of such an item only what stands in `encrypted_content`, which it cannot read (Codex 0.169.0). So the
words themselves stand there, and the next turn has them again; nothing needs to be remembered here.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from msgspec import Struct

from landline.protocols.openai_responses.wire import WireItem, WirePart

ASKED_SEALED = "reasoning.encrypted_content"  # in `include`
_SEAL = b"landline:"


class Style(Struct, frozen=True):
    """How thinking is told: as a summary, where the client asked for one, or as the model's own words."""

    part: str  # type of the part
    place: str  # of its index, in events
    begin: str
    delta: str
    done: str
    end: str


SUMMARY = Style(
    "summary_text",
    "summary_index",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
)
OWN_WORDS = Style(
    "reasoning_text",
    "content_index",
    "response.content_part.added",
    "response.reasoning_text.delta",
    "response.reasoning_text.done",
    "response.content_part.done",
)


def reasoning_item(ident: str, text: str | None, style: Style, *, sealed: bool) -> dict[str, Any]:
    """`text` is None while it is not known."""
    parts = [] if text is None else [{"type": style.part, "text": text}]
    item: dict[str, Any] = {"type": "reasoning", "id": ident, "summary": parts if style is SUMMARY else []}
    if style is OWN_WORDS:
        item["content"] = parts
    item["encrypted_content"] = seal(text) if sealed and text is not None else None
    return item


def seal(text: str) -> str:
    return base64.b64encode(_SEAL + text.encode()).decode()


def thought(item: WireItem) -> str:
    """The words of a reasoning item of the history; empty where nobody but its vendor can read them."""
    return _unsealed(item.encrypted_content) or _joined(item.content) or _joined(item.summary)


def _unsealed(content: str | None) -> str:
    try:
        data = base64.b64decode(content or "", validate=True)
        return data.removeprefix(_SEAL).decode() if data.startswith(_SEAL) else ""
    except (binascii.Error, ValueError):
        return ""


def _joined(parts: str | list[WirePart] | None) -> str:
    return "\n".join([part.text for part in parts if part.text]) if isinstance(parts, list) else parts or ""
