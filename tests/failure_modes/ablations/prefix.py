"""What keeps the prefix of the prompt, watches over it, and places it in the caches of backends."""

from __future__ import annotations

from typing import Any

from tests.failure_modes.ablation import Ablation


def _as_it_stands(conversation: Any, notes: Any) -> Any:
    return conversation


def _nothing_found(conversation: Any, dialect: Any, notes: Any) -> Any:
    return conversation


def _hoisted(conversation: Any, notes: Any) -> Any:
    """Every system message to the head, as vLLM's own endpoint does with Qwen's template."""
    import msgspec

    from landline.core.model import Role, Text

    system = [message for message in conversation.messages if message.role is Role.SYSTEM]
    texts = [block.text for message in system for block in message.blocks if isinstance(block, Text)]
    rest = tuple(message for message in conversation.messages if message.role is not Role.SYSTEM)
    return msgspec.structs.replace(conversation, system=(*conversation.system, *texts), messages=rest)


def _all_listed(conversation: Any, dialect: Any) -> bool:
    return False


def _as_written(fitter: Any, value: Any, schema: Any, depth: int = 0) -> Any:
    return value


def _no_compare(before: bytes, now: bytes, *, bytes_per_token: float) -> Any:
    return None


def _untold(*args: Any, **kwargs: Any) -> str:
    return ""


def _no_effect(self: Any, *args: Any, **kwargs: Any) -> None:
    return None


ABLATIONS = (
    Ablation(
        "billing_line",
        "the billing line stays in the system text",
        "landline.transforms.prefix:without_billing_line",
        _as_it_stands,
    ),
    Ablation(
        "system_in_place",
        "system messages are hoisted to the head",
        "landline.transforms.prefix:system_in_place",
        _hoisted,
    ),
    Ablation(
        "tool_search",
        "found tools stand where the client lists them",
        "landline.transforms.tool_search:found_tools",
        _nothing_found,
    ),
    Ablation(
        "found_in_words", "found tools join the list", "landline.transforms.tool_search:_callable_unlisted", _all_listed
    ),
    Ablation(
        "typed_arguments",
        "arguments of found tools as they come",
        "landline.core.schema_fit:Fitter.meant",
        _as_written,
    ),
    Ablation("prefix_report", "requests are not compared", "landline.transforms.prefix_report:compare", _no_compare),
    Ablation("cache_findings", "answers are not judged", "landline.upstream.caching:CacheWatch._finding", _untold),
    Ablation(
        "cache_judge",
        "nothing is learned of answers",
        "landline.server.prompt_caches:PromptCaches.answered",
        _no_effect,
    ),
    Ablation("metrics", "/metrics are not read", "landline.upstream.caching:cache_metrics", lambda page: None),
    Ablation("cut_prompts", "a prompt that was cut goes unnoticed", "landline.transforms.usage:cut_silently", _untold),
    Ablation("slots", "the server chooses every slot", "landline.server.slots:Slots.take", _no_effect),
    Ablation(
        "search_switch",
        "launch leaves tool search as it is",
        "landline.clients.claude_code:TOOL_SEARCH_VARIABLE",
        "LANDLINE_UNUSED",
    ),
    Ablation("salts", "one cache for all keys", "landline.server.prompt_caches:salts", lambda keys: {}),
)
