"""The arguments of a call in a history, taken apart for syntaxes that write them one by one."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct


class Member(Struct, frozen=True):
    """`text` is what stands between tags: a string as it is, any other value as JSON."""

    name: str
    text: str
    json: str
    is_string: bool


def members(arguments: str) -> list[Member]:
    """In their order. Text that is no JSON object is one argument by that name: nothing is dropped."""
    try:
        found = msgspec.json.decode(arguments or "{}", type=dict[str, Raw])
        return [_member(name, bytes(raw)) for name, raw in found.items()]
    except (ValueError, RecursionError):
        return [Member("arguments", arguments, msgspec.json.encode(arguments).decode(), True)]


def _member(name: str, raw: bytes) -> Member:
    json = msgspec.json.format(raw, indent=0).decode()  # with the spaces of Python's json, as templates have them
    if raw.startswith(b'"'):
        return Member(name, msgspec.json.decode(raw, type=str), json, True)
    return Member(name, json, json, False)
