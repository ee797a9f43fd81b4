"""Tools that are more than functions, as the functions that every backend knows, and back.

A custom tool takes one text instead of an object: the model gets a function with one argument of that text. A namespace
holds functions: each gets a name in front of which the namespace's own stands. What a client calls its tool is kept
with the list (`Toolset.told`), so that calls can be told in its own terms, and its history read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw, Struct, UnsetType

from landline.core.exchange import Notes
from landline.core.lenient_json import read_json
from landline.core.model import Tool, ToolChoice, Tools, ToolUse, WebSearch
from landline.core.searches import TOOL
from landline.core.shelf import Shelf
from landline.core.tools import is_plain
from landline.protocols.openai_client.reading import invalid, member, placed, text_of

ANY_OBJECT = Raw(b'{"type":"object","properties":{}}')
ONE_TEXT = Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)
_QUOTE, _NULL = b'"n'  # how a JSON string, or null, begins
_NO_DESCRIPTION = Raw(b'""')
BETWEEN = "__"  # a namespace and a name


class Told(Struct, frozen=True):
    """How a client speaks of one of its tools, where it is not simply the function of that name."""

    name: str
    namespace: str = ""
    custom: bool = False


class Toolset(Struct, frozen=True):
    """`told`: by the name that the model knows. `dropped`: see Notes.

    `search`: the client wants its server to search. `searching` are the tools with one for that, named `search_name`.
    """

    tools: Tools = Tools()
    search: WebSearch | None = None
    searching: Tools = Tools()
    search_name: str = ""
    told: Mapping[str, Told] = {}
    dropped: tuple[str, ...] = ()

    def name(self, name: str, namespace: str = "") -> str:
        """The name that the model knows, of a tool as the client calls it."""
        if namespace:
            for known, told in self.told.items():
                if told.name == name and told.namespace == namespace:
                    return known
        return f"{namespace}{BETWEEN}{name}" if namespace else name

    def custom(self, name: str) -> bool:
        """Whether the tool that the model knows by that name takes one text."""
        told = self.told.get(name)
        return told is not None and told.custom


def toolset_of(written: Raw | UnsetType, shelf: Shelf[Toolset]) -> Toolset:
    """The tools of a request, which nearly always were read before. Raises LandlineError (invalid_request)."""
    if isinstance(written, UnsetType):
        return Toolset()
    try:
        return shelf.found(written)
    except msgspec.ValidationError as error:
        raise invalid(placed(str(error), "tools")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"tools: not valid JSON: {error}.") from None


class Collected:
    """A list of tools while it is read."""

    def __init__(self) -> None:
        self.notes = Notes()
        self._tools: dict[str, Tool] = {}
        self._told: dict[str, Told] = {}
        self._search: WebSearch | None = None

    def function(
        self, name: str, description: Raw | UnsetType, schema: Raw | UnsetType, *, place: str, namespace: str = ""
    ) -> None:
        if not name:
            raise invalid(f"{place}.name: field required.")
        known = self._free(f"{namespace}{BETWEEN}{name}") if namespace else name
        if namespace:
            self._told[known] = Told(name, namespace)
        told = ANY_OBJECT if isinstance(schema, UnsetType) or bytes(schema) == b"null" else schema
        self._tools[known] = Tool(known, _description(description, place), told, plain=is_plain(known, told))

    def custom(self, name: str, description: Raw | UnsetType, form: object, *, place: str) -> None:
        """`form` is the format of the text, as it was decoded."""
        if not name:
            raise invalid(f"{place}.name: field required.")
        self._told[name] = Told(name, custom=True)
        said = text_of(_description(description, place))
        grammar = member(form, "definition") or member(member(form, "grammar"), "definition")
        if isinstance(grammar, str) and grammar:
            syntax = member(form, "syntax") or member(member(form, "grammar"), "syntax") or "lark"
            said = f"{said}\n\nThe input must follow this grammar ({syntax}):\n{grammar}".strip()
        self._tools[name] = Tool(name, Raw(msgspec.json.encode(said)), ONE_TEXT, plain=is_plain(name, ONE_TEXT))

    def drop(self, what: str) -> None:
        self.notes.drop(f"tool {what}")

    def search(self, rules: WebSearch) -> None:
        """The client's server is to search, by these rules."""
        self._search = rules

    def toolset(self) -> Toolset:
        tools, dropped = Tools(self._tools.values()), tuple(self.notes.dropped)
        if self._search is None:
            return Toolset(tools, told=self._told, dropped=dropped)
        name = self._free(TOOL.name)
        own = msgspec.structs.replace(TOOL, name=name)
        return Toolset(tools, self._search, Tools((*tools, own)), name, self._told, dropped)

    def _free(self, name: str) -> str:
        free, number = name, 2
        while free in self._tools:
            free, number = f"{name}_{number}", number + 1
        return free


def chosen(mode: str, names: Iterable[str], *, parallel: bool | None, field: str = "tool_choice") -> ToolChoice | None:
    """What a client says about calling tools; `names` are those that it wants called, by the model's names."""
    together = parallel is not False
    match mode, tuple(names):
        case ("", _):
            return None if together else ToolChoice("auto", parallel=False)
        case ("tool", (name, *_)):
            return ToolChoice("tool", name, together)
        case ("auto" | "none" as known, _):
            return ToolChoice(known, parallel=together)
        case ("required", _):
            return ToolChoice("any", parallel=together)
        case _:
            raise invalid(f"{field}: must be auto, none, required or one tool, not {mode[:60]!r}.")


def custom_call(ident: str, name: str, text: str) -> ToolUse:
    """A custom tool's call of the history, as the function's."""
    return ToolUse(ident, name, msgspec.json.encode({"input": text}).decode())


def custom_input(arguments: str) -> str:
    """The text of a custom tool's call; what the model wrote, where it is not the one argument."""
    text = member(read_json(arguments), "input")
    return text if isinstance(text, str) else arguments


def _description(raw: Raw | UnsetType, place: str) -> Raw:
    """The JSON string as it was written."""
    if isinstance(raw, UnsetType) or (first := memoryview(raw)[0]) == _NULL:
        return _NO_DESCRIPTION
    if first != _QUOTE:
        raise invalid(f"{place}.description: must be a string.")
    return raw
