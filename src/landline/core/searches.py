"""Searches of the web that run while an answer is made: the tool that a model calls, and what it reads of the pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from landline.core.model import Tool

MOST_USES = 20  # where the client names no limit, or a senseless one
TOOL = Tool(
    "web_search",
    Raw(b'"Searches the web and returns titles, addresses and excerpts of pages. Use it before you answer."'),
    Raw(
        b'{"type":"object","properties":{"query":{"type":"string","description":"What to search for."}},'
        b'"required":["query"],"additionalProperties":false}'
    ),
)
NO_USES_LEFT = "No further search is allowed in this answer: answer with what was found."

Failure = Literal["unavailable", "max_uses_exceeded", "invalid_tool_input"]


class Found(Struct, frozen=True):
    """One page that a search named. `text` is what the search service quotes of it, `age` its own words for a date."""

    url: str
    title: str
    text: str = ""
    age: str = ""


class Search(Struct, frozen=True):
    """One search that was run, or that failed. `id` is the client's (srvtoolu_...)."""

    id: str
    query: str
    found: tuple[Found, ...] = ()
    failure: Failure | None = None


def words(query: str, found: Iterable[Found]) -> str:
    """What was found, as the model reads it: in the running answer, and in the history of later turns alike."""
    pages = [page_in_words(number, page) for number, page in enumerate(found, 1)]
    return "\n\n".join([f"[Web search: {query}]", *(pages or ["Nothing was found."])])


def page_in_words(number: int, page: Found) -> str:
    head = f"{number}. {page.title} ({page.age})" if page.age else f"{number}. {page.title}"
    return "\n".join(filter(None, (head, page.url, page.text)))


def query_in(arguments: str) -> str:
    """What a call of the tool asks for; empty where it asks for nothing."""
    try:
        given: object = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return ""
    query: object = given.get("query") if isinstance(given, dict) else None  # pyright: ignore
    return query.strip()[:1_000] if isinstance(query, str) else ""
