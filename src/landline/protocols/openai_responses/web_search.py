"""The hosted tool `web_search` of the Responses API: what a client says of it, its items, and its past in the history.

The model has a function in its place. What it found must be in the next turn's prompt again, byte for byte, and an item
of this API names no words of the pages. So they stand beside it: in a reasoning item's `encrypted_content`, which
clients hand back unread, where those are asked for, else in a member of our own. Must not know who searches.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from landline.core.model import WebSearch
from landline.core.searches import Search
from landline.protocols.openai_responses.wire import WireItem, WireTool

HOSTED = ("web_search", "web_search_")  # with a date or as a preview, too
ITEM = "web_search_call"
BEGUN = ("response.web_search_call.in_progress", "response.web_search_call.searching")
DONE = ("response.web_search_call.completed",)
NO_MORE_HERE = "What this search found is not here any more; search again where it matters."
MOST_CITATIONS = 32
_SEAL = b"landline-search:"


def is_search(kind: str) -> bool:
    return kind == HOSTED[0] or kind.startswith(HOSTED[1])


def rules_of(tool: WireTool) -> WebSearch:
    filters = tool.filters
    if filters is None:
        return WebSearch()
    return WebSearch(None, tuple(filters.allowed_domains or ()), tuple(filters.blocked_domains or ()))


def search_item(ident: str, query: str, *, status: str) -> dict[str, Any]:
    return {"type": ITEM, "id": ident, "status": status, "action": {"type": "search", "query": query}}


def searched_item(search: Search, *, told: str, sources: bool) -> dict[str, Any]:
    """`told`: what the model read, where it stands in no item beside this one."""
    item = search_item(search.id, search.query, status="failed" if search.failure else "completed")
    if sources:
        item["action"]["sources"] = [{"type": "url", "url": page.url} for page in search.found]
    if told:
        item["encrypted_content"] = sealed(told)
    return item


def beside(ident: str, told: str) -> dict[str, Any]:
    """The item that carries what the model read."""
    return {"type": "reasoning", "id": ident, "summary": [], "encrypted_content": sealed(told)}


def sealed(told: str) -> str:
    return base64.b64encode(_SEAL + told.encode()).decode()


def read_back(item: WireItem) -> str:
    """What the model read of a search, where this item of the history carries it."""
    try:
        data = base64.b64decode(item.encrypted_content or "", validate=True)
        return data.removeprefix(_SEAL).decode() if data.startswith(_SEAL) else ""
    except (binascii.Error, ValueError):
        return ""


def query_of(item: WireItem) -> str:
    query = (item.action or {}).get("query")
    return query if isinstance(query, str) else ""


def citations(text: str, pages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Where the text names a page that was found; `pages` are titles by address."""
    found: list[dict[str, Any]] = []
    for url, title in pages.items():
        at = text.find(url)
        if at >= 0:
            place = {"start_index": at, "end_index": at + len(url)}
            found.append({"type": "url_citation", "url": url, "title": title, **place})
    return sorted(found, key=lambda one: one["start_index"])[:MOST_CITATIONS]
