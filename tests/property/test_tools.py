"""Tools: names come back as they were, and a simplified schema refuses nothing that was accepted before."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from landline.core.events import BlockKind, BlockStart, Event
from landline.core.exchange import Notes
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.names import plain_names
from tests.property.examples import Dice
from tests.property.requests import chat_of, written

PLAIN = Dialect(plain_schemas=True)
HI = [{"role": "user", "content": "x"}]
NAMES = st.lists(st.text(st.sampled_from("aB.: é_-"), min_size=1, max_size=90), min_size=1, max_size=5, unique=True)
PATTERNS = ("^a\\/b$", "^[\\w\\-]+$", "^(?!x)a", "b", "^\\d{2}$", "^a|b$", "^[^a\\-]*$", "^(?:a|b)+$")
LEAVES = (
    *({}, {"type": "integer"}, {"enum": ["a", None]}, {"type": "string", "enum": ["a", None]}, {"not": {"const": 1}}),
    *({"$ref": "#/$defs/node"}, {"$ref": "#/properties/a"}, {"type": ["string", "null"], "enum": [None]}),
)
KEYS = ("a", "pattern", "x-1")
PLAIN_VALUES = ("a", "b", "a/b", "12", "-", None, 1, 2)


def schema_of(dice: Dice, depth: int) -> Any:
    match dice(6 if depth else 3):
        case 0:
            return dice.one(LEAVES)
        case 1 | 2:
            return {"type": "string", "pattern": dice.one(PATTERNS)}
        case 3:
            return {"type": "array", "items": schema_of(dice, depth - 1)}
        case 4:
            return {dice.one(("anyOf", "oneOf")): [schema_of(dice, depth - 1) for _ in range(1 + dice(3))]}
        case _:
            return object_schema(dice, depth - 1)


def object_schema(dice: Dice, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "properties": {dice.one(KEYS): schema_of(dice, depth) for _ in range(dice(4))},
    }
    if dice(2):
        made["additionalProperties"] = (False, True, {}, schema_of(dice, depth))[dice(4)]
    if dice(2):
        made["propertyNames"] = {"pattern": "^a"}
    if dice(2):
        made["patternProperties"] = {"^x": schema_of(dice, depth)} if dice(2) else {}
    if dice(2):
        made["required"] = ["a"]
    return made


def value_of(dice: Dice, depth: int) -> Any:
    match dice(3 if depth else 1):
        case 0:
            return dice.one(PLAIN_VALUES)
        case 1:
            return [value_of(dice, depth - 1) for _ in range(dice(3))]
        case _:
            return {dice.one(KEYS): value_of(dice, depth - 1) for _ in range(dice(3))}


@st.composite
def schemas_and_values(draw: st.DrawFn) -> tuple[Any, Any]:
    dice = Dice(draw)
    return schema_of(dice, depth=3), value_of(dice, depth=3)


@given(NAMES)
def test_names_come_back_and_stay_apart(names: list[str]) -> None:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in names]
    conversation = decode_request(written({"messages": HI, "tools": tools}), Notes())[1]
    renamed, restoring = plain_names(conversation, Notes())
    sent = [tool.name for tool in renamed.tools]
    assert len({*sent}) == len(names)
    assert all(len(name) <= 64 and name.isascii() for name in sent)
    events: list[Event] = [BlockStart(at, BlockKind.TOOL_USE, "c", name) for at, name in enumerate(sent)]
    for transform in restoring:
        events = transform.push(events)
    assert [event.name for event in events if isinstance(event, BlockStart)] == names


@given(schemas_and_values())
def test_a_simplified_schema_is_one_and_refuses_no_more(made: tuple[dict[str, Any], Any]) -> None:
    schema, value = made
    node = {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}}
    root = {"$schema": "x", "type": "object", "properties": {"a": schema}, "$defs": {"node": node}}
    body = {"messages": HI, "tools": [{"name": "T", "input_schema": root}]}
    plain = chat_of(body, dialect=PLAIN)["tools"][0]["function"]["parameters"]
    jsonschema.Draft202012Validator.check_schema(plain)
    assert not any(word in json.dumps(plain) for word in ('"$ref"', '"propertyNames"', '"patternProperties"', '"not"'))
    checked = {name: part for name, part in root.items() if name != "$schema"}
    assert not accepts(checked, {"a": value}) or accepts(plain, {"a": value})


def accepts(schema: Any, value: Any) -> bool:
    """False where a reference to itself exhausts the stack, which jsonschema's maps tell by a panic now and then."""
    try:
        return jsonschema.Draft202012Validator(schema).is_valid(value)
    except RecursionError:
        return False
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return False
