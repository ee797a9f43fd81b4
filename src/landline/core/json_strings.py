"""The inside of JSON strings as models write them: raw line ends, escapes that JSON does not have, halves of emojis.

What is odd has one reading that keeps every character the model wrote: a raw control character is itself, `\\'` is a
quotation mark, and any other backslash that begins no escape is a backslash (`\\d` of a pattern, `\\x1b` of a script).
"""

from __future__ import annotations

import re

_PROPER = re.compile(
    r'(?:[^"\\\x00-\x1f]++'
    r'|\\["\\/bfnrt]'
    r"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
# None: nothing of the text can be anything but the inside of a string. Much faster than `proper_end`.
marks = re.compile(r'["\\\x00-\x1f]').search
_BEGUN = re.compile(r"\\(?:u(?:[0-9a-fA-F]{0,3}|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?))?")
_HALF = re.compile(r"\\u[0-9a-fA-F]{4}")
_CONTROL = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def proper_end(text: str, at: int = 0) -> int:
    """Where what is well written ends, from `at` on: at a quotation mark, at something odd, or at the end."""
    found = _PROPER.match(text, at)
    assert found is not None  # it matches nothing at all, too
    return found.end()


def mended(text: str, at: int, *, last: bool = False) -> tuple[str, int] | None:
    """What to write for the odd thing at `at`, and where it ends. None: more text may make it an escape.

    `last`: no more text comes.
    """
    char = text[at]
    if char == '"':
        return '\\"', at + 1
    if char < " ":
        return _CONTROL.get(char) or f"\\u{ord(char):04x}", at + 1
    if not last and _BEGUN.fullmatch(text, at):
        return None
    if text.startswith("\\'", at):
        return "'", at + 2
    if _HALF.match(text, at):
        return "\\ufffd", at + 6
    return "\\\\", at + 1


def proper(body: str) -> str:
    """All of `body`, the inside of a string, as JSON has it. A quotation mark in it is one of the text."""
    out: list[str] = []
    at = 0
    while True:
        end = proper_end(body, at)
        out.append(body[at:end])
        if end == len(body):
            return "".join(out)
        found = mended(body, end, last=True)
        assert found is not None
        text, at = found
        out.append(text)
