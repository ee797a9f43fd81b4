"""JSON arguments out of parameters that a model writes one by one, between tags.

A parameter that can only be a string leaves as it grows; any other one when it is complete, as the type that the
tool's schema wants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from landline.core.typed_text import STRING_ONLY, read_as, types_of

Reads = Callable[[str, object], object]  # from the text of a value and its schema (None: not declared) to the value


def read_json(text: str, schema: object) -> object:
    """A value that says itself that it is JSON. The schema has the last word: `5` is a text where only texts are."""
    try:
        value: object = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return read_as(text, schema)
    if isinstance(value, str) and schema is not None:
        return read_as(value, schema)
    plain = value is None or isinstance(value, bool | int | float)
    return read_as(text.strip(), schema) if plain and schema is not None else value


class ArgumentWriter:
    """One per call. Every method returns the next piece of the JSON text, maybe empty."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self.properties = properties
        self._begun = False
        self._growing = False  # a string whose beginning has left
        self._held: list[str] = []
        self._name = ""
        self._reads: Reads = read_as

    def parameter(self, name: str, reads: Reads | None = None) -> str:
        """A parameter begins. `reads`: its value is no plain text, and is read like this when it is complete."""
        self._name, self._held = name, []
        self._reads = reads or read_as
        head = ("," if self._begun else "{") + msgspec.json.encode(name).decode() + ":"
        self._begun = True
        self._growing = reads is None and types_of(self.properties.get(name)) == STRING_ONLY
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
        return msgspec.json.encode(self._reads("".join(self._held), self.properties.get(self._name))).decode()

    def finish(self) -> str:
        """All parameters are there."""
        return "}" if self._begun else "{}"
