"""What a text means where a JSON Schema says which types are allowed: models write `5`, `true` or `[1]` as words.

A text stays a text wherever the schema allows one, and a schema that says nothing allows one. Types are tried from the
narrow to the wide, as vLLM's engine does (0.33.0): null, integer, number, boolean, object, array, string.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, cast

import msgspec

STRING_ONLY = frozenset(("string",))
_ALIASES = {
    **dict.fromkeys(("str", "text", "varchar", "char", "enum"), "string"),
    **dict.fromkeys(("int", "long", "short", "int32", "int64", "unsigned"), "integer"),
    **dict.fromkeys(("float", "float32", "float64", "double"), "number"),
    "bool": "boolean",
    "dict": "object",
    **dict.fromkeys(("list", "arr", "sequence"), "array"),
}
_UNIONS = ("anyOf", "oneOf", "allOf")
_DEEPEST = 8
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class _Not(Exception):
    """The text is no value of that type."""


def types_of(schema: object, depth: int = 0) -> frozenset[str]:
    """The JSON types that a schema allows, `string` where it names none (also for `$ref`)."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return STRING_ONLY
    declared = cast("dict[str, Any]", schema)
    told: object = declared.get("type")
    listed = cast("list[object]", told) if isinstance(told, list) else [told]
    names = {name.lower() for name in listed if isinstance(name, str)}
    found = {_ALIASES.get(name, name) for name in names}
    values: object = declared.get("enum")
    if not found and isinstance(values, list):
        found = {_type_of(value) for value in cast("list[object]", values)}
    for union in _UNIONS:
        branches: object = declared.get(union)
        if isinstance(branches, list) and not names:
            found |= set().union(*(types_of(branch, depth + 1) for branch in cast("list[object]", branches)))
    return frozenset(found) or STRING_ONLY


def read_as(text: str, schema: object) -> object:
    """The value that `text` stands for: the text itself where the schema allows a string and nothing narrower fits.

    Where no string is allowed and nothing fits, it is what it is in JSON, if it is any.
    """
    types = types_of(schema)
    if types == STRING_ONLY:
        return text
    for name, read in _READERS:
        if name not in types:
            continue
        if name == "string":
            return text
        try:
            return read(text)
        except (_Not, ValueError, RecursionError):
            continue
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _null(text: str) -> object:
    if text.strip().lower() not in ("null", "none"):
        raise _Not
    return None


def _integer(text: str) -> object:
    if not _INTEGER.fullmatch(text.strip()):
        raise _Not
    return int(text)


def _number(text: str) -> object:
    if not _NUMBER.fullmatch(text.strip()):
        raise _Not
    value = float(text)
    if not math.isfinite(value):
        raise _Not
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _boolean(text: str) -> object:
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise _Not
    return word == "true"


def _json(kind: type) -> Callable[[str], object]:
    def read(text: str) -> object:
        value: object = msgspec.json.decode(text)
        if not isinstance(value, kind):
            raise _Not
        return value

    return read


def _same(text: str) -> object:
    return text


_READERS: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("null", _null),
    ("integer", _integer),
    ("number", _number),
    ("boolean", _boolean),
    ("object", _json(dict)),
    ("array", _json(list)),
    ("string", _same),
)
