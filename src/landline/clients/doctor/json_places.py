"""Where each key of a JSON document stands, and how one is set or removed with every other byte left as it is.

Pure. Takes text that `json.loads` accepts; of a key that stands twice in an object the last one counts, as there.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import cast

from msgspec import Struct

Keys = tuple[str, ...]
DEPTH = 2  # of the keys that are found: `model`, `env.NAME`, `permissions.defaultMode`
INDENT = "  "

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)


class Member(Struct, frozen=True):
    """`line` from 1; the rest are positions in the text."""

    line: int
    key_start: int
    value_start: int
    value_end: int


class _Open:
    """An object or a list whose end has not come."""

    def __init__(self, *, is_object: bool, start: int) -> None:
        self.is_object = is_object
        self.start = start
        self.key: str | None = None  # the one whose value is awaited
        self.key_start = 0


def members(text: str) -> dict[Keys, Member]:
    """Every member of the document's object and of the objects in it."""
    lines = [match.start() for match in re.finditer("\n", text)]
    found: dict[Keys, Member] = {}
    stack: list[_Open] = []

    def value(start: int, end: int) -> None:
        """A value has ended: the member that it belongs to is known whole."""
        if not stack or not stack[-1].is_object or stack[-1].key is None:
            return
        owner = stack[-1]
        if len(stack) <= DEPTH and all(one.is_object for one in stack):
            keys = tuple(one.key or "" for one in stack)
            found[keys] = Member(bisect_right(lines, owner.key_start) + 1, owner.key_start, start, end)
        owner.key = None

    for match in _TOKEN.finditer(text):
        word = match.group()
        if word in "{[":
            stack.append(_Open(is_object=word == "{", start=match.start()))
        elif word in "}]":
            ended = stack.pop()
            value(ended.start, match.end())
        elif word in ",:":
            continue
        elif stack and stack[-1].is_object and stack[-1].key is None:
            stack[-1].key, stack[-1].key_start = json.loads(word), match.start()
        else:
            value(match.start(), match.end())
    return found


def with_value(text: str, keys: Keys, value: object) -> str:
    """The document with `keys` set; objects on the way are made where they are missing."""
    places = members(text)
    if keys in places:
        place = places[keys]
        return text[: place.value_start] + _written(value) + text[place.value_end :]
    owner = keys[:-1]
    start, end = _braces(text, places, owner)
    if start < 0:  # no object stands there
        return with_value(text, owner, {keys[-1]: value})
    written = f"{json.dumps(keys[-1], ensure_ascii=False)}: {_written(value)}"
    inside = [place for path, place in places.items() if path[:-1] == owner]
    return _inserted(text, (start, end), sorted(inside, key=lambda place: place.key_start), written)


def without(text: str, keys: Keys) -> str:
    """The document without `keys`, and without the comma and the blank that it leaves behind."""
    places = members(text)
    if keys not in places:
        return text
    place = places[keys]
    beside = [other for path, other in places.items() if path[:-1] == keys[:-1] and path != keys]
    later = [other.key_start for other in beside if other.key_start > place.key_start]
    if later:
        return text[: place.key_start] + text[min(later) :]
    earlier = [other.value_end for other in beside if other.key_start < place.key_start]
    if earlier:
        return text[: max(earlier)] + text[place.value_end :]
    start, end = _braces(text, places, keys[:-1])
    return text[: start + 1] + text[end - 1 :]


def changed_document(document: Mapping[str, object], keys: Keys, value: object, *, remove: bool) -> dict[str, object]:
    """The same change to the decoded document, to hold the text against."""
    changed = dict(document)
    first, *rest = keys
    if rest:
        inner = changed.get(first)
        if remove and not isinstance(inner, dict):
            return changed
        nested = cast("dict[str, object]", inner) if isinstance(inner, dict) else {}
        changed[first] = changed_document(nested, tuple(rest), value, remove=remove)
    elif remove:
        changed.pop(first, None)
    else:
        changed[first] = value
    return changed


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _braces(text: str, places: Mapping[Keys, Member], owner: Keys) -> tuple[int, int]:
    """The span of the object at `owner`, or -1 where none stands there."""
    if not owner:
        return text.index("{"), text.rindex("}") + 1
    place = places.get(owner)
    if place is None or text[place.value_start] != "{":
        return -1, -1
    return place.value_start, place.value_end


def _inserted(text: str, braces: tuple[int, int], inside: list[Member], written: str) -> str:
    """A member behind the last one, laid out as its neighbours are."""
    start, end = braces
    newline = "\r\n" if "\r\n" in text else "\n"
    if inside:
        last = inside[-1]
        lead = _lead(text, last.key_start)
        between = ", " if lead is None else f",{newline}{lead}"
        return text[: last.value_end] + between + written + text[last.value_end :]
    outer = re.match(r"[ \t]*", text[text.rfind("\n", 0, start) + 1 :])
    lead = outer.group() if outer else ""
    return f"{text[: start + 1]}{newline}{lead}{INDENT}{written}{newline}{lead}{text[end - 1 :]}"


def _lead(text: str, position: int) -> str | None:
    """The white space before a position, where nothing else stands before it on its line."""
    begin = text.rfind("\n", 0, position) + 1
    before = text[begin:position]
    return before if begin and not before.strip() else None
