"""A request reads alike whatever came before it: tools and messages that are known are not parsed again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from landline.core import growing
from landline.core import shelf as shelf_module
from landline.core.exchange import Notes
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.known import Known
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.openai_chat_in.known import Known as ChatKnown
from landline.protocols.openai_chat_in.request import decode_request as decode_chat

LISTS: tuple[Any, ...] = (
    [{"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}],
    [{"name": "Bash", "input_schema": {}}, {"name": "Read", "input_schema": {"properties": {"tools": {}}}}],
    [],
    None,
    "lists",
)
VALUES: tuple[Any, ...] = (*LISTS, 1, "tools", {"tools": LISTS[0]}, '"tools":' + json.dumps(LISTS[0]))


@pytest.fixture(autouse=True, scope="module")
def _short_lists_are_lifted() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf_module, "WORTH_LIFTING", 2)
        patch.setattr(growing, "WORTH_LIFTING", 2)
        yield


SAID: tuple[Any, ...] = (
    {"role": "user", "content": "hi"},
    {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
    {"role": "user", "content": [{"type": "hologram"}]},
    {"role": "system", "content": "hi, there]"},
    {"role": "tool", "tool_call_id": "c", "content": "result"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]},
    {"content": "of nobody"},
)


@st.composite
def talks(draw: st.DrawFn) -> list[Any]:
    """Histories that begin alike, so that one has the beginning of another."""
    call = {"type": "tool_use", "id": "c", "name": "Bash", "input": draw(st.sampled_from(VALUES))}
    words = draw(st.sampled_from(["hi", "hi there", *filter(lambda value: isinstance(value, str), VALUES)]))
    begun = [{"role": "user", "content": words}, {"role": "assistant", "content": [call]}]
    whole = [*begun, *SAID[:2], *draw(st.lists(st.sampled_from(SAID), max_size=3))]
    return whole[: draw(st.integers(1, len(whole)))]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Members in any order, some twice, with lists of tools and of messages in places where they are none."""
    told = draw(talks())
    members = [("model", "m"), ("max_tokens", 9), ("messages", told), ("tools", draw(st.sampled_from(LISTS)))]
    extra = st.tuples(
        st.sampled_from(["tools", "messages", "metadata", "other", "x"]), st.sampled_from([*VALUES, told, {"a": told}])
    )
    members = [*members, *draw(st.lists(extra, max_size=2))]
    members = draw(st.one_of(st.just(members), st.permutations(members)))
    close = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    spaces = draw(st.sampled_from(["", " "]))
    return b"{%b}" % b",".join(
        f"{json.dumps(name)}:{spaces}{json.dumps(value, separators=close)}".encode() for name, value in members
    )


@st.composite
def spoiled(draw: st.DrawFn, body: bytes) -> bytes:
    if draw(st.booleans()):
        return body
    at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 3))
    return body[:at] + draw(st.sampled_from([b"", b'"', b"]", b",", b"\\", b"\xff", b"\\ud800"])) + body[at + length :]


def read_messages(body: bytes, known: Known | None, notes: Notes) -> object:
    return decode_request(body, notes, known=known)[1]


def read_chat(body: bytes, known: ChatKnown | None, notes: Notes) -> object:
    return decode_chat(body, notes, known=known)


@given(data=st.data())
def test_a_request_reads_alike_whatever_came_before(data: st.DataObject) -> None:
    read, known = data.draw(st.sampled_from([(read_messages, Known), (read_chat, ChatKnown)]))
    shelf = known(secret="s3")
    for before in data.draw(st.lists(bodies(), min_size=1, max_size=3)):
        told(read, before, shelf)
    body = data.draw(st.one_of(bodies(), bodies().flatmap(spoiled), st.just(before).flatmap(spoiled)))
    event(f"{read.__name__}: messages {'lifted' if shelf.messages.lifted(body) else 'parsed'}")
    event(f"{read.__name__}: tools {'lifted' if shelf.tools.lifted(body) else 'parsed'}")
    assert told(read, body, shelf) == told(read, body, None)


def told(read: Callable[[bytes, Any, Notes], object], body: bytes, known: object) -> tuple[object, Notes]:
    notes = Notes()
    try:
        return read(body, known, notes), notes
    except LandlineError as error:
        return error.text, notes
