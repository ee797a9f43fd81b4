"""The tools of a chat request: functions and custom tools, nested as the API has them, or flat as Cursor sends them."""

from __future__ import annotations

import msgspec
from msgspec import Raw, UnsetType

from landline.protocols.openai_chat_in.wire import WireFunction, WireTool
from landline.protocols.openai_client.tools import Collected, Toolset

_lists: msgspec.json.Decoder[list[WireTool] | None] = msgspec.json.Decoder(list[WireTool] | None)


def read_tools(written: Raw) -> Toolset:
    """Raises msgspec.ValidationError and LandlineError for what is no list of tools."""
    found = Collected()
    for at, tool in enumerate(_lists.decode(written) or []):
        match tool.type:
            case "function":
                told = tool.function or _flat(tool)
                found.function(told.name, told.description, told.parameters, place=f"tools.{at}.function")
            case "custom":
                told = tool.custom or _flat(tool)
                found.custom(told.name, told.description, told.format, place=f"tools.{at}.custom")
            case other:
                found.drop(f"{other[:60]} (runs on the vendor's servers)")
    return found.toolset()


def _flat(tool: WireTool) -> WireFunction:
    schema = tool.input_schema if isinstance(tool.parameters, UnsetType) else tool.parameters
    return WireFunction(tool.name, tool.description, schema, tool.format)
