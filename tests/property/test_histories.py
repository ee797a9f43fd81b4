"""Whatever history a client sends, cut or mixed up: strict templates take what comes out, and later turns extend it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.exchange import Notes
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.openai_chat.dialect import STANDARD, Dialect
from landline.transforms.identifiers import native_id
from landline.transforms.sequence import fitted, outbound
from landline.upstream.dialects import DIALECTS, BackendKind
from tests.fakes.chat_templates import check_ids, check_mistral, check_results
from tests.property.examples import Dice
from tests.property.requests import MISTRAL, STRICT_DIALECTS, chat_of, fields_of, translated, written

ALL = (*DIALECTS.values(), *STRICT_DIALECTS)
IDS = ("1", "2", "functions.f:0", "aB3dE5gH9", "toolu_lla1_ZnVuY3Rpb25zLmY6MA")
TEXTS = ("a", "b\n", "<system-reminder>\nr\n</system-reminder>", "")
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}


ANSWERS: list[Any] = ["answer", [{"type": "tool_use", "id": "cut", "name": "f", "input": {}}]]
ROLES = ("user", "user", "assistant", "assistant", "system")


def answer_block(dice: Dice) -> dict[str, Any]:
    return (
        {"type": "text", "text": dice.one(TEXTS)},
        {"type": "tool_use", "id": dice.one(IDS), "name": "f", "input": {}},
        {"type": "thinking", "thinking": "t", "signature": ""},
        {"type": "redacted_thinking", "data": "x"},
    )[dice(4)]


def user_block(dice: Dice) -> dict[str, Any]:
    said = dice.one((dice.one(TEXTS), [PNG], None))
    result = {"type": "tool_result", "tool_use_id": dice.one(IDS), "content": said}
    return dice.one(({"type": "text", "text": dice.one(TEXTS)}, result, PNG))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    dice = Dice(draw)
    messages: list[dict[str, Any]] = []
    for _ in range(1 + dice(7)):
        role = dice.one(ROLES)
        if role == "assistant":
            blocks = [answer_block(dice) for _ in range(dice(4))]
            # Two calls under one id cannot be told apart by anybody, nor two that were one id at the backend.
            content: Any = list(
                {native_id(block.get("id", "")) or json.dumps(block): block for block in blocks}.values()
            )
        elif role == "user" and dice(2):
            content = [user_block(dice) for _ in range(dice(4))]
        else:
            content = dice.one(TEXTS)
        messages.append({"role": role, "content": content})
    return [{"role": "user", "content": "x"}, *messages] if not any(m["content"] for m in messages) else messages


@given(histories())
def test_a_strict_template_takes_every_history(messages: list[dict[str, Any]]) -> None:
    check_mistral(chat_of({"messages": messages, "system": "s"}, dialect=MISTRAL)["messages"])


@given(histories(), st.sampled_from(ALL))
def test_each_call_has_its_result_and_each_result_its_call(messages: list[dict[str, Any]], dialect: Dialect) -> None:
    check_results(chat_of({"messages": messages, "system": "s"}, dialect=dialect)["messages"])


@given(histories())
def test_kimi_ids_name_one_call_each(messages: list[dict[str, Any]]) -> None:
    out = chat_of({"messages": messages, "system": "s"}, dialect=STRICT_DIALECTS[2])["messages"]
    check_ids(out, r"functions\.f:[0-9]+")
    named = [call["id"] for message in out for call in message.get("tool_calls") or ()]
    assert len(set(named)) == len(named)


@given(histories(), st.sampled_from(ALL), st.sampled_from(ANSWERS))
def test_a_later_turn_extends_it(messages: list[dict[str, Any]], dialect: Dialect, answer: Any) -> None:
    """Once the model has answered: what follows is an answer of its own, and another message of the user's.

    Also an answer that was cut off: its repair must not move what stood before it.
    """
    if messages[-1]["role"] == "assistant":
        return  # what the client began, the next turn has with the rest of it
    later = [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": "more"}]
    before, after = (
        fields_of({"messages": some, "system": "s"}, dialect=dialect)["messages"] for some in (messages, later)
    )
    assert after.startswith(before[:-1] + b",")


@given(histories(), st.sampled_from(ALL), st.sampled_from(STRICT_DIALECTS))
def test_what_a_refusal_taught_gives_what_was_known_before(
    messages: list[dict[str, Any]], first: Dialect, stricter: Dialect
) -> None:
    """Fitting again is the same as fitting once, except for the nudge behind a begun answer."""
    once = translated(written({"messages": messages, "system": "s"}), Notes(), dialect=stricter)
    assert fitted(once, stricter, Notes()) == once
    mended = fitted(
        translated(written({"messages": messages, "system": "s"}), Notes(), dialect=first), stricter, Notes()
    )
    assert fitted(mended, stricter, Notes()) == mended


@given(st.sampled_from(ALL))
def test_a_call_cut_off_later_moves_no_picture_and_no_reminder_before_it(dialect: Dialect) -> None:
    call = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [PNG]}]},
        {"role": "system", "content": "mind the time"},
    ]
    cut = [*messages, {"role": "assistant", "content": [call | {"id": "2"}]}, {"role": "user", "content": "stop"}]
    before, after = (fields_of({"messages": some}, dialect=dialect)["messages"] for some in (messages, cut))
    assert after.startswith(before[:-1] + b",")


def test_the_standard_changes_nothing_of_a_whole_history() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert chat_of({"messages": messages}, dialect=STANDARD)["messages"] == messages
    assert chat_of({"messages": messages}, dialect=DIALECTS[BackendKind.VLLM])["messages"] == messages


MANY = 40_000
CALL_BLOCKS = [{"type": "tool_use", "id": f"t{at}", "name": "f", "input": {}} for at in range(MANY)]
RESULTS = [{"type": "tool_result", "tool_use_id": f"t{at}", "content": "r"} for at in range(MANY)]
TAKEN = [{"type": "tool_use", "id": f"functions.f:{at}", "name": "f"} for at in range(MANY // 2, MANY)]
HUGE: dict[str, list[dict[str, Any]]] = {
    "results backwards": [{"role": "assistant", "content": CALL_BLOCKS}, {"role": "user", "content": RESULTS[::-1]}],
    "results twice": [{"role": "assistant", "content": CALL_BLOCKS}, {"role": "user", "content": RESULTS + RESULTS}],
    "answers only": [{"role": "assistant", "content": "a"}] * MANY,
    "users only": [{"role": "user", "content": "a"}] * MANY,
    "taken ids": [{"role": "assistant", "content": TAKEN + CALL_BLOCKS[: MANY // 2]}],
}


@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("dialect", STRICT_DIALECTS)
def test_a_hundred_thousand_pieces_are_no_more_work_each_than_one(name: str, dialect: Dialect) -> None:
    """Searched for one by one, they held up every other client for a minute."""
    conversation = decode_request(written({"messages": HUGE[name]}), Notes())[1]
    began = time.process_time()
    outbound(conversation, dialect, Notes())
    assert time.process_time() - began < 10, "quadratic, it takes a minute"
