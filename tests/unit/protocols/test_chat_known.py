"""What a chat request shares with the ones before it is not read again, and reads the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from landline.core.exchange import Notes
from landline.errors import LandlineError
from landline.protocols.openai_chat_in.known import Known
from landline.protocols.openai_chat_in.request import ChatRequest, decode_request

ASKED = {"role": "user", "content": "Do it. " * 1000}
CALLS = [{"id": f"c{n}", "function": {"name": "Bash", "arguments": f'{{"n":{n}}}'}} for n in range(2)]
CALLED = {"role": "assistant", "content": "", "tool_calls": CALLS}
RESULTS = [{"role": "tool", "tool_call_id": f"c{n}", "content": "done"} for n in range(2)]
AGAIN = {"role": "user", "content": "and now?"}


@pytest.fixture
def known() -> Known:
    return Known(secret="s3")


def body(*messages: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields, "messages": messages}).encode()


def read(body: bytes, known: Known | None = None) -> ChatRequest:
    return decode_request(body, Notes(), known=known)


def test_each_turn_is_read_from_where_it_is_new(known: Known) -> None:
    turns = [(ASKED,), (ASKED, CALLED, RESULTS[0]), (ASKED, CALLED, *RESULTS), (ASKED, CALLED, *RESULTS, AGAIN)]
    for shared, messages in zip((0, 1, 3, 4), turns, strict=True):
        lifted = known.messages.lifted(body(*messages))
        assert (lifted.count if lifted else 0) == shared
        assert read(body(*messages), known) == read(body(*messages))


def test_results_of_one_turn_are_one_message_also_where_one_was_known(known: Known) -> None:
    read(body(ASKED, CALLED, RESULTS[0]), known)
    *_, last = read(body(ASKED, CALLED, *RESULTS), known).conversation.messages
    assert [block.tool_use_id for block in last.blocks] == ["c0", "c1"]  # type: ignore[union-attr]


def test_members_that_no_conversation_has_a_place_for_are_still_known(known: Known) -> None:
    for _ in range(2):
        assert read(body(ASKED, logprobs=True, n=2), known).unknown == ("logprobs", "n")


def test_an_error_names_the_place_in_the_whole_request(known: Known) -> None:
    read(body(ASKED, CALLED, *RESULTS), known)
    with pytest.raises(LandlineError, match=r"messages\.4\.role"):
        read(body(ASKED, CALLED, *RESULTS, {"role": "nobody", "content": "x"}), known)


def test_who_writes_the_mark_himself_lifts_nothing(known: Known) -> None:
    read(body(ASKED, AGAIN), known)
    with pytest.raises(LandlineError, match=r"messages\.0\.role"):
        read(body({"role": "other"}, AGAIN), known)


def test_a_repair_of_what_is_new_is_told(known: Known) -> None:
    read(body(ASKED, AGAIN), known)
    notes = Notes()
    decode_request(body(ASKED, AGAIN, {"role": "user", "content": "a\ud800b"}), notes, known=known)
    assert notes.repairs == ["half of a surrogate pair read as U+FFFD"]
