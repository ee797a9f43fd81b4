"""What a gateway without care for the history would do."""

from __future__ import annotations

from typing import Any

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Conversation, Image, Role, Text, Tool, ToolResult
from landline.families.registry import Family
from landline.protocols.anthropic_messages.tools import _own_tools
from landline.protocols.openai_chat.dialect import CallIds, Dialect
from landline.protocols.openai_chat.request import _assistant, chat_request
from landline.protocols.openai_chat.wire import (
    AssistantMessage,
    ChatMessage,
    ChatRequest,
    TextPart,
    ToolMessage,
    UserMessage,
)
from landline.server.line import Line
from tests.failure_modes.ablation import Ablation

MESSAGES = "landline.protocols.anthropic_messages.messages"


def _untouched(conversation: Conversation, notes: Notes) -> Conversation:
    return conversation


def _any_turns(conversation: Conversation, dialect: Dialect, notes: Notes) -> Conversation:
    return conversation


def _any_ids(conversation: Conversation, form: CallIds, notes: Notes) -> Conversation:
    return conversation


def _as_it_stands(blocks: Any, notes: Notes) -> list[ChatMessage]:
    out: list[ChatMessage] = []
    for block in blocks:
        if isinstance(block, ToolResult):
            out.append(ToolMessage(block.tool_use_id, "".join(getattr(part, "text", "") for part in block.parts)))
        elif not isinstance(block, Image):
            out.append(UserMessage([TextPart(block.text)]))
    return out


def _without_thinking(message: Any, notes: Notes) -> AssistantMessage:
    return msgspec.structs.replace(_assistant(message, notes), reasoning=None, reasoning_content=None)


def _passed_on(conversation: Conversation, **options: Any) -> ChatRequest:
    return msgspec.structs.replace(chat_request(conversation, **options), reasoning_effort=conversation.effort or None)


def _sorted_tools(tools: Any, notes: Notes) -> list[Tool]:
    return sorted(_own_tools(tools, notes), key=lambda tool: tool.name)


def _of_no_family(dialect: Dialect, family: Family | None) -> Dialect:
    return dialect


def _nothing_told(conversation: Conversation, dialect: Dialect, notes: Notes) -> None:
    return None


def _nothing_learnt(self: Any, model: str, mends: Any) -> None:
    return None


_headers_for = Line.headers_for


def _with_betas(self: Any, backend: Any, exchange: Any) -> dict[str, str]:
    return _headers_for(self, backend, exchange) | {"anthropic-beta": "garbage"}


ABLATIONS = (
    Ablation(
        "developer",
        "the role developer is read as system",
        f"{MESSAGES}:_ROLES",
        {role.value: role for role in Role},
    ),
    Ablation(
        "results_first",
        "results leave before what the user said beside them",
        "landline.protocols.openai_chat.request:_user",
        _as_it_stands,
    ),
    Ablation(
        "whole_history",
        "missing results are filled in, orphans become words",
        "landline.transforms.history:whole_history",
        _untouched,
    ),
    Ablation(
        "strict_turns",
        "roles alternate, answers stand behind results, begun answers are asked for",
        "landline.transforms.turns:strict_turns",
        _any_turns,
    ),
    Ablation(
        "call_id_forms", "call ids in the form of the template", "landline.transforms.identifiers:in_form", _any_ids
    ),
    Ablation(
        "native_ids",
        "ids go back as the backend gave them",
        "landline.transforms.identifiers:native_id",
        lambda ident: ident,
    ),
    Ablation(
        "thinking_back",
        "thinking goes back to the backend",
        "landline.protocols.openai_chat.request:_assistant",
        _without_thinking,
    ),
    Ablation(
        "new_fields",
        "fields that a backend may not know are not passed on",
        "landline.protocols.openai_chat.request:chat_request",
        _passed_on,
    ),
    Ablation("betas", "beta headers stay here", "landline.server.line:Line.headers_for", _with_betas),
    Ablation(
        "search_result_words",
        "search results become words",
        f"{MESSAGES}:_search_result",
        lambda block, place: Text(""),
    ),
    Ablation(
        "unparsed_arguments", "arguments are unwrapped", f"{MESSAGES}:_unparsed", lambda wrapped: wrapped.decode() + " "
    ),
    Ablation(
        "tool_order", "tools keep their order", "landline.protocols.anthropic_messages.tools:_own_tools", _sorted_tools
    ),
    Ablation("families", "the family of the model is known", "landline.families.registry:with_family", _of_no_family),
    Ablation("lost_thinking_told", "lost thinking is told", "landline.transforms.turns:loses_thinking", _nothing_told),
    Ablation(
        "mends_learnt", "what was mended is remembered", "landline.upstream.backend:Backend.learn", _nothing_learnt
    ),
)
