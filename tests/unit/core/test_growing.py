"""The messages of a conversation are read once: each later request is read without those that came before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from landline.core import growing
from landline.core.exchange import Notes
from landline.core.model import Conversation
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.known import Known
from landline.protocols.anthropic_messages.request import decode_request

CLOSE = (",", ":")


def turn(number: int) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "id": f"c{number}", "name": "Bash", "input": {"command": "ls " * 100}}
    result = {"type": "tool_result", "tool_use_id": f"c{number}", "content": "file\n" * 200}
    return [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]


def talk(turns: int) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "begin " * 50}, *(message for n in range(turns) for message in turn(n))]


def written(messages: Any, *, separators: tuple[str, str] = CLOSE, **more: Any) -> bytes:
    body = {"model": "m", "max_tokens": 9, "messages": messages, "system": "s" * 50, **more}
    return json.dumps(body, separators=separators).encode()


def decoded(body: bytes, known: Known) -> Conversation:
    return decode_request(body, Notes(), known=known)[1]


def lifted(known: Known, body: bytes) -> int:
    """How many messages of `body` need not be read."""
    found = known.messages.lifted(body)
    return 0 if found is None else found.count


@pytest.mark.parametrize("separators", [CLOSE, (", ", ": ")], ids=["close", "spaced"])
def test_a_session_is_read_once(separators: tuple[str, str]) -> None:
    known, before = Known(secret="s3"), 0
    for turns in range(6, 12):
        body = written(talk(turns), separators=separators)
        assert lifted(known, body) == before
        assert decoded(body, known) == decoded(body, Known())
        before = len(talk(turns))
    assert lifted(known, body) == before


def test_cache_marks_that_move_cost_the_messages_they_stood_in() -> None:
    known = Known(secret="s3")
    for turns in range(6, 12):
        messages = talk(turns)
        messages[-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
        body = written(messages)
        assert lifted(known, body) == (len(messages) - 3 if turns > 6 else 0)
        assert decoded(body, known) == decoded(body, Known())


def test_two_sessions_that_begin_alike_keep_their_own() -> None:
    known, ours = Known(secret="s3"), talk(12)
    theirs = [*ours[:12], *(message for n in range(50, 60) for message in turn(n))]
    for messages in (ours, theirs, ours, theirs):
        assert decoded(written(messages), known) == decoded(written(messages), Known())
    assert (lifted(known, written(ours)), lifted(known, written(theirs))) == (len(ours), len(theirs))


def test_what_would_be_noted_is_read_each_time() -> None:
    known = Known(secret="s3")
    messages = [*talk(8), {"role": "user", "content": [{"type": "hologram"}]}]
    for _ in range(2):
        notes = Notes()
        decode_request(written(messages), notes, known=known)
        assert notes.dropped == ["block hologram"]
    assert lifted(known, written(messages)) == 0


def test_a_mistake_is_told_with_its_true_place() -> None:
    known, messages = Known(secret="s3"), talk(8)
    decoded(written(messages), known)
    for wrong in ({"role": "stranger", "content": ""}, {"role": 5}, {"role": "user", "content": [{"type": "image"}]}):
        told: list[str] = []
        for one in (known, Known()):
            with pytest.raises(LandlineError, match=rf"messages\.{len(messages)}\.") as raised:
                decoded(written([*messages, wrong]), one)
            told.append(raised.value.text)
        assert told[0] == told[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b'"messages":', b'"messagez":'),
        lambda body: body.replace(b'"messages":[', b'"m":{"a":[').replace(b'],"system"', b']},"system"'),
        lambda body: body.replace(b'"system":', b'"messages":[{"role":"user","content":"other"}],"system":'),
        lambda body: body.replace(b'"model":"m"', b'"model":"n"').replace(b"begin begin", b"Begin begin"),
    ],
    ids=["another member", "deeper", "a second list", "another beginning"],
)
def test_only_the_messages_are_taken_for_them(change: Any) -> None:
    known, body = Known(secret="s3"), written(talk(8))
    decoded(body, known)
    told: list[object] = []
    for one in (known, Known()):
        try:
            told.append(decoded(change(body), one))
        except LandlineError as error:
            told.append(error.text)
    assert told[0] == told[1]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "KEPT_BYTES", 40_000)
    known = Known(secret="s3")
    bodies = [written([{"role": "user", "content": f"{n} " * 5000}]) for n in range(6)]
    for body in bodies:
        decoded(body, known)
    assert [lifted(known, body) for body in bodies] == [0, 0, 0, 1, 1, 1]
    monkeypatch.setattr(growing, "LARGEST_BYTES", 1000)
    decoded(written([{"role": "user", "content": "large " * 5000}]), known)
    assert lifted(known, bodies[-1]) == 1


def test_nobody_can_write_the_mark() -> None:
    """Without the secret, what looks like a mark is a message of an unknown role."""
    known = Known(secret="s3")
    decoded(written(talk(8)), known)
    with pytest.raises(LandlineError, match=r"messages\.0\.role"):
        decoded(written([{"role": "s4"}, *talk(2)]), known)


def test_the_same_list_is_kept_once_however_it_is_spaced() -> None:
    known = Known(secret="s3")
    for separators in (CLOSE, (", ", ": "), (" , ", ": ")):
        for _ in range(20):
            decoded(written(talk(8), separators=separators), known)
            decoded(json.dumps({"messages": talk(8), "model": "m", "max_tokens": 9}, indent=1).encode(), known)
    assert len(known.messages) <= 2


def test_a_list_that_grew_too_large_is_known_as_far_as_it_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Known(secret="s3")
    decoded(written(talk(8)), known)
    monkeypatch.setattr(growing, "LARGEST_BYTES", len(written(talk(8))) + 100)
    for turns in (9, 10):
        assert decoded(written(talk(turns)), known) == decoded(written(talk(turns)), Known())
        assert lifted(known, written(talk(turns))) == len(talk(8))


def test_what_was_dropped_is_told_of_a_request_that_is_refused() -> None:
    for known in (Known(secret="s3"), Known()):
        notes = Notes()
        wrong = [{"role": "user", "content": [{"type": "hologram"}]}, {"role": "stranger"}]
        with pytest.raises(LandlineError, match=r"messages\.1\.role"):
            decode_request(written(wrong), notes, known=known)
        assert notes.dropped == ["block hologram"]
