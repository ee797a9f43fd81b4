"""JSON with comments and trailing commas, as VS Code keeps its settings: read, and edited without touching a comment.

Pure. A document is turned into plain JSON of the same length first, so that a position in one is a position in both.
Members are found by json_places.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from landline.clients.doctor.json_places import INDENT, Keys, Member, members

# A string; or else a comment of either kind, which must not be looked for within one.
_PARTS = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("[^"\\\n]*(?:\\.[^"\\\n]*)*")|,(?=\s*[}\]])', re.DOTALL)
_BRACES = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)

Splice = tuple[int, int, str]  # from, to, and what stands there then


def plain(text: str) -> str:
    """The document with blanks in place of comments and trailing commas: of the same length, with the same lines."""
    return _TRAILING_COMMA.sub(lambda part: part[1] or " ", _without_comments(text))


def _without_comments(text: str) -> str:
    return _PARTS.sub(lambda part: part[0] if part[0][0] == '"' else re.sub(r"[^\n\r]", " ", part[0]), text)


def decoded(text: str) -> dict[str, Any]:
    """Raises ValueError (or RecursionError) for what is no object."""
    value: object = json.loads(plain(text))
    if not isinstance(value, dict):
        raise ValueError("no object")
    return cast("dict[str, Any]", value)


def with_member(text: str, keys: Keys, value: object) -> str:
    """The document with a member set, at most two keys deep; it is put behind the last one where it is new.

    An object on the way is made where none stands there.
    """
    bare = plain(text)
    found = members(bare)
    place, owner = found.get(keys), found.get(keys[:-1])
    if place is not None:
        written = _written(value, _indent_of(text, place)).replace("\n", _newline(text))
        return text[: place.value_start] + written + text[place.value_end :]
    if keys[:-1] and (owner is None or bare[owner.value_start] != "{"):
        return with_member(text, keys[:-1], {keys[-1]: value})
    start, end = (owner.value_start, owner.value_end - 1) if owner else (bare.index("{"), bare.rindex("}"))
    inside = [one for path, one in found.items() if path[:-1] == keys[:-1]]
    last = max(inside, key=lambda one: one.value_end, default=None)
    lead = _indent_of(text, last) if last else (_indent_of(text, owner) if owner else "") + INDENT
    written = f"{json.dumps(keys[-1])}: {_written(value, lead)}".replace("\n", _newline(text))
    return _applied(text, _appended(text, (start, end), last and last.value_end, written, lead))


def with_variables(text: str, name: str, wanted: Mapping[str, str], emptied: frozenset[str]) -> str:
    """The document with the list `name` of `{"name": ..., "value": ...}` giving each wanted variable its value.

    Variables of `emptied` that stand there get the empty text. Raises ValueError where something else stands there.
    """
    place = members(plain(text)).get((name,))
    if place is None or plain(text)[place.value_start : place.value_end] in ("null", "[]", "{}"):
        return with_member(text, (name,), [_entry(one, value) for one, value in wanted.items()])
    bare = plain(text)
    if bare[place.value_start] != "[":
        raise ValueError(f"{name} is no list")
    spans = _elements(bare, place)
    found: set[str] = set()
    splices: list[Splice] = []
    for start, end in spans:
        entry = cast("object", json.loads(bare[start:end]))
        variable = cast("dict[str, object]", entry).get("name") if isinstance(entry, dict) else None
        if not isinstance(variable, str) or (variable not in wanted and variable not in emptied):
            continue
        found.add(variable)
        value = wanted.get(variable, "")
        held = members(bare[start:end]).get(("value",))
        if held is None:
            splices.append((start, end, json.dumps(_entry(variable, value), ensure_ascii=False)))
        elif json.loads(bare[start + held.value_start : start + held.value_end]) != value:
            splices.append((start + held.value_start, start + held.value_end, _text(value)))
    new = [json.dumps(_entry(one, value), ensure_ascii=False) for one, value in wanted.items() if one not in found]
    if new:
        lead = _lead(text, spans[-1][0]) if spans else _indent_of(text, place) + INDENT
        written = f",{_newline(text)}{lead}".join(new)
        ends = spans[-1][1] if spans else None
        splices += _appended(text, (place.value_start, place.value_end - 1), ends, written, lead)
    return _applied(text, splices)


def secret_spans(text: str, is_secret: re.Pattern[str]) -> list[tuple[int, int]]:
    """Where the values of such lists stand whose names are those of secrets, whatever list of the document it is."""
    found: list[tuple[int, int]] = []
    bare = plain(text)
    for place in members(bare).values():
        if bare[place.value_start] != "[":
            continue
        for start, end in _elements(bare, place):
            inside = members(bare[start:end])
            named, held = inside.get(("name",)), inside.get(("value",))
            if named and held and is_secret.search(bare[start + named.value_start : start + named.value_end]):
                found.append((start + held.value_start, start + held.value_end))
    return found


def _elements(bare: str, place: Member) -> list[tuple[int, int]]:
    """Where the objects of a list stand."""
    found: list[tuple[int, int]] = []
    depth, begin = 0, 0
    for part in _BRACES.finditer(bare, place.value_start, place.value_end):
        word = part.group()
        if word in "{[":
            depth += 1
            begin = part.start() if depth == 2 else begin
        elif word in "}]":
            depth -= 1
            if depth == 1 and bare[begin] == "{":
                found.append((begin, part.end()))
    return found


def _appended(text: str, braces: tuple[int, int], last: int | None, written: str, lead: str) -> list[Splice]:
    """Something new behind the last one, which ends at `last`; behind the comment too that ends its line."""
    newline = _newline(text)
    start, end = braces
    bare = _without_comments(text)
    comma = bare.find(",", last, end) if last is not None else -1
    trailing = comma >= 0 and not bare[comma + 1 : end].strip()
    behind = start + 1 if last is None else comma + 1 if trailing else last
    line_end = _at(text, "\r" if newline == "\r\n" else "\n", behind)
    at = line_end if line_end < end and not bare[behind:line_end].strip() else behind
    put = f"{newline}{lead}{written}" + ("," if trailing else "")
    if last is None and "\n" not in text[start:end]:
        put += newline + lead.removesuffix(INDENT)
    separator: list[Splice] = [] if last is None or trailing else [(last, last, ",")]
    return [*separator, (at, at, put)]


def _at(text: str, char: str, start: int) -> int:
    found = text.find(char, start)
    return found if found >= 0 else len(text)


def _applied(text: str, splices: list[Splice]) -> str:
    """Of two at the same place the first one in the list stands first."""
    for start, end, written in reversed(sorted(splices, key=lambda splice: splice[0])):
        text = text[:start] + written + text[end:]
    return text


def _written(value: object, lead: str) -> str:
    """A list has a line for each of its entries, an object one for each of its members."""
    if isinstance(value, dict) and value:
        return json.dumps(value, ensure_ascii=False, indent=len(INDENT)).replace("\n", f"\n{lead}")
    entries = cast("list[object]", value) if isinstance(value, list) else []
    if not entries:
        return _text(value)
    rows = ",\n".join(f"{lead}{INDENT}{_text(one)}" for one in entries)
    return f"[\n{rows}\n{lead}]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _entry(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent_of(text: str, place: Member) -> str:
    return _lead(text, place.key_start) or INDENT


def _lead(text: str, position: int) -> str:
    """The white space at the beginning of the line of a position."""
    begin = text.rfind("\n", 0, position) + 1
    found = re.match(r"[ \t]*", text[begin:position])
    return found.group() if found else ""
