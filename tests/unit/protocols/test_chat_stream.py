"""What the decoder of a chat stream tells besides the answer: limits, counts that cannot be, and what it dropped."""

from __future__ import annotations

import pytest

from landline.core.events import Event, ResponseEnd, ResponseError
from landline.core.exchange import Notes
from landline.protocols.openai_chat.calls import ARGUMENTS_LIMIT
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from tests.fakes.chat_stream import DONE, call_delta, chunk, sse, usage_object


def events_of(*pieces: bytes, notes: Notes | None = None) -> list[Event]:
    decoder = ChatStreamDecoder(notes=Notes() if notes is None else notes)
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


@pytest.mark.parametrize("blank_line", [b"\n\n", b""])
def test_a_call_without_end_is_refused_at_the_limit(blank_line: bytes) -> None:
    piece = sse(chunk(call_delta(0, "x" * (ARGUMENTS_LIMIT // 3), name="Bash", id="c")))
    last = events_of(piece, piece, piece, piece.rstrip() + blank_line)[-1]
    assert isinstance(last, ResponseError)
    assert f"more than {ARGUMENTS_LIMIT} characters" in last.message


def test_an_event_without_end_is_an_error_of_the_backend() -> None:
    last = events_of(*([b"x" * 2**20] * 17))[-1]
    assert isinstance(last, ResponseError)
    assert not last.cut


def test_counts_below_nothing_are_unknown() -> None:
    usage = usage_object(-1, -1, -1)
    last = events_of(sse(chunk({"content": "a"}), chunk({}, "stop", usage=usage), DONE))[-1]
    assert isinstance(last, ResponseEnd)
    assert (last.usage.prompt, last.usage.output, last.usage.cached) == (0, 0, 0)


@pytest.mark.row("3.28")
def test_what_is_dropped_or_mended_is_told() -> None:
    notes = Notes()
    whole = call_delta(0, "{}", name="Bash", id="c")
    events_of(sse(chunk(whole), chunk({"content": "x"}), chunk(call_delta(0, "late"))), notes=notes)
    events_of(sse(chunk({}, "stop"), chunk({"content": "late"}), DONE), notes=notes)
    events_of(sse(chunk({}, "content_filter"), DONE), notes=notes)
    events_of(b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n', notes=notes)
    assert notes.dropped == ["arguments behind the end of a tool call", "output behind the end of the answer"]
    assert notes.repairs == [
        "finish_reason content_filter without tool calls read as end_turn",
        "broken characters of the backend replaced by U+FFFD",
    ]


@pytest.mark.parametrize(("finish", "words"), [("error", "finish_reason error"), ("abort", "finish_reason abort")])
def test_a_finish_that_is_a_failure(finish: str, words: str) -> None:
    last = events_of(sse(chunk({"content": "a"}), chunk({}, finish), DONE))[-1]
    assert isinstance(last, ResponseError)
    assert words in last.message


@pytest.mark.parametrize("code", [500, "500", None])
@pytest.mark.row("3.33")
def test_an_error_in_the_stream_keeps_its_words_and_its_number(code: object) -> None:
    last = events_of(sse({"error": {"message": "CUDA", "code": code}}))[-1]
    assert last == ResponseError("CUDA", 500 if code == 500 else 0)
