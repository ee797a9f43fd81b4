"""Takes away what could only fail: Claude Code's own WebSearch, where no search service is behind it.

Its call ends in another call to this gateway, which can only answer that there is none; a model that has the tool
spends a turn to find that out.
"""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Conversation, Tool, Tools

SEARCHES = "WebSearch"


def offered(conversation: Conversation, *, searching: bool, notes: Notes) -> Conversation:
    """The request with the tools that can work: Claude Code's own WebSearch ends in a call that needs a search service.

    Another client's tool of that name has other arguments, and stays.
    """
    if searching or (tools := conversation.tools.once(_without_search)) is None:
        return conversation
    notes.drop("tool WebSearch (no search service is configured: search.url or search.command)")
    choice = conversation.tool_choice if tools else None
    return msgspec.structs.replace(conversation, tools=tools, tool_choice=choice)


def _without_search(tools: Tools) -> Tools | None:
    """None where nothing has to go."""
    kept = Tools(tool for tool in tools if not _leads_to_search(tool))
    return kept if len(kept) < len(tools) else None


def _leads_to_search(tool: Tool) -> bool:
    return tool.name == SEARCHES and b'"allowed_domains"' in bytes(tool.schema)
