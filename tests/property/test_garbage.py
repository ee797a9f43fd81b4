"""Law 6: whatever comes in, the answer is one error, never an exception of another kind."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from landline.core.events import ResponseEnd, ResponseError
from landline.core.exchange import Notes
from landline.core.grammar import Grammar
from landline.errors import LandlineError
from tests.fakes.streams import CASES
from tests.golden.translate import decoded
from tests.property.chat_answers import Streamed, streams
from tests.property.examples import INTEGERS, TEXT, Dice
from tests.property.requests import chat_request_of

PLACES = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "max_tokens",
    "stream",
    "stop_sequences",
    "temperature",
    "top_k",
    "thinking",
    "output_config",
    "metadata",
]
BLOCK_TYPES = ["text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image", "document", "new"]
BLOCK_TYPES += ["tool_reference", "search_result", "server_tool_use"]
FIELDS = ["type", "text", "thinking", "id", "name", "input", "content", "source", "tool_use_id", "is_error", "title"]
TYPES = [*BLOCK_TYPES, "base64", "url", "content"]
ODD = ("", "\ud83d", 10**400, [], {}, [None], [[]], "é", "text/plain")
FLOATS = st.floats()


@st.composite
def nesting(draw: st.DrawFn) -> Any:
    dice = Dice(draw)
    return [dice.json() for _ in range(dice(4))] if dice(2) else dice.object()


ANY = st.none() | st.booleans() | INTEGERS | TEXT | FLOATS | st.sampled_from(ODD) | nesting()
NAMES = [*FIELDS, "data", "media_type", "url"]


def anything(dice: Dice) -> Any:
    match dice(8):
        case 0:
            return dice.one(ODD)
        case 1:
            return dice.draw(FLOATS)
        case 2 | 3:
            return dice.one(TYPES)
        case _:
            return dice.json()


def fields(dice: Dice) -> dict[str, Any]:
    return {dice.one(NAMES): anything(dice) for _ in range(dice(9))}


def block(dice: Dice) -> dict[str, Any]:
    """Of a known type, with fields of any block; what it holds is often such fields again, or a list of them."""
    made = fields(dice)
    for _ in range(dice(3)):
        inner = [fields(dice) for _ in range(dice(4))]
        made[dice.one(("content", "source", "input"))] = inner if dice(2) else fields(dice)
    return made | {"type": dice.one(BLOCK_TYPES)}


@st.composite
def any_messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    dice = Dice(draw)
    return [
        {
            "role": dice.one(("user", "assistant", "system")),
            "content": [block(dice) for _ in range(dice(5))] if dice(2) else anything(dice),
        }
        for _ in range(dice(5))
    ]


MESSAGES = any_messages()


def check_stream_of(raw: bytes, cuts: tuple[int, ...] = ()) -> ResponseEnd | ResponseError:
    grammar, last = Grammar(), []
    for events in decoded(raw, cuts=cuts):
        grammar.check(events)
        last += events
    assert grammar.over
    assert isinstance(last[-1], ResponseEnd | ResponseError)
    return last[-1]


def check_request(body: bytes) -> None:
    try:
        encoded = chat_request_of(body, Notes())
    except LandlineError as error:
        assert error.wire.status in (400, 413)
        assert error.text
    else:
        # What stands in tools travels unread: bytes in it that are no text are for the backend to refuse.
        assert json.loads(encoded.decode("utf-8", "replace"))["messages"]


@given(st.binary(max_size=200), st.lists(st.integers(1, 200), max_size=3))
@example(b"data: [DONE]\n\n", [])
@example(b"data: " + b"[" * 100_000 + b"\n\n", [])
@example(b'data: {"choices":' + b"[" * 100_000 + b"\n\n", [])
@example(b'event: error\ndata: {"message":"x"}\n\n', [])
def test_bytes_that_are_no_answer(raw: bytes, cuts: list[int]) -> None:
    assert isinstance(check_stream_of(raw, tuple(cuts)), ResponseError)


@given(st.lists(st.builds(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n", ANY), max_size=4))
def test_json_that_is_no_chunk(events: list[bytes]) -> None:
    assert isinstance(check_stream_of(b"".join(events)), ResponseError)


CHUNK_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "delta": st.dictionaries(st.sampled_from(["content", "reasoning", "tool_calls", "role"]), ANY)
                    | st.fixed_dictionaries(
                        {
                            "tool_calls": st.lists(
                                st.dictionaries(st.sampled_from(["index", "id", "function"]), ANY), max_size=3
                            )
                        }
                    ),
                    "finish_reason": st.sampled_from([None, "stop", "length", "tool_calls", "error", "", 3]),
                    "stop_reason": ANY,
                },
            ),
            max_size=2,
        )
        | ANY,
        "usage": st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details"]), ANY),
        "error": ANY,
        "object": ANY,
    },
)


@given(st.lists(CHUNK_FIELDS, max_size=5))
def test_chunks_with_anything_in_any_field(chunks: list[dict[str, Any]]) -> None:
    check_stream_of(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))


@given(streams(), st.data())
def test_a_stream_with_broken_bytes(streamed: Streamed, data: st.DataObject) -> None:
    raw = bytearray(streamed.raw)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=5)):
        raw[at] = data.draw(st.integers(0, 255))
    check_stream_of(bytes(raw[: data.draw(st.integers(0, len(raw)))]), streamed.cuts)


@given(st.sampled_from(sorted(CASES)), st.data())
def test_a_stream_of_the_catalogue_that_is_cut(name: str, data: st.DataObject) -> None:
    raw = CASES[name].upstream
    check_stream_of(raw[: data.draw(st.integers(0, len(raw)))])


@given(st.binary(max_size=100))
@example(b"")
@example(b"null")
@example(b"[" * 100_000)
@example(b'{"model":"m","messages":' + b"[" * 100_000)
@example(b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}')
@example(b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"name":"a","input_schema":{"a":"\xff"}}]}')
def test_bodies_that_are_no_request(body: bytes) -> None:
    check_request(body)


@given(st.fixed_dictionaries({"model": ANY, "messages": ANY | MESSAGES}, optional=dict.fromkeys(PLACES[2:], ANY)))
def test_requests_with_anything_in_any_field(body: dict[str, Any]) -> None:
    check_request(json.dumps(body).encode())


@given(MESSAGES)
def test_messages_with_anything_in_any_block(messages: list[dict[str, Any]]) -> None:
    check_request(json.dumps({"model": "m", "max_tokens": 5, "messages": messages}).encode())
