"""Records of requests outlive them, and some of their texts name what a client wrote: they are bounded."""

from __future__ import annotations

import json
import time

import pytest

from landline.core.exchange import AND_MORE, LONGEST_NOTE, MOST_NOTES, Notes
from landline.errors import LONGEST_TEXT, ErrorKind, LandlineError
from landline.protocols.anthropic_messages.request import decode_request

MANY = [{"type": f"kind{number}"} for number in range(60_000)]
TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    "fields",
    [
        {"context_management": {"edits": MANY}},
        {"system": MANY},
        {"messages": [{"role": "user", "content": [TEXT, *MANY]}]},
        {"tools": [{"name": kind["type"]} for kind in MANY]},
    ],
    ids=["edits", "system", "blocks", "tools"],
)
def test_many_kinds_that_nobody_knows_cost_neither_time_nor_memory(fields: dict[str, object]) -> None:
    """Each new text was compared with all before it: 20 s for this request, and all clients waited."""
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [TEXT]}]} | fields
    written, notes = json.dumps(body).encode(), Notes()
    began = time.process_time()
    decode_request(written, notes)
    assert time.process_time() - began < 2
    assert len(notes.dropped) == MOST_NOTES + 1
    assert notes.dropped[-1] == AND_MORE


def test_each_text_is_noted_once_and_not_at_any_length() -> None:
    notes = Notes()
    for text in ("a", "b", "a", "c" * 10_000, "c" * 10_000):
        notes.alert(text)
    assert notes.alerts == ["a", "b", "c" * LONGEST_NOTE]
    assert notes.repairs == notes.dropped == []


def test_an_error_does_not_repeat_what_a_client_wrote_at_any_length() -> None:
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "r" * 1_000_000, "content": "x"}]}
    with pytest.raises(LandlineError) as caught:
        decode_request(json.dumps(body).encode(), Notes())
    assert len(caught.value.text) <= LONGEST_TEXT
    quoting = LandlineError(ErrorKind.BAD_BACKEND, "It failed", quote="q" * 100_000)
    assert len(quoting.text) < LONGEST_TEXT + 20
