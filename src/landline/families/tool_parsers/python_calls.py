"""Calls written in Python's notation: where they end in a stream of text, what they say, and how they are written."""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from typing import Any, cast

import msgspec

_WORDS = {"true": True, "false": False, "null": None, "none": None}
_BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_RENAMED = "_landline_keyword"  # behind a keyword that a model took for the name of a parameter
_KEYWORD = re.compile(rf"\b({'|'.join(keyword.kwlist)})(?=\s*=(?!=))")
_HYPHEN = "_landline_hyphen_"  # for one in a tool's name
_IN_NAME = re.compile(r"(?<=\w)-(?=[\w.-]*\()")
_HALF_ESCAPE = r"\\(?:x(?![0-9a-fA-F]{2})|u(?![0-9a-fA-F]{4})|U(?!00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})|N)"
_ESCAPES = re.compile(rf"(?P<half>{_HALF_ESCAPE})|\\.", re.DOTALL)
_RAW = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\x00"})
_STRING = re.compile(
    r"'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL
)


class NotCalls(Exception):
    """The source is something else."""


class SourceEnd:
    """Follows brackets and strings. `closers` end the source where nothing is open."""

    def __init__(self, closers: tuple[str, ...] = ()) -> None:
        self.wants_more = False  # the text behind the end that was returned cannot be judged yet
        self._closers = closers
        firsts = re.escape("".join({closer[0] for closer in closers}))
        self._marks = re.compile(f"[\"'()\\[\\]{{}}{firsts}]")
        self._depth = 0
        self._quote = ""
        self._in_string = re.compile("")

    @property
    def balanced(self) -> bool:
        return self._depth == 0 and not self._quote

    def feed(self, text: str, at: int) -> int:
        """Where the source ends, or -1; with `wants_more` set, the place from which on it must be fed again."""
        self.wants_more = False
        while at < len(text):
            found = (self._in_string if self._quote else self._marks).search(text, at)
            if found is None:
                return self._begun_quote(text, at)
            if self._quote:
                at = self._string_mark(text, found)
            elif found[0] in "\"'":
                at = self._begin_string(text, found.start())
            elif found[0] in "()[]{}":
                at = found.end()
                self._depth += 1 if found[0] in "([{" else -1
                if self._depth <= 0 and not self._closers:
                    return at
            else:
                at, over = self._closer(text, found.start())
                if over:
                    return at
            if self.wants_more:
                return at
        return -1

    def _begun_quote(self, text: str, at: int) -> int:
        """At the end of the text: what closes a string with three quotes may have begun."""
        tail = text[max(at, len(text) - 2) :]
        begun = len(tail) - len(tail.rstrip(self._quote[0])) if len(self._quote) == 3 else 0
        self.wants_more = begun > 0
        return len(text) - begun if begun else -1

    def _begin_string(self, text: str, at: int) -> int:
        mark = text[at : at + 3]
        if len(mark) < 3 and mark == mark[0] * len(mark):
            self.wants_more = True
            return at
        quote = mark[0]
        if mark[:2] == quote * 2 and mark != quote * 3:
            return at + 2  # an empty string
        self._quote = mark if mark == quote * 3 else quote
        self._in_string = re.compile(rf"\\|{self._quote}")
        return at + len(self._quote)

    def _string_mark(self, text: str, found: re.Match[str]) -> int:
        if found[0] != "\\":
            self._quote = ""
            return found.end()
        if found.end() == len(text):
            self.wants_more = True
            return found.start()
        return found.end() + 1

    def _closer(self, text: str, at: int) -> tuple[int, bool]:
        if self._depth <= 0:
            for closer in self._closers:
                if text.startswith(closer, at):
                    return at, True
                if closer.startswith(text[at:]):
                    self.wants_more = True
                    return at, False
        return at + 1, False


def calls_of(source: str, *, lines: bool = False) -> list[tuple[str, str]]:
    """Names and arguments (JSON) of the calls in a list, or in lines. Raises NotCalls."""
    for mended in (False, True):
        try:
            return _calls(_mended(source) if mended else source, lines=lines)
        except NotCalls:
            if mended:
                raise
    raise NotCalls


def _calls(source: str, *, lines: bool) -> list[tuple[str, str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # escapes that Python does not know, and leaves as they are
            nodes = _nodes(source.strip(), lines=lines)
    except _BROKEN:
        raise NotCalls from None
    if not nodes:
        raise NotCalls
    return [_call(node) for node in nodes]


def _nodes(source: str, *, lines: bool) -> list[ast.expr]:
    if not lines:
        tree = ast.parse(source, mode="eval").body
        return tree.elts if isinstance(tree, ast.List) else [tree]
    nodes: list[ast.expr] = []
    for statement in ast.parse("\n".join(line.strip().rstrip(",") for line in source.split("\n"))).body:
        if not isinstance(statement, ast.Expr):
            raise NotCalls
        value = statement.value
        nodes += value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    return nodes


def _mended(source: str) -> str:
    """With what models write that Python refuses: raw newlines in strings, half escapes, odd names."""
    parts: list[str] = []
    end = 0
    for string in _STRING.finditer(source):
        parts.append(_nameable(source[end : string.start()]))
        parts.append(_ESCAPES.sub(_escaped, string[0]).translate(_RAW))
        end = string.end()
    return "".join([*parts, _nameable(source[end:])])


def _nameable(code: str) -> str:
    return _IN_NAME.sub(_HYPHEN, _KEYWORD.sub(rf"\1{_RENAMED}", code))


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}" if found["half"] else found[0]


def _call(node: ast.expr) -> tuple[str, str]:
    if not isinstance(node, ast.Call) or node.args:
        raise NotCalls
    arguments: dict[str, Any] = {}
    try:
        for word in node.keywords:
            value = _value(word.value)
            if word.arg is not None:
                arguments[word.arg.removesuffix(_RENAMED)] = value
            elif isinstance(value, dict):
                arguments |= cast("dict[str, Any]", value)
            else:
                raise NotCalls
        return _dotted(node.func).replace(_HYPHEN, "-"), msgspec.json.encode(arguments).decode()
    except _BROKEN:
        raise NotCalls from None


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if not isinstance(node, ast.Name):
        raise NotCalls
    return node.id


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str() as text):
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case ast.Constant(value=None | bool() | int() as value):
            return value
        case ast.Constant(value=float() as value) if math.isfinite(value):
            return value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)):
            return -value if isinstance(sign, ast.USub) else value
        case ast.Name(id=word) if word.lower() in _WORDS:
            return _WORDS[word.lower()]
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_key(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case _:
            raise NotCalls


def _key(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise NotCalls


def source_of(name: str, arguments: dict[str, Any]) -> str:
    """A call in Python. Arguments whose names Python does not allow stand in a dictionary with two stars."""
    named = [f"{key}={_literal(value)}" for key, value in arguments.items() if _can_be_named(key)]
    others = {key: value for key, value in arguments.items() if not _can_be_named(key)}
    return f"{name}({', '.join([*named, *([f'**{_literal(others)}'] if others else [])])})"


def _can_be_named(key: str) -> bool:
    return _IDENTIFIER.fullmatch(key) is not None and not keyword.iskeyword(key)


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in cast("list[Any]", value)) + "]"
    if value is None or isinstance(value, bool):
        return repr(value)
    return msgspec.json.encode(value).decode()
