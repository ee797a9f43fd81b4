"""Repair of tool calls: what is right leaves as it is, however it is cut; what is repaired fits, or is as it was."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseEnd, ResponseStart
from landline.core.exchange import Notes
from landline.core.model import StopReason, Tool, Tools, Usage
from landline.transforms.tool_repair import RepairCalls
from tests.property.examples import Dice

WORDS = st.text(st.sampled_from("ab {}[]:,\"\\\n\té😀'"), max_size=12).filter(lambda text: text not in ("null", "None"))
KEYS = ("command", "file_path", "todos", "count", "flag", "note")
Made = tuple[dict[str, Any], dict[str, Any]]  # a schema, and a value that fits


# Made once: a strategy that is built anew in each example costs more than what it draws.
LEAVES = (
    st.tuples(st.just({"type": "string"}), WORDS),
    st.tuples(st.just({"type": "integer"}), st.integers(-(10**6), 10**6)),
    st.tuples(st.just({"type": "number"}), st.sampled_from([0.5, -2, 1e3])),
    st.tuples(st.just({"type": "boolean"}), st.booleans()),
    st.tuples(st.just({"type": ["string", "null"]}), st.none() | WORDS),
    st.tuples(st.just({"anyOf": [{"type": "integer"}, {"type": "null"}]}), st.none() | st.just(7)),
    st.tuples(st.just({"enum": ["a", "b"]}), st.sampled_from("ab")),
    st.tuples(st.just({}), st.sampled_from([1, "x", [1], {"y": None}])),
)
YES_OR_NO = st.booleans()
OTHERS = (1, "x", {"z": [{}]})
INDENTS = st.sampled_from([None, None, 2])
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])
PLACES = st.lists(st.integers(0, 9_999), max_size=6)  # of a text, modulo its length
PLACE = st.integers(0, 9_999)


def anything(dice: Dice, depth: int) -> tuple[dict[str, Any], Any]:
    match dice(4 if depth else 2):
        case 2:
            schema, value = anything(dice, depth - 1)
            return {"type": "array", "items": schema}, [value] * dice(4)
        case 3:
            return an_object(dice, depth - 1)
        case _:
            return dice.draw(dice.one(LEAVES))


def an_object(dice: Dice, depth: int) -> Made:
    properties: dict[str, Any] = {}
    value: dict[str, Any] = {}
    required: list[str] = []
    for name in dict.fromkeys(dice.one(KEYS) for _ in range(dice(5))):
        properties[name], one = anything(dice, depth)
        kind = dice.one(("required", "optional", "absent"))
        if kind != "absent":
            value[name] = one
        if kind == "required":
            required.append(name)
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    if dice(2):
        schema["additionalProperties"] = False
    elif dice(2):
        value["other"] = dice.one(OTHERS)
    return schema, value


CALLS = st.composite(lambda draw: an_object(Dice(draw), depth=2))()


WRITINGS = st.tuples(YES_OR_NO, INDENTS, SEPARATORS)


def write(value: Any, how: tuple[bool, int | None, tuple[str, str]]) -> str:
    ascii_only, indent, separators = how
    return json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)


def up_to(text: str, place: int) -> str:
    return text[: place % (len(text) + 1)]


def cut(text: str, places: list[int]) -> list[str]:
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[begin:end] for begin, end in pairwise(bounds)]


def repaired(
    schema: dict[str, Any], pieces: list[str], *, notes: Notes | None = None, stop: StopReason = StopReason.TOOL_USE
) -> str:
    tool = Tool("T", msgspec.Raw(b'""'), msgspec.Raw(json.dumps(schema).encode()))
    repair = RepairCalls(Tools([tool]), Notes() if notes is None else notes)
    out: list[Event] = repair.push([ResponseStart(), BlockStart(0, BlockKind.TOOL_USE, "c", "T")])
    for piece in pieces:
        out += repair.push([BlockDelta(0, piece)])
    out += repair.push([BlockStop(0), ResponseEnd(stop, Usage())])
    assert all(event.text for event in out if isinstance(event, BlockDelta))
    return "".join(event.text for event in out if isinstance(event, BlockDelta))


def validates(schema: dict[str, Any], text: str) -> bool:
    try:
        return jsonschema.Draft202012Validator(schema).is_valid(json.loads(text))
    except ValueError:
        return False


@given(CALLS, WRITINGS, PLACES)
@pytest.mark.row("4.25")
def test_calls_that_fit_leave_byte_for_byte(made: Made, how: Any, places: list[int]) -> None:
    schema, value = made
    text = write(value, how)
    notes = Notes()
    assert validates(schema, text)
    assert repaired(schema, cut(text, places), notes=notes) == text
    assert notes == Notes()


@given(CALLS, WRITINGS, PLACES, PLACE)
def test_calls_that_were_cut_leave_as_far_as_they_came(made: Made, how: Any, places: list[int], end: int) -> None:
    schema, value = made
    begun = up_to(write(value, how), end)
    assert repaired(schema, cut(begun, places), stop=StopReason.MAX_TOKENS) == begun


def _mutations(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """Each place in a value, and what a model might write there instead."""
    found: list[tuple[tuple[Any, ...], Any]] = []
    if path:
        found += [(path, json.dumps(value)), (path, str(value)), (path, None), (path, "null"), (path, [value])]
    if isinstance(value, list):
        found += [(path, value[0])] if len(value) == 1 and path else []
        for at, item in enumerate(value):
            found += _mutations(item, (*path, at))
    if isinstance(value, dict):
        for name, one in value.items():
            found += _mutations(one, (*path, name))
    return found


def _with(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    head, *rest = path
    changed = list(value) if isinstance(value, list) else dict(value)
    changed[head] = _with(value[head], tuple(rest), other)
    return changed


@given(CALLS, WRITINGS, PLACES, PLACE)
@pytest.mark.row("4.25")
def test_one_wrong_value_is_repaired_to_fit_or_stays(made: Made, how: Any, places: list[int], which: int) -> None:
    schema, value = made
    mutations = _mutations(value)
    if not mutations:
        return
    text = write(_with(value, *mutations[which % len(mutations)]), how)
    got = repaired(schema, cut(text, places))
    assert validates(schema, got) or json.loads(got) == json.loads(text)
    assert got == repaired(schema, [text]) == repaired(schema, list(text))


KINDS = st.sampled_from(["python", "raw", "brace", "unescaped", "chars", "cut"])
CHARS = st.text(st.sampled_from("{}[]\",:\\' a1"), max_size=3)


def spoiled(text: str, kind: str, place: int, chars: str) -> str:
    """JSON as it should not be."""
    if kind == "python":
        return repr(json.loads(text))
    if kind == "raw":
        return text.replace("\\n", "\n").replace("\\t", "\t")
    if kind == "brace":
        return text[1:]
    if kind == "unescaped":
        return text.replace('\\"', '"')
    if kind == "cut":
        return up_to(text, place)
    begun = up_to(text, place)
    return begun + chars + text[len(begun) :]


@given(CALLS, WRITINGS, PLACES, st.tuples(KINDS, PLACE, CHARS))
def test_spoiled_json_is_the_same_however_it_is_cut(made: Made, how: Any, places: list[int], fault: Any) -> None:
    schema, value = made
    text = spoiled(write(value, how), *fault)
    notes = Notes()
    got = repaired(schema, cut(text, places), notes=notes)
    assert got == repaired(schema, [text]) == repaired(schema, list(text))
    # What was mended on the way stays mended, whatever fault comes behind it; and it is told.
    assert got == text or notes.calls or not text.strip()


@given(CALLS, st.text(max_size=40) | st.text(st.sampled_from("{}[]\",:\\' a1nN\n"), max_size=40), st.booleans())
def test_any_text_has_some_end(made: Made, text: str, stopped: bool) -> None:
    stop = StopReason.MAX_TOKENS if stopped else StopReason.TOOL_USE
    assert repaired(made[0], list(text), stop=stop) == repaired(made[0], [text] if text else [], stop=stop)


@given(st.text(max_size=30) | st.sampled_from(["{}", '{"a":1}', "null"]), st.text(max_size=12), PLACES)
def test_calls_of_any_name_obey_the_grammar(text: str, name: str, places: list[int]) -> None:
    """One start and one stop, whatever the name; nothing raised, and text where it was no call."""
    repair = RepairCalls(Tools([Tool("T", msgspec.Raw(b'""'), msgspec.Raw(b'{"type":"object"}'))]), Notes())
    out = repair.push([ResponseStart(), BlockStart(0, BlockKind.TOOL_USE, "c", name)])
    for piece in cut(text, places):
        out += repair.push([BlockDelta(0, piece)])
    out += repair.push([BlockStop(0), ResponseEnd(StopReason.TOOL_USE, Usage())])
    kinds = [type(event) for event in out if type(event) is not BlockDelta]
    assert kinds == [ResponseStart, BlockStart, BlockStop, ResponseEnd]
