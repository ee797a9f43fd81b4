"""JSON arguments out of parameters that a model writes one by one, between tags.

A parameter that can only be a string leaves as it grows; any other one when it is complete, as the type that the
tool's schema wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from landline.core.typed_text import STRING_ONLY, read_as, types_of


class ArgumentWriter:
    """One per call. Every method returns the next piece of the JSON text, maybe empty."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._properties = properties
        self._begun = False
        self._growing = False  # a string whose beginning has left
        self._held: list[str] = []
        self._name = ""

    def parameter(self, name: str) -> str:
        """A parameter begins."""
        self._name, self._held = name, []
        head = ("," if self._begun else "{") + msgspec.json.encode(name).decode() + ":"
        self._begun = True
        self._growing = types_of(self._properties.get(name)) == STRING_ONLY
        return head + '"' if self._growing else head

    def text(self, piece: str) -> str:
        """A piece of its value. A string with half a surrogate pair is the reader's business: text has none."""
        if self._growing:
            return msgspec.json.encode(piece).decode()[1:-1]
        self._held.append(piece)
        return ""

    def end(self) -> str:
        """The parameter is complete."""
        if self._growing:
            self._growing = False
            return '"'
        return msgspec.json.encode(read_as("".join(self._held), self._properties.get(self._name))).decode()

    def finish(self) -> str:
        """All parameters are there."""
        return "}" if self._begun else "{}"
