"""Laws 4 and 5: nothing of a conversation is lost on the way to the backend, and each turn extends the one before."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.events import BlockKind, BlockStart
from landline.core.exchange import Notes
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.identifiers import MintIds
from landline.upstream.backend import DIALECTS
from tests.property.examples import Dice
from tests.property.requests import STRICT_DIALECTS, chat_of, fields_of

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
BILLING = "x-anthropic-billing-header: cc_version=2.1.329.{}; cc_entrypoint=cli;"
TOOLS = [
    {"name": "Bash", "description": "Runs.", "input_schema": {"$schema": "x", "type": "object", "properties": {}}},
    {"name": "Read", "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}}}},
]

Block = dict[str, Any]

KINDS = ("text", "image", "document", "unknown")
NATIVE_IDS = ("functions.Bash:0", "c1", "c1", "")


class Numbered:
    """Texts that can be found again, each once: «0», «1», ..."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"«{self.count - 1}»{self._dice.text()}"


# ------------------------------------------------------------------------------------------------ law 4


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Messages of any shape, and what they hold by kind, in order."""
    dice = Dice(draw)
    text = Numbered(dice)
    held: dict[str, list[Any]] = {"user": [], "assistant": [], "thinking": [], "result": [], "call": [], "opaque": []}
    messages: list[dict[str, Any]] = []
    for turn in range(1 + dice(5)):
        calls = [dice.object() for _ in range(dice(4))]
        ids = [f"toolu_{turn}_{at}" for at in range(len(calls))]
        messages.append({"role": "user", "content": _said(dice, "user", "text", text, held)})
        messages.append({"role": "assistant", "content": _answer(dice, list(zip(ids, calls, strict=True)), text, held)})
        if calls:
            results = [_result(dice, ident, text, held) for ident in ids]
            messages.append({"role": "user", "content": [*results, *_said(dice, "user", "text", text, held)]})
    return messages, held


def _said(dice: Dice, role: str, kind: str, text: Numbered, held: dict[str, list[Any]]) -> list[Block]:
    blocks: list[Block] = []
    for what in [dice.one(KINDS) for _ in range(dice(4))]:
        if what == "text":
            blocks.append({"type": "text", "text": text(), "cache_control": {"type": "ephemeral"}})
            held[role].append(blocks[-1]["text"])
        elif what == "document":
            held[role].append(text())
            source = {"type": "text", "media_type": "text/plain", "data": held[role][-1]}
            blocks.append({"type": "document", "source": source})
        elif what == "unknown":
            held["opaque"].append(f"block future_{len(held['opaque'])}")
            blocks.append({"type": held["opaque"][-1].removeprefix("block "), "payload": [1]})
        else:
            blocks.append(PNG)
    return blocks


def _answer(
    dice: Dice, calls: list[tuple[str, dict[str, Any]]], text: Numbered, held: dict[str, list[Any]]
) -> list[Block]:
    blocks: list[Block] = []
    for _ in range(dice(3)):
        held["thinking"].append(text())
        blocks.append({"type": "thinking", "thinking": held["thinking"][-1], "signature": ""})
    for _ in range(dice(3)):
        held["assistant"].append(text())
        blocks.append({"type": "text", "text": held["assistant"][-1]})
    for ident, arguments in calls:
        held["call"].append((ident, "Bash", arguments))
        blocks.append({"type": "tool_use", "id": ident, "name": "Bash", "input": arguments})
    return blocks


def _result(dice: Dice, ident: str, text: Numbered, held: dict[str, list[Any]]) -> Block:
    failed, said = bool(dice(2)), text()
    held["result"].append((ident, said, failed))
    content: Any = said if dice(2) else [{"type": "text", "text": said}, *([PNG] * dice(2))]
    return {"type": "tool_result", "tool_use_id": ident, "content": content, "is_error": failed}


def words(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def in_order(texts: list[str], whole: str) -> bool:
    at = 0
    for text in texts:
        at = whole.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return True


@given(conversations())
def test_law_4_nothing_is_lost_that_is_not_recorded(made: tuple[list[dict[str, Any]], dict[str, list[Any]]]) -> None:
    messages, held = made
    if not any(message["content"] for message in messages):
        messages[0]["content"] = "x"
    notes = Notes()
    out = chat_of({"messages": messages}, notes=notes)["messages"]
    by_role = {role: [one for one in out if one["role"] == role] for role in ("user", "assistant", "tool")}
    for role in ("user", "assistant"):
        assert in_order(held[role], "\n".join(map(words, by_role[role])))
    assert in_order(held["thinking"], "\n".join(one.get("reasoning", "") for one in by_role["assistant"]))
    calls = [call for one in by_role["assistant"] for call in one.get("tool_calls", ())]
    assert [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls
    ] == held["call"]
    assert [one["tool_call_id"] for one in by_role["tool"]] == [ident for ident, _, _ in held["result"]]
    for one, (_, said, failed) in zip(by_role["tool"], held["result"], strict=True):
        assert said in one["content"]
        assert one["content"].startswith("[the tool call failed]\n") is failed
    assert json.dumps(out).count('"image_url":') == json.dumps(messages).count('"type": "image"')
    assert notes.dropped == held["opaque"]
    assert_results_follow_calls(out)


def assert_results_follow_calls(out: list[dict[str, Any]]) -> None:
    """Each tool message stands behind the calls of its own turn, before any word of the user's."""
    owed: list[str] = []
    for message in out:
        if message["role"] == "tool":
            assert message["tool_call_id"] == owed.pop(0)
        else:
            assert owed == []
            owed = [call["id"] for call in message.get("tool_calls", ())]


# ------------------------------------------------------------------------------------------------ law 5


@st.composite
def sessions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The requests of one session of Claude Code: each holds the whole history, written in another form each time."""
    dice = Dice(draw)
    text = Numbered(dice)
    system = [BILLING.format("0a3"), text(), text()]
    history: list[tuple[str, Any]] = [("user", [text()]), ("system", [text()])]
    requests: list[dict[str, Any]] = []
    for turn in range(2 + dice(4)):
        requests.append(_request(dice, system, history))
        history.append(("assistant", _model_turn(dice, turn, text)))
        ids = [block["id"] for block in history[-1][1] if block["type"] == "tool_use"]
        history.append(("user", _user_turn(dice, ids, text)))
        if dice(2):
            reminder = f"<system-reminder>\n{text()}\n</system-reminder>" if dice(2) else text()
            history.append(("system", [reminder]))
    return [*requests, _request(dice, system, history)]


def _model_turn(dice: Dice, turn: int, text: Numbered) -> list[Block]:
    thinking = {"type": "thinking", "thinking": text(), "signature": "landline"}
    said = {"type": "text", "text": text()}
    natives = [dice.one(NATIVE_IDS) for _ in range(dice(4))]
    mint = MintIds(f"turn{turn}x")
    calls: list[Block] = []
    for at, native in enumerate(natives):
        event = mint.push([BlockStart(at, BlockKind.TOOL_USE, native, "Bash")])[0]
        assert isinstance(event, BlockStart)
        calls.append({"type": "tool_use", "id": event.id, "name": "Bash", "input": dice.object()})
    return [*([], [thinking], [said], [thinking, said])[dice(4)], *calls]


def _user_turn(dice: Dice, ids: list[str], text: Numbered) -> list[Any]:
    blocks: list[Any] = []
    for ident in ids:
        parts = (text(), [{"type": "text", "text": text()}], [PNG], "", [])[dice(5)]
        blocks.append({"type": "tool_result", "tool_use_id": ident, "content": parts, "is_error": bool(dice(2))})
    return [*blocks, *([text()] if not ids or dice(2) else []), *([PNG] if dice(2) else [])]


def _request(dice: Dice, system: list[str], history: list[tuple[str, Any]]) -> dict[str, Any]:
    """One text alone is a string or a list with one block; the last block of the last message carries the mark."""
    mark = {"cache_control": {"type": "ephemeral"}}
    messages: list[dict[str, Any]] = []
    for at, (role, said) in enumerate(history):
        blocks = [{"type": "text", "text": one} if isinstance(one, str) else dict(one) for one in said]
        if at == len(history) - 1:
            blocks[-1] |= mark
        alone = len(said) == 1 and isinstance(said[0], str)
        messages.append({"role": role, "content": said[0] if alone and dice(2) else blocks})
    head = [{"type": "text", "text": one} | (mark if dice(2) else {}) for one in system]
    return {"system": head, "messages": messages, "tools": TOOLS, "thinking": {"type": "adaptive"}}


@given(sessions(), st.sampled_from([*DIALECTS.values(), *STRICT_DIALECTS]))
@pytest.mark.row("2.03")
def test_law_5_each_turn_extends_the_prompt_of_the_turn_before(session: list[dict[str, Any]], dialect: Dialect) -> None:
    chats = [fields_of(request, dialect=dialect) for request in session]
    for earlier, later in pairwise(chats):
        before, after = earlier.pop("messages"), later["messages"]
        assert after.startswith(before[:-1] + b",")
        assert {name: later[name] for name in later if name != "messages"} == earlier
    assert json.loads(chats[-1]["messages"])[0]["content"].startswith("«0»")  # the billing line is gone


@given(sessions(), st.text("0123456789abcdef", min_size=3, max_size=3))
@pytest.mark.row("6.01")
def test_the_billing_line_changes_nothing(session: list[dict[str, Any]], digits: str) -> None:
    request = session[-1]
    other = request | {"system": [{"type": "text", "text": BILLING.format(digits)}, *request["system"][1:]]}
    assert chat_of(request) == chat_of(other)
