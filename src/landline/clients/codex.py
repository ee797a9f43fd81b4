"""Codex as facts: what it must be told to work on a gateway of ours. Pure; measured on 0.169.0.

It speaks the Responses API only, and `-c key=value` wins over its config.toml, the project's, and a profile's. Of a
model that it has no entry for it warns at every start, and takes a window of its own; with an entry of the catalogue
(`model_catalog_json`) it does neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from landline.clients.launching import Target
from landline.clients.openai_launch import KEY_VARIABLE, PROVIDER, base_url, output_limit

SUMMARY_RESERVE = 20_000
FIRST_REQUEST = 9_000  # tokens, about: 40 KB

# It asks for no length of an answer: what the compaction leaves is all that there is.
_OFF = {"analytics.enabled": False, "check_for_update_on_startup": False}
OFF = "the vendor's analytics and the look for updates"
OFF_PLUGINS = f"{OFF}, and its plugin list (github.com)"
LEFT = "your own MCP servers, hooks and plugins do as they like"
LEFT_PLUGINS = f"its plugin list (github.com), since your config has plugins of its own; {LEFT}"

# Arguments with which it opens no screen of its own.
_WITHOUT_SCREEN = (
    "exec e review login logout mcp plugin app-server remote-control completion update doctor sandbox debug "
    "apply queue archive delete migrate-rollouts cloud features exec-server help -h --help -V --version"
)


def compaction_point(window: int) -> int:
    """Prompt tokens at which it summarises: its own nine tenths, or earlier, so that there is room for an answer."""
    return window - max(window // 10, min(SUMMARY_RESERVE, output_limit(window)))


def catalogue(target: Target, instructions: str) -> dict[str, object]:
    """The catalogue that has the served model only. `instructions` are what the client tells a model unknown to it.

    With these values its request is the one that it makes without an entry, but for the list of models that it tells
    of for subagents, which then names no model of the vendor's.
    """
    entry: dict[str, object] = {
        "slug": target.model,
        "display_name": target.model,
        "supported_reasoning_levels": [],
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 0,
        "support_verbosity": False,
        "truncation_policy": {"mode": "bytes", "limit": 10_000},
        "experimental_supported_tools": [],
        "base_instructions": instructions,
    }
    if target.window > 0:
        entry["context_window"] = target.window
    return {"models": [entry]}


def overrides(
    target: Target, config: Mapping[str, object], *, catalogue_file: str = ""
) -> dict[str, str | int | bool | dict[str, str]]:
    """Each key that is set over `config`, the user's own; his own lower limits and his own plugins are kept."""
    provider = {"name": PROVIDER, "base_url": base_url(target), "wire_api": "responses"}
    if target.token:
        provider["env_key"] = KEY_VARIABLE
    chosen: dict[str, str | int | bool | dict[str, str]] = {
        "model": target.model,
        "model_provider": PROVIDER,
        f"model_providers.{PROVIDER}": provider,
    }
    if target.window > 0:
        own_window, own_point = config.get("model_context_window"), config.get("model_auto_compact_token_limit")
        window = _at_most(own_window, target.window)
        chosen["model_context_window"] = window
        chosen["model_auto_compact_token_limit"] = _at_most(own_point, compaction_point(window))
    if catalogue_file:
        chosen["model_catalog_json"] = catalogue_file
    chosen |= _OFF
    return chosen if has_plugins(config) else chosen | {"features.plugins": False}


def arguments(chosen: Mapping[str, str | int | bool | dict[str, str]]) -> tuple[str, ...]:
    return tuple(part for name, value in chosen.items() for part in ("-c", f"{name}={toml_value(value)}"))


def toml_value(value: str | int | bool | Mapping[str, str]) -> str:
    """As TOML writes it. JSON's strings are TOML's, but for the one control character that TOML has escaped too."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {toml_value(text)}" for name, text in value.items()) + "}"
    return json.dumps(value).replace("\x7f", "\\u007f")


def has_plugins(config: Mapping[str, object]) -> bool:
    """Whether the user set up any: then they are his, and stay on."""
    features = config.get("features")
    chosen = isinstance(features, dict) and cast("dict[str, object]", features).get("plugins") is True
    return chosen or bool(config.get("plugins") or config.get("marketplaces"))


def set_aside(config: Mapping[str, object], target: Target) -> list[str]:
    """Names of the user's own settings that do not hold for this launch."""
    ours = {"model": target.model, "model_provider": PROVIDER}
    names = [name for name, value in ours.items() if config.get(name, value) != value]
    return names + [name for name in ("model_catalog_json", "openai_base_url") if config.get(name)]


def instructions_of(body: Mapping[str, object]) -> str:
    """What a request tells the model before anything else; empty where it is not found."""
    text = body.get("instructions")
    if isinstance(text, str) and text:
        return text
    first = _first(body.get("input"))
    told = _first(first.get("content")).get("text") if first.get("role") in {"developer", "system"} else None
    return told if isinstance(told, str) else ""


def _first(items: object) -> dict[str, object]:
    first = cast("list[object]", items)[0] if isinstance(items, list) and items else None
    return cast("dict[str, object]", first) if isinstance(first, dict) else {}


def is_interactive(args: Sequence[str]) -> bool:
    return not set(_WITHOUT_SCREEN.split()) & set(args)


def _at_most(own: object, limit: int) -> int:
    return min(own, limit) if isinstance(own, int) and own > 0 else limit
