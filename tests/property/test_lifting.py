"""A request reads alike whatever tools came before it: those that are known are not parsed again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from landline.core import shelf as shelf_module
from landline.core.exchange import Notes
from landline.core.model import Conversation
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.anthropic_messages.tools import ToolShelf

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
        yield


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Members in any order, some twice, with lists of tools in places where they are none."""
    call = {"type": "tool_use", "id": "c", "name": "Bash", "input": draw(st.sampled_from(VALUES))}
    words = draw(st.sampled_from(["hi", "hi there", *filter(lambda value: isinstance(value, str), VALUES)]))
    told = [{"role": "user", "content": words}, {"role": "assistant", "content": [call]}]
    members = [("model", "m"), ("max_tokens", 9), ("messages", told), ("tools", draw(st.sampled_from(LISTS)))]
    extra = st.tuples(st.sampled_from(["tools", "metadata", "other", "x"]), st.sampled_from(VALUES))
    members = draw(st.permutations([*members, *draw(st.lists(extra, max_size=2))]))
    spaces = draw(st.sampled_from(["", " "]))
    return b"{%b}" % b",".join(f"{json.dumps(name)}:{spaces}{json.dumps(value)}".encode() for name, value in members)


@st.composite
def spoiled(draw: st.DrawFn, body: bytes) -> bytes:
    if draw(st.booleans()):
        return body
    at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 3))
    return body[:at] + draw(st.sampled_from([b"", b'"', b"]", b",", b"\\", b"\xff"])) + body[at + length :]


@given(data=st.data())
def test_a_request_reads_alike_whatever_tools_came_before(data: st.DataObject) -> None:
    shelf = ToolShelf(secret="s3")
    for before in data.draw(st.lists(bodies(), min_size=1, max_size=3)):
        read(before, shelf)
    body = data.draw(st.one_of(bodies(), bodies().flatmap(spoiled), st.just(before).flatmap(spoiled)))
    event("lifted" if shelf.lifted(body) is not None else "parsed whole")
    assert read(body, shelf) == read(body, ToolShelf())


def read(body: bytes, shelf: ToolShelf) -> tuple[Conversation | str, Notes]:
    notes = Notes()
    try:
        return decode_request(body, notes, shelf=shelf)[1], notes
    except LandlineError as error:
        return error.text, notes
