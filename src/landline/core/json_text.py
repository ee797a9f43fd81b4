"""JSON as peers really write it: text with half a surrogate pair in it, which strict parsers refuse.

A client that cuts a text by UTF-16 units, or a server that sends a character in two tokens, leaves one half of an emoji
as an escape (`\\ud83d` alone). Only the half is replaced; every other byte stays, so that a schema or the arguments of
a call that stand beside it are the same in every turn.
"""

from __future__ import annotations

import re

# A surrogate pair, or half of one, behind the escaped backslashes that may stand before it.
_SURROGATES = re.compile(
    rb"(?<!\\)((?:\\\\)*)\\u"
    rb"(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2}))"
)


def without_half_surrogates(data: bytes) -> bytes:
    """`data` with U+FFFD in place of each half of a surrogate pair that stands alone; `data` itself without any."""
    if b"\\ud" not in data and b"\\uD" not in data:
        return data
    whole = _SURROGATES.sub(_mended, data)
    return data if whole == data else whole


def _mended(found: re.Match[bytes]) -> bytes:
    return found[1] + rb"\ufffd" if found["half"] else found[0]
