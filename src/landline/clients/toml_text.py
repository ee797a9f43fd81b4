"""Changes single keys in the text of a TOML document: comments, order and layout stay.

Pure. The text is held against the same change of the decoded document; where they differ, nothing is changed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import cast

Scalar = str | int | bool
Settings = Mapping[str, Mapping[str, Scalar]]
"""By table; the keys above the first table stand under the empty name."""

_HEADER = re.compile(r"^[ \t]*\[(?!\[)[ \t]*(?P<name>[^\]\n]+?)[ \t]*\][ \t]*(?:#[^\n]*)?$", re.MULTILINE)
_ANY_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_VALUE = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s#"'\[{][^#\n]*?)"""


def with_settings(text: str, wanted: Settings, *, written: Mapping[str, str]) -> str:
    """The document with these keys set. `written`: each value in TOML, by `table.key`.

    Raises ValueError where the document is none, or is laid out in a way in which a key cannot be set.
    """
    expected = _changed(tomllib.loads(text), wanted)
    newline = "\r\n" if "\r\n" in text else "\n"
    edited = text.replace("\r\n", "\n")
    for table, keys in wanted.items():
        for key in keys:
            edited = _with_key(edited, table, key, written[_dotted(table, key)])
    if _read(edited) != expected:
        raise ValueError("laid out in a way that was not foreseen")
    return edited.replace("\n", newline)


def _read(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except ValueError:  # a table that stands there in another form: then it would stand there twice
        return {}


def _dotted(table: str, key: str) -> str:
    return f"{table}.{key}" if table else key


def _changed(document: Mapping[str, object], wanted: Settings) -> dict[str, object]:
    changed = dict(document)
    for table, keys in wanted.items():
        inner = changed
        for name in table.split(".") if table else ():
            old = inner.get(name)
            inner[name] = dict(cast("dict[str, object]", old)) if isinstance(old, dict) else {}
            inner = cast("dict[str, object]", inner[name])
        inner.update(keys)
    return changed


def _with_key(text: str, table: str, key: str, value: str) -> str:
    span = _span(text, table)
    if span is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{table}]\n{key} = {value}\n"
    start, end = span
    part = text[start:end]
    found = re.search(rf"^(?P<lead>[ \t]*{re.escape(key)}[ \t]*=[ \t]*){_VALUE}(?=[ \t]*(?:#|$))", part, re.MULTILINE)
    if found:
        return text[:start] + part[: found.start()] + found["lead"] + value + part[found.end() :] + text[end:]
    at = start + _after_last_key(part)
    gap = "" if not text[:at] or text[:at].endswith("\n") else "\n"
    return f"{text[:at]}{gap}{key} = {value}\n{text[at:]}"


def _span(text: str, table: str) -> tuple[int, int] | None:
    """Where the keys of a table stand; of the root, what is above the first table."""
    start = 0
    if table:
        header = next((one for one in _HEADER.finditer(text) if one["name"] == table), None)
        if header is None:
            return None
        start = min(header.end() + 1, len(text))
    following = _ANY_HEADER.search(text, start)
    return start, following.start() if following else len(text)


def _after_last_key(part: str) -> int:
    """Behind the last line that is neither blank nor a comment: a comment below it may belong to the next table."""
    position = end = 0
    for line in part.splitlines(keepends=True):
        position += len(line)
        if line.strip() and not line.lstrip().startswith("#"):
            end = position
    return end
