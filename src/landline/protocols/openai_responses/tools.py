"""The tools of a Responses request: functions, custom tools, namespaces, a search; other hosted ones are left
out."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from landline.protocols.openai_client.tools import Collected, Toolset
from landline.protocols.openai_responses.web_search import is_search, rules_of
from landline.protocols.openai_responses.wire import WireTool

_lists: msgspec.json.Decoder[list[WireTool] | None] = msgspec.json.Decoder(list[WireTool] | None)


def read_tools(written: Raw) -> Toolset:
    """Raises msgspec.ValidationError and LandlineError for what is no list of tools."""
    found = Collected()
    for at, tool in enumerate(_lists.decode(written) or []):
        _take(found, tool, f"tools.{at}")
    return found.toolset()


def _take(found: Collected, tool: WireTool, place: str, namespace: str = "") -> None:
    match tool.type:
        case "function":
            found.function(tool.name, tool.description, tool.parameters, place=place, namespace=namespace)
        case "custom" if not namespace:
            found.custom(tool.name, tool.description, tool.format, place=place)
        case "namespace":
            for at, inner in enumerate(tool.tools or ()):
                _take(found, inner, f"{place}.tools.{at}", tool.name)
        case kind if is_search(kind):
            found.search(rules_of(tool))
        case other:
            found.drop(f"{other[:60]} (runs on the vendor's servers)")
