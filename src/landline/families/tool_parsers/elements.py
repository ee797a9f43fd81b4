"""MiniMax M3's elements to a value, by the schema of the argument."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from landline.core.typed_text import read_as, types_of

PREFIX = "]<]minimax[>["
_TAG = re.compile(re.escape(PREFIX) + r"<(/?)([^>]{1,256})>")
_DEEPEST = 64


class _Element:
    def __init__(self, name: str) -> None:
        self.name = name
        self.texts: list[str] = []
        self.children: list[_Element] = []


def read_elements(text: str, schema: object) -> object:
    """The value of what stands in an element; elements that do not close are text."""
    root = _tree(text)
    return read_as(text, schema) if root is None else _value(root, schema)


def _tree(text: str) -> _Element | None:
    stack = [_Element("")]
    at = 0
    for tag in _TAG.finditer(text):
        stack[-1].texts.append(text[at : tag.start()])
        at = tag.end()
        if not tag[1]:
            child = _Element(tag[2])
            stack[-1].children.append(child)
            stack.append(child)
        elif stack[-1].name != tag[2] or len(stack) == 1:
            return None
        else:
            stack.pop()
        if len(stack) > _DEEPEST:
            return None
    stack[-1].texts.append(text[at:])
    return stack[0] if len(stack) == 1 else None


def _value(element: _Element, schema: object) -> object:
    text = "".join(element.texts)
    types = types_of(schema)
    if not element.children:
        if not text.strip() and "string" not in types and types & {"array", "object"}:
            return [] if "array" in types else {}
        return read_as(text, schema)
    container = _container(schema)
    if "items" in container or "array" in types_of(container):
        return [_value(child, container.get("items")) for child in element.children]
    return _object(element, container, text)


def _object(element: _Element, schema: Mapping[str, Any], text: str) -> dict[str, object]:
    declared: object = schema.get("properties")
    properties = cast("dict[str, Any]", declared) if isinstance(declared, dict) else {}
    found: dict[str, list[object]] = {}
    for child in element.children:
        inner = properties.get(child.name, schema.get("additionalProperties"))
        found.setdefault(child.name, []).append(_value(child, inner))
    members: dict[str, object] = {name: values if len(values) > 1 else values[0] for name, values in found.items()}
    if text.strip():
        members.setdefault("$text", text)
    return members


def _container(schema: object, depth: int = 0) -> Mapping[str, Any]:
    """The first alternative of a schema that is an array or an object."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    declared = cast("dict[str, Any]", schema)
    for union in ("anyOf", "oneOf"):
        branches: object = declared.get(union)
        for branch in cast("list[object]", branches) if isinstance(branches, list) else []:
            if types_of(branch) & {"array", "object"}:
                return _container(branch, depth + 1)
    return declared
