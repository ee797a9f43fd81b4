"""Ids of tool calls: unique for the client, the backend's own for the backend."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event
from landline.core.model import Block, Conversation, Message, Role, Text, ToolResult, ToolUse
from landline.transforms.identifiers import MintIds, native_id, with_native_ids

NATIVE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["c0", "functions.Bash:0", ""]
)


def minted(unique: str, *natives: str) -> list[str]:
    mint = MintIds(unique)
    events: list[Event] = []
    for index, native in enumerate(natives):
        batch: list[Event] = [
            BlockStart(index, BlockKind.TOOL_USE, native, "Bash"),
            BlockDelta(index, "{}"),
            BlockStop(index),
        ]
        events += mint.push(batch)
    return [event.id for event in events if isinstance(event, BlockStart)]


def history(*turns: list[str]) -> Conversation:
    """Each turn: an assistant message with calls of these ids, and their results."""
    messages = [Message(Role.USER, (Text("go"),))]
    for turn in turns:
        calls: tuple[Block, ...] = tuple(ToolUse(ident, "Bash", "{}") for ident in turn)
        results: tuple[Block, ...] = tuple(ToolResult(ident, (Text("ok"),)) for ident in turn)
        messages += [Message(Role.ASSISTANT, calls), Message(Role.USER, (*results, Text("and")))]
    return Conversation(model="m", messages=tuple(messages))


def ids(conversation: Conversation) -> list[list[str]]:
    blocks = [message.blocks for message in conversation.messages]
    return [[block.id for block in each if isinstance(block, ToolUse)] for each in blocks[1::2]]


@given(st.lists(st.lists(NATIVE, max_size=4), max_size=6))
@pytest.mark.row("2.11")
def test_unique_over_all_turns_and_native_again(turns: list[list[str]]) -> None:
    ours = [minted(f"r{at}x", *natives) for at, natives in enumerate(turns)]
    flat = [ident for turn in ours for ident in turn]
    assert len(set(flat)) == len(flat)
    assert all(re.fullmatch(r"toolu_[A-Za-z0-9_-]+", ident) for ident in flat)
    back = with_native_ids(history(*ours))
    for natives, turn, mine in zip(turns, ids(back), ours, strict=True):
        seen: set[str] = set()
        for native, got, ident in zip(natives, turn, mine, strict=True):
            # What the backend left empty, or used twice in one message, stays ours: it must tell calls apart.
            assert got == (ident if not native or native in seen else native)
            seen.add(native)
    results = [[b.tool_use_id for b in m.blocks if isinstance(b, ToolResult)] for m in back.messages[2::2]]
    assert results == ids(back)


def test_the_same_native_id_in_two_turns() -> None:
    first, second = minted("aa", "functions.Bash:0"), minted("bb", "functions.Bash:0")
    assert first != second
    assert ids(with_native_ids(history(first, second))) == [["functions.Bash:0"], ["functions.Bash:0"]]


@pytest.mark.parametrize("ident", ["toolu_01A", "call_1", "", "toolu_ll", "toolu_llx_", "toolu_llx_a", "toolu_llx_gA"])
def test_an_id_that_is_not_ours_stays(ident: str) -> None:
    assert native_id(ident) == ident


def test_text_blocks_are_left_alone() -> None:
    conversation = Conversation(model="m", messages=(Message(Role.USER, (Text("toolu_llx_YQ"),)),))
    assert with_native_ids(conversation) == conversation
    start = BlockStart(0, BlockKind.TEXT)
    assert MintIds("x").push([start]) == [start]
