"""The tools of a request as readers see them: their names, and the schemas of their arguments, decoded when asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import msgspec

from landline.core.model import Tools
from landline.core.near_names import meant


class RequestTools:
    """A Toolbox. One per request; nothing is decoded before a call needs it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._schemas: dict[str, Mapping[str, Any]] = {}

    def find(self, written: str) -> str | None:
        return meant(written, self._tools)

    def split(self, written: str) -> tuple[str, str] | None:
        names = sorted(filter(written.startswith, self._tools), key=len, reverse=True)
        for name in names:
            rest = written[len(name) :].strip()
            if rest in self.properties(name):
                return name, rest
        rest = written[len(names[0]) :].strip() if names else ""
        return (names[0], rest) if rest else None

    def properties(self, name: str) -> Mapping[str, Any]:
        found = self.schema(name).get("properties")
        return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}

    def fitting(self, arguments: Collection[str]) -> str | None:
        given = set(arguments)
        names = [name for name in self._tools if given and self._fits(name, given)]
        return names[0] if len(names) == 1 else None

    def _fits(self, name: str, given: set[str]) -> bool:
        needed = self.schema(name).get("required")
        told = (
            {word for word in cast("list[object]", needed) if isinstance(word, str)}
            if isinstance(needed, list)
            else set[str]()
        )
        return told <= given <= self.properties(name).keys()

    def schema(self, name: str) -> Mapping[str, Any]:
        """The JSON Schema of a tool's arguments; empty for an unknown tool, or a schema that is no object."""
        if name not in self._schemas:
            self._schemas[name] = self._decoded(name)
        return self._schemas[name]

    def _decoded(self, name: str) -> Mapping[str, Any]:
        tool = self._tools.get(name)
        if tool is None:
            return {}
        try:
            value: object = msgspec.json.decode(tool.schema)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
