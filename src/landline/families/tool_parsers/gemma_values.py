"""Gemma's nested values, `{key:<|"|>text<|"|>,list:[1,2]}`, once they are complete: to values, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from landline.core.typed_text import read_as
from landline.families.tool_parsers.arguments import read_json

_DEEPEST = 64
_BARE = re.compile(r"[^,}\])]*")
_KEY = re.compile(r"\s*([^:{}\[\]]{1,256}?)\s*:\s*")
_SPACE = re.compile(r"\s*")
_COMMA = re.compile(r"[\s,]*")


class _Malformed(Exception):
    """Not what Gemma writes."""


def read_nested(delimiter: str, text: str, schema: object) -> object:
    """The value; what cannot be read so is taken as JSON, or as the text that it is."""
    values = _Values(delimiter, text)
    try:
        value = values.value(schema, 0)
    except _Malformed:
        return read_json(text, schema)
    return value if not text[values.at :].strip() else read_json(text, schema)


def write_nested(delimiter: str, value: object) -> str:
    if isinstance(value, str):
        return f"{delimiter}{value}{delimiter}"
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value).items()
        return f"{{{','.join(f'{name}:{write_nested(delimiter, item)}' for name, item in inner)}}}"
    if isinstance(value, list):
        return f"[{','.join(write_nested(delimiter, item) for item in cast('list[Any]', value))}]"
    return msgspec.json.encode(value).decode()


def _declared(schema: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", schema) if isinstance(schema, dict) else {}


class _Values:
    def __init__(self, delimiter: str, text: str) -> None:
        self.at = 0
        self._text = text
        self._delimiter = delimiter
        self._end = re.compile(rf"{re.escape(delimiter)}(?=\s{{0,32}}[,:}}\])]|\Z)")

    def value(self, schema: object, depth: int) -> object:
        self._skip(_SPACE)
        if depth > _DEEPEST:
            raise _Malformed
        text = self._text
        if text.startswith(self._delimiter, self.at):
            return read_as(self._quoted(), schema)
        declared = _declared(schema)
        if text.startswith("{", self.at):
            return self._object(declared, depth)
        if text.startswith("[", self.at):
            return self._array(declared.get("items"), depth)
        bare = _BARE.match(text, self.at)
        assert bare is not None
        self.at = bare.end()
        return read_json(bare[0].strip(), schema)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        declared: object = schema.get("properties")
        properties = cast("dict[str, Any]", declared) if isinstance(declared, dict) else {}
        self.at += 1
        while not self._over("}"):
            key = self._key()
            found[key] = self.value(properties.get(key), depth + 1)
        return found

    def _array(self, items: object, depth: int) -> list[object]:
        found: list[object] = []
        self.at += 1
        while not self._over("]"):
            before = self.at
            found.append(self.value(items, depth + 1))
            if self.at == before:
                raise _Malformed
        return found

    def _over(self, bracket: str) -> bool:
        self._skip(_COMMA)
        if self.at == len(self._text):
            raise _Malformed
        if self._text[self.at] != bracket:
            return False
        self.at += 1
        return True

    def _key(self) -> str:
        if self._text.startswith(self._delimiter, self.at):
            key = self._quoted()
            self._skip(_SPACE)
            if not self._text.startswith(":", self.at):
                raise _Malformed
            self.at += 1
            return key
        found = _KEY.match(self._text, self.at)
        if found is None:
            raise _Malformed
        self.at = found.end()
        return found[1].strip('"')

    def _quoted(self) -> str:
        begin = self.at + len(self._delimiter)
        end = self._end.search(self._text, begin)
        if end is None:
            raise _Malformed
        self.at = end.end()
        return self._text[begin : end.start()]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self.at)
        assert found is not None
        self.at = found.end()
