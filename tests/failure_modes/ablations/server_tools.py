"""What the gateway does in the place of the vendor's servers, switched off."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, UnsetType

from landline.core.events import Event
from landline.core.exchange import Notes
from landline.core.model import Conversation, Tool
from landline.protocols.anthropic_messages.wire import WireTool
from landline.transforms.context_edits import Edited
from tests.failure_modes.ablation import Ablation

MODEL = "landline.protocols.anthropic_messages"
CHAT = "landline.protocols.openai_chat"


def _all_tools(tools: list[WireTool], notes: Notes) -> list[Tool]:
    """As a translator does that has not heard of tools without a schema."""
    return [
        Tool(tool.name, Raw(b'""'), Raw(b"null") if isinstance(tool.input_schema, UnsetType) else tool.input_schema)
        for tool in tools
    ]


async def _unread(conversation: Conversation, *rest: Any, **options: Any) -> Conversation:
    return conversation


def _as_asked(conversation: Conversation, *rest: Any, **options: Any) -> Any:
    return conversation.thinking_budget


def _same(self: Any, events: list[Event]) -> list[Event]:
    return events


ABLATIONS = (
    Ablation("web_search", "searches are run for the client", f"{MODEL}.tools:is_web_search", lambda tool: False),
    Ablation(
        "search_domains", "domains that the client blocked", "landline.policy.searching:may_show", lambda *_: True
    ),
    Ablation("search_limit", "searches that are left", "landline.server.web_search:MOST_USES", 1),
    Ablation(
        "search_query", "the words of the request are searched", "landline.server.web_search:query_of", lambda _: ""
    ),
    Ablation("search_history", "searches of earlier turns", f"{MODEL}.messages:search_in_history", lambda block: None),
    Ablation(
        "offered_tools",
        "WebSearch is offered only with a service",
        "landline.transforms.offered_tools:offered",
        lambda conversation, **_: conversation,
    ),
    Ablation("hosted_tools", "tools without a schema are left out", f"{MODEL}.tools:_own_tools", _all_tools),
    Ablation("documents", "documents are read", "landline.server.documents:with_documents", _unread),
    Ablation("document_reason", "why a document is left out", "landline.transforms.media:_words", lambda d, notes: d),
    Ablation("effort", "effort in the model's own words", f"{CHAT}.thinking:_effort", lambda *_, **__: None),
    Ablation(
        "effort_nearest", "the nearest effort it knows", f"{CHAT}.thinking:_nearest", lambda wanted, known: wanted
    ),
    Ablation("thinking_budget", "a budget below max_tokens", f"{CHAT}.thinking:_budget", _as_asked),
    Ablation(
        "thinking_only",
        "an answer that was all thinking is explained",
        "landline.transforms.thinking_only:ExplainThinkingOnly.push",
        _same,
    ),
    Ablation(
        "context_edits",
        "old results and thoughts are cleared",
        "landline.transforms.context_edits:with_edits",
        lambda conversation, notes: Edited(conversation),
    ),
)
