"""The tools of a request. They are most of its bytes, and the same in each turn of a session.

So lists that came before are known again by their bytes alone (`ToolShelf`), and are not decoded twice. What the shelf
gives out never refers to the request it came in: a stream that needs its tools to the end does not hold the request.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, UnsetType

from landline.core.exchange import Notes
from landline.core.model import Tool, Tools, WebSearch
from landline.core.shelf import Shelf
from landline.core.tools import is_plain
from landline.errors import ErrorKind, LandlineError
from landline.protocols.anthropic_messages.server_tools import is_web_search, web_search
from landline.protocols.anthropic_messages.wire import WireTool

_lists: msgspec.json.Decoder[list[WireTool] | None] = msgspec.json.Decoder(list[WireTool] | None)
_QUOTE, _NULL = b'"n'  # how a JSON string, or null, begins
_NO_DESCRIPTION = Raw(b'""')


class Toolset(Struct, frozen=True):
    """The client's own tools in their order; or the search that the request is all about. `dropped`: see Notes."""

    tools: Tools = Tools()
    search: WebSearch | None = None
    dropped: tuple[str, ...] = ()


class ToolShelf(Shelf[Toolset]):
    """The lists that were last seen."""

    def __init__(self, *, secret: str = "") -> None:
        super().__init__(read_tools, secret=secret)

    def toolset(self, written: Raw, body: bytes = b"") -> Toolset:
        """Raises msgspec.ValidationError and LandlineError for what is no list of tools."""
        return self.found(written, body)


def read_tools(written: Raw) -> Toolset:
    """Tools that only the vendor's servers can run are left out."""
    tools = _lists.decode(written) or []
    if len(tools) == 1 and is_web_search(tools[0]):
        return Toolset(search=web_search(tools[0]))
    notes = Notes()
    return Toolset(Tools(_own_tools(tools, notes)), dropped=tuple(notes.dropped))


def _own_tools(tools: list[WireTool], notes: Notes) -> list[Tool]:
    kept: list[Tool] = []
    for at, tool in enumerate(tools):
        if isinstance(tool.input_schema, UnsetType):
            notes.drop(f"tool {tool.type or tool.name} (runs on the vendor's servers)")
        elif tool.name == "DeferredToolPlaceholder":  # announces tool search; tells a model nothing
            notes.drop("tool DeferredToolPlaceholder")
        else:
            plain = is_plain(tool.name, tool.input_schema)
            kept.append(Tool(tool.name, _description(tool, at), tool.input_schema, tool.defer_loading is True, plain))
    return kept


def _description(tool: WireTool, at: int) -> Raw:
    """The JSON string as it was written. What is no UTF-8 in it, or in a schema, is for the backend to refuse."""
    raw = tool.description
    if isinstance(raw, UnsetType) or (first := memoryview(raw)[0]) == _NULL:
        return _NO_DESCRIPTION
    if first != _QUOTE:
        raise LandlineError(ErrorKind.INVALID_REQUEST, f"tools.{at}.description: must be a string.")
    return raw
