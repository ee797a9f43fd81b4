"""The arguments of one tool call while they grow: followed member by member, let out as far as they agree with the
tool's schema, and mended where they do not.

A text leaves as it grows, objects and lists leave with their first value, and every other value when it is complete. A
value that does not fit its schema is held alone, mended if only one thing can be meant, and given out. What may belong
to a text or end it (a quotation mark, and the structure behind it) waits until the next value begins. What cannot be
followed is held to the end and read as a whole; then only a continuation of what has left already may be given out.

Arguments that are well written and fit leave byte for byte. What was cut is never completed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from landline.core.json_strings import marks, mended, proper_end
from landline.core.lenient_json import UNREAD, read_json
from landline.core.partial_json import ValueEnd
from landline.core.schema_fit import ANYTHING, Fitter, Schema
from landline.transforms.whole_arguments import continued, same, written, written_object

LONGEST_KEY = 1024
DEEPEST = 64
_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BLANK = re.compile(r"[ \t\r\n]*")
_KEY = re.compile(r'[ \t\r\n]*("(?:[^"\\\x00-\x1f]|\\.)*+")[ \t\r\n]*:', re.DOTALL)
_NOTHINGS = ('"null"', '"None"')

TYPED = "argument read as its schema types it"
LEFT_OUT = "argument that says nothing left out"
DEFAULT = "missing argument set to the default of its schema"
ESCAPED = "text of an argument written as JSON"
READ = "arguments read as the JSON that was meant"
SYNONYM = "argument given the name that its schema has"

Told = Callable[[str, str, str], None]  # what was mended, before, after


class State(Enum):
    BEGIN = "begin"
    KEY = "key"
    VALUE = "value"
    STRING = "string"  # leaves as it grows
    HELD = "held"  # a value that waits until it is complete
    AFTER = "after"  # behind a value
    END = "end"
    WHOLE = "whole"  # cannot be followed


class _Open:
    """An object or a list that has begun and not ended."""

    __slots__ = ("closer", "count", "fresh", "schema", "seen")

    def __init__(self, closer: str, schema: Schema) -> None:
        self.closer = closer
        self.schema = schema
        self.seen: set[str] = set()
        self.count = 0  # members or items that are given out
        self.fresh = True  # nothing stands in it yet


class CallArguments:
    """`told` hears of each repair."""

    def __init__(self, schema: Schema, told: Told) -> None:
        self.changed = False
        self._fitter = Fitter(schema)
        self._schema = schema
        self._told = told
        self._state = State.BEGIN
        self._pieces: list[str] = []
        self._sent: list[str] = []
        self._out: list[str] = []
        self._text = ""  # not read yet, from `_at` on; it begins at `_base` of all that came
        self._at = self._base = 0
        self._done = 0  # of all that came, what the sent stands for
        self._wait = ""  # structure that leaves with the next value
        self._comma = self._key = ""  # what stands before the value
        self._stack: list[_Open] = []
        self._member: Schema = ANYTHING
        self._needed = True
        self._end = ValueEnd()
        self._held: list[str] = []
        self._steps: dict[State, Callable[[], bool]] = {
            State.BEGIN: self._begin,
            State.KEY: self._next_key,
            State.VALUE: self._value,
            State.STRING: self._string,
            State.HELD: self._holding,
            State.AFTER: self._after,
            State.END: self._over,
            State.WHOLE: lambda: False,
        }

    @property
    def raw(self) -> str:
        return "".join(self._pieces)

    @property
    def sent(self) -> str:
        return "".join(self._sent)

    @property
    def in_text(self) -> bool:
        """Whether what came so far ends within a JSON string."""
        if self._state is State.WHOLE:
            return '"' in _TEXTS.sub("", self.raw)
        return self._state is State.STRING or (self._state is State.HELD and self._end.in_string)

    def feed(self, piece: str) -> str:
        """The next piece of the arguments; what may leave now."""
        self._pieces.append(piece)
        if self._state is State.WHOLE:
            return ""
        if self._state is State.STRING and self._at == len(self._text) and not marks(piece):
            self._done += len(piece)
            self._base = self._done - self._at
            self._sent.append(piece)
            return piece
        self._base += self._at
        self._text, self._at = self._text[self._at :] + piece, 0
        while self._at < len(self._text) and self._steps[self._state]():
            pass
        return self._take()

    def finish(self, *, cut: bool) -> str:
        """The call has ended, or was `cut`; what is left to give out."""
        if self._state is State.END:
            self._give("")
            return self._take()
        if cut:
            return self._as_written()
        raw = self.raw
        value = written_object(raw, self._schema, self._fitter)
        if value is None:
            return self._as_written()
        found = self._fitter.members_meant(value, self._schema)
        if same(read_json(raw), found):
            return self._as_written()
        rest = continued(self.sent, found)
        if rest is None:
            return self._as_written()
        if raw.strip():
            self._tell(self._what(raw, value, found), raw, self.sent + rest)
        self._sent.append(rest)
        return rest

    def _what(self, raw: str, value: dict[str, Any], found: dict[str, Any]) -> str:
        if not same(read_json(raw), value):
            return READ
        return TYPED if found.keys() == value.keys() else SYNONYM if len(found) == len(value) else DEFAULT

    def _as_written(self) -> str:
        rest = self.raw[self._done :]
        self._sent.append(rest)
        return rest

    # ------------------------------------------------------------------------------------------------ giving out

    def _give(self, text: str) -> None:
        """What waited, and `text`: all that was read so far stands for it."""
        self._out.append(self._wait + text)
        self._wait = ""
        self._done = self._base + self._at

    def _take(self) -> str:
        text = "".join(self._out)
        self._out = []
        if text:
            self._sent.append(text)
        return text

    def _lead(self) -> str:
        """What stands before the value: the comma, if anything was given out before it, and the key."""
        above = self._stack[-1]
        lead = (self._comma if above.count else "") + self._key
        above.count += 1
        self._comma = self._key = ""
        return lead

    def _tell(self, what: str, before: str, after: str) -> None:
        self.changed = True
        self._told(what, before, after)

    # ------------------------------------------------------------------------------------------------ steps
    # Each reads on from `_at`, and says whether it got anywhere.

    def _blank(self) -> str:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return found[0]

    def _to(self, state: State) -> bool:
        self._state = state
        return state is not State.WHOLE

    def _begin(self) -> bool:
        self._wait += self._blank()
        if self._at == len(self._text):
            return False
        if self._text[self._at] != "{":
            return self._to(State.WHOLE)
        return self._enter("{", self._fitter.only_branch(self._schema, "object") or ANYTHING)

    def _enter(self, mark: str, schema: Schema) -> bool:
        self._wait += mark
        self._at += 1
        self._stack.append(_Open("}" if mark == "{" else "]", schema))
        if mark == "{":
            return self._to(State.KEY)
        return self._item()

    def _item(self) -> bool:
        items: object = self._stack[-1].schema.get("items")
        self._member = self._fitter.resolved(items)
        self._needed = True
        return self._to(State.VALUE)

    def _next_key(self) -> bool:
        above = self._stack[-1]
        found = _KEY.match(self._text, self._at)
        if found is None:
            blank = _BLANK.match(self._text, self._at)
            assert blank is not None
            mark = self._text[blank.end() : blank.end() + 1]
            if mark == "}" and above.fresh:
                return self._close(self._blank())
            if (mark and mark != '"') or len(self._text) - self._at > LONGEST_KEY:
                return self._to(State.WHOLE)
            return False
        name = read_json(found[1])
        if not isinstance(name, str):
            return self._to(State.WHOLE)
        self._key, self._at = found[0], found.end()
        above.fresh = False
        return self._named(name, above)

    def _named(self, name: str, above: _Open) -> bool:
        above.seen.add(name)
        properties = self._fitter.properties(above.schema)
        if name in properties:
            self._needed = name in self._fitter.required(above.schema)
            self._member = self._fitter.resolved(properties[name])
            return self._to(State.VALUE)
        if any(wanted not in above.seen for wanted in self._fitter.wanted(name, above.schema)):
            return self._to(State.WHOLE)  # whether it is meant is known at the end
        self._needed, self._member = True, ANYTHING
        if "patternProperties" not in above.schema:
            self._member = self._fitter.resolved(above.schema.get("additionalProperties"))
        return self._to(State.VALUE)

    def _value(self) -> bool:
        self._key += self._blank()
        if self._at == len(self._text):
            return False
        mark, above = self._text[self._at], self._stack[-1]
        if mark == "]" and above.closer == "]" and above.fresh:
            space, self._key = self._key, ""
            return self._close(space)
        above.fresh = False
        if mark == '"':
            return self._text_value()
        if mark in "{[" and len(self._stack) < DEEPEST:
            kind = "object" if mark == "{" else "array"
            branch = self._fitter.only_branch(self._member, kind) if kind in self._fitter.types(self._member) else None
            if branch is not None and "enum" not in branch and "const" not in branch:
                self._wait += self._lead()
                return self._enter(mark, branch)
        return self._hold()

    def _text_value(self) -> bool:
        types = self._fitter.types(self._member)
        if "string" not in types:
            return self._hold()
        if not self._needed or "null" in types:
            begun = self._text[self._at : self._at + len(_NOTHINGS[0])]
            if any(one.startswith(begun) for one in _NOTHINGS):
                return self._hold() if begun in _NOTHINGS else False
        self._at += 1
        self._wait += self._lead()
        self._give('"')
        return self._to(State.STRING)

    def _string(self) -> bool:
        end = proper_end(self._text, self._at)
        text, self._at = self._text[self._at : end], end
        self._give(text)
        if end == len(self._text):
            return False
        if self._text[end] == '"':
            self._at += 1
            self._wait = '"'
            return self._to(State.AFTER)
        found = mended(self._text, end)
        if found is None:
            return False
        text, self._at = found
        self._tell(ESCAPED, self._text[end : self._at], text)
        self._give(text)
        return True

    def _hold(self) -> bool:
        self._end, self._held = ValueEnd(), []
        return self._to(State.HELD)

    def _holding(self) -> bool:
        end = self._end.feed(self._text, self._at)
        if end < 0:
            self._held.append(self._text[self._at :])
            self._at = len(self._text)
            return False
        self._held.append(self._text[self._at : end])
        self._at = end
        return self._settle("".join(self._held))

    def _settle(self, raw: str) -> bool:
        value = read_json(raw)
        if value is UNREAD:
            return self._to(State.WHOLE)
        if self._fitter.says_nothing(value, self._member, required=self._needed) and self._stack[-1].closer == "}":
            if not self._needed:
                self._tell(LEFT_OUT, self._key.lstrip() + raw, "")
                self._comma = self._key = ""
                return self._to(State.AFTER)
            found: object = None
        else:
            found = self._fitter.meant(value, self._member)
        text = raw
        if found is not value:
            text = written(found)
            self._tell(TYPED, self._key.lstrip() + raw, self._key.lstrip() + text)
        self._wait += self._lead()
        self._give(text)
        return self._to(State.AFTER)

    def _after(self) -> bool:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        if found.end() == len(self._text):
            return False
        mark, above = self._text[found.end()], self._stack[-1]
        if mark == ",":
            self._at = found.end() + 1
            self._comma = found[0] + mark
            return self._to(State.KEY) if above.closer == "}" else self._item()
        if mark != above.closer:
            return self._to(State.WHOLE)
        return self._close(self._blank())

    def _close(self, space: str) -> bool:
        above = self._stack.pop()
        self._at += 1
        if above.closer == "}":
            added = self._fitter.defaults(dict.fromkeys(above.seen), above.schema)
            text = "".join(f",{written(name)}:{written(value)}" for name, value in added.items())
            self._wait += text if above.count else text[1:]
            if text:
                self._tell(DEFAULT, "", text[1:])
        self._wait += space + above.closer
        return self._to(State.AFTER if self._stack else State.END)

    def _over(self) -> bool:
        self._wait += self._blank()
        return self._at == len(self._text) or self._to(State.WHOLE)
