"""Settings as text that is safe to show: TOML literals, secrets masked, nothing that could steer a terminal.

What is shown may come from a stranger's project file, so every text passes `printable` or `literal` first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from landline.config.keys import Key, known_keys
from landline.config.settings import Settings

# Fewer characters than this, and the last four would give away too much of a key.
SHOW_TAIL_FROM = 12

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_USER_IN_URL = re.compile(r"(?<=://)[^/?#\s]*@")


def printable(text: str) -> str:
    """`text` with control, bidirectional and other invisible characters written as escapes."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def quoted(text: str) -> str:
    """`text` as a TOML string on one line."""
    return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def key_name(path: tuple[str, ...]) -> str:
    """A path of keys as TOML writes it; parts that are not plain names are quoted."""
    return ".".join(part if _BARE_KEY.fullmatch(part) else quoted(part) for part in path)


def literal(value: object) -> str:
    """`value` as one line of TOML. Other types than TOML's own (dates) are shown as quoted text."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return repr(value)
        case list() | tuple():
            items = cast("list[object]", value)
            return "[" + ", ".join(literal(item) for item in items) + "]"
        case Mapping():
            pairs = cast("Mapping[str, object]", value)
            inner = ", ".join(f"{key_name((name,))} = {literal(item)}" for name, item in pairs.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return quoted(str(value))


def document(settings: Settings) -> str:
    """`settings` whole, secrets included, as a landline.toml that reads back the same. Not for showing."""
    tables = cast("dict[str, dict[str, Any]]", msgspec.to_builtins(settings))
    return "\n".join(
        "\n".join([f"[{table}]", *(f"{name} = {literal(value)}" for name, value in keys.items()), ""])
        for table, keys in tables.items()
    )


def masked(secret: str) -> str:
    """Whether a secret is set, with its end where that gives nothing away."""
    if not secret:
        return "not set"
    return f"set (…{printable(secret[-4:])})" if len(secret) >= SHOW_TAIL_FROM else "set"


def shown(key: Key, value: object) -> object:
    """`value` with secrets masked, in builtin types: what `--json` prints and `literal` can write."""
    return mask_secrets(value) if key.secret else hide_logins(value)


def mask_secrets(value: object) -> object:
    """Any value of a secret key, masked. Takes whatever a file may hold there, not only the right type."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, (list, tuple)):
        return [mask_secrets(item) for item in cast("list[object]", value)]
    return "set"


def hide_logins(value: object) -> object:
    """`value` without the user and password that a URL may carry."""
    match value:
        case str():
            return _USER_IN_URL.sub("…@", value)
        case list() | tuple():
            return [hide_logins(item) for item in cast("list[object]", value)]
        case dict():
            pairs = cast("dict[str, object]", value)
            return {name: hide_logins(item) for name, item in pairs.items()}
        case _:
            return value


def shown_text(key: Key, value: object) -> str:
    """`shown` for a table: a masked secret reads as words, everything else as TOML."""
    safe = shown(key, value)
    if not key.secret:
        return literal(safe)
    if isinstance(safe, list):
        return ", ".join(str(item) for item in cast("list[object]", safe)) or "not set"
    return str(safe)


def shown_entry(path: tuple[str, ...], value: object) -> str:
    """A value out of a file that was not checked yet, at `path`, as one line with secrets masked."""
    key = known_keys().get(".".join(path))
    if key is not None:
        return shown_text(key, value)
    if len(path) == 1 and isinstance(value, dict):
        pairs = cast("dict[str, object]", value)
        return "; ".join(f"{key_name((name,))} = {shown_entry((*path, name), item)}" for name, item in pairs.items())
    return literal(hide_logins(value))


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
