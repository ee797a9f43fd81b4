"""The arguments of a call read as a whole, where they could not be followed as they came."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import msgspec

from landline.core.json_text import without_half_surrogates
from landline.core.lenient_json import UNREAD, is_over, read_json, read_lenient
from landline.core.schema_fit import JSON_TYPES, Fitter, Schema, type_of

LARGEST_GUESS = 256 * 1024  # characters that the general repair may look at: it is not linear
_MARKS = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'(?:[^"\\]|\\.)*+("?)', re.DOTALL)
_WORDS = re.compile(r"\w+")


def written(value: object) -> str:
    return msgspec.json.encode(value).decode()


def same(one: object, other: object) -> bool:
    """As JSON: 1 is not true."""
    return one is not UNREAD and written(one) == written(other)


def written_object(raw: str, schema: Schema, fitter: Fitter) -> dict[str, Any] | None:
    """The object that was meant by arguments of any form. None: they are cut, or there is no telling."""
    if not raw.strip():
        return {}  # a tool without arguments
    value = read_lenient(raw, fitter.properties(schema))
    if value is UNREAD:
        value = _guessed(raw, schema, fitter) if is_over(raw) else UNREAD
    for _ in range(2):  # an object written as JSON text, by some twice
        if not isinstance(value, str):
            break
        inner = read_lenient(value)
        value = value if inner is UNREAD else inner
    return None if value is UNREAD else _object(value, schema, fitter)


def _object(value: object, schema: Schema, fitter: Fitter) -> dict[str, Any]:
    given = value
    if isinstance(given, list) and len(cast("list[object]", given)) == 1 and isinstance(given[0], dict):
        given = cast("object", given[0])
    if isinstance(given, dict):
        return cast("dict[str, Any]", given)
    if not value:
        return {}
    name = _only_argument(value, schema, fitter)
    return {name: value} if name else {}


def _only_argument(value: object, schema: Schema, fitter: Fitter) -> str:
    """The one argument that a bare value can be: of its type, and the only such one or the only demanded one."""
    properties = fitter.properties(schema)
    kind = type_of(value)
    fitting = [name for name, one in properties.items() if _takes(kind, one, fitter)]
    if len(fitting) > 1:
        fitting = [name for name in fitting if name in fitter.required(schema)]
    return fitting[0] if len(fitting) == 1 else ""


def _takes(kind: str, schema: object, fitter: Fitter) -> bool:
    """Whether the schema names the kind: one that allows anything tells nothing."""
    types = fitter.types(schema)
    return types != JSON_TYPES and kind in types


def _guessed(raw: str, schema: Schema, fitter: Fitter) -> object:
    """What the general repair makes of it, if that fits the schema, and no letter was lost or added."""
    if len(raw) > LARGEST_GUESS:
        return UNREAD
    import json_repair  # rarely needed

    try:
        value = _without_halves(cast("object", json_repair.loads(raw)))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return UNREAD
    if not isinstance(value, dict):
        return UNREAD
    found = cast("dict[str, Any]", value)
    fitting = fitter.fits(fitter.members_meant(found, schema), schema)
    return found if fitting and _letters(raw) == _letters(written(found)) else UNREAD


def _without_halves(value: object) -> object:
    """The general repair leaves an emoji that was written as two escapes in two halves, which are no text."""
    return read_json(without_half_surrogates(json.dumps(value).encode()).decode())


def _letters(text: str) -> str:
    return "".join(_WORDS.findall(text)).lower().replace("none", "null")


# ------------------------------------------------------------------------------------------------ going on


def continued(sent: str, found: dict[str, Any]) -> str | None:
    """What must follow `sent` to make it `found`; None where it has become something else already.

    `sent` ends within a string that is a value, or behind a value or the beginning of an object or a list.
    """
    if not sent.strip():
        return written(found)
    closers, in_string = _unclosed(sent)
    begun = read_json(sent + ('"' if in_string else "") + "".join(reversed(closers)))
    return None if begun is UNREAD else _rest(begun, found, len(closers), in_string)


def _unclosed(sent: str) -> tuple[list[str], bool]:
    closers: list[str] = []
    at = 0
    while (found := _MARKS.search(sent, at)) is not None:
        mark, at = found[0], found.end()
        if mark == '"':
            string = _IN_STRING.match(sent, at)
            assert string is not None
            if not string[1]:
                return closers, True
            at = string.end()
        elif mark in "{[":
            closers.append("}" if mark == "{" else "]")
        else:
            closers.pop()
    return closers, False


def _rest(begun: object, found: object, depth: int, in_string: bool) -> str | None:
    """`depth`: how many objects and lists are open, this one the first."""
    if depth == 0:
        if isinstance(begun, str) and isinstance(found, str) and found.startswith(begun):
            return written(found[len(begun) :])[1:]
        return None
    open_inside = depth > 1 or in_string
    if isinstance(begun, dict) and isinstance(found, dict):
        return _rest_of_members(
            cast("dict[str, object]", begun), cast("dict[str, object]", found), depth, in_string, open_inside
        )
    if isinstance(begun, list) and isinstance(found, list):
        items, all_items = cast("list[object]", begun), cast("list[object]", found)
        keyed = {str(at): item for at, item in enumerate(items)}, {str(at): item for at, item in enumerate(all_items)}
        return _rest_of_members(*keyed, depth, in_string, open_inside, keys=False)
    return None


def _rest_of_members(
    begun: dict[str, object],
    found: dict[str, object],
    depth: int,
    in_string: bool,
    open_inside: bool,
    *,
    keys: bool = True,
) -> str | None:
    rest = ""
    names = list(begun)
    for name in names:
        if name not in found:
            return None
        if open_inside and name == names[-1]:
            inner = _rest(begun[name], found[name], depth - 1, in_string)
            if inner is None:
                return None
            rest = inner
        elif not same(begun[name], found[name]):
            return None
    more = [
        (f"{written(name)}:" if keys else "") + written(value) for name, value in found.items() if name not in begun
    ]
    comma = "," if begun and more else ""
    return rest + comma + ",".join(more) + ("}" if keys else "]")
