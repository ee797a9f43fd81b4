"""The checker that judges every streaming test must itself be able to fail: each rule is broken here on its own."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.fakes.stream_invariant import (
    FAILED,
    InvariantBroken,
    check_silence,
    check_stream,
    fold,
    merged_events,
    same_events,
    same_message,
)

Data = dict[str, Any]
USAGE = {"input_tokens": 12, "output_tokens": 1}


def start(**changes: Any) -> Data:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "asked",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": dict(USAGE),
    }
    return {"type": "message_start", "message": message | changes}


def begin(index: int, kind: str = "text", **changes: Any) -> Data:
    empty = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"id": f"toolu_{index}", "name": "Bash", "input": {}},
    }
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind} | empty[kind] | changes}


def delta(index: int, value: str = "hi", kind: str = "text_delta") -> Data:
    name = {"input_json_delta": "partial_json", "signature_delta": "signature"}.get(kind, kind.removesuffix("_delta"))
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: value}}


def stop(index: int) -> Data:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", sequence: str | None = None, **usage: Any) -> Data:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": sequence},
        "usage": {"output_tokens": 5} | usage,
    }


LAST: Data = {"type": "message_stop"}
PING: Data = {"type": "ping"}
ERROR: Data = {"type": "error", "error": {"type": "api_error", "message": "the backend died"}}
TEXT = [begin(0), delta(0), stop(0)]
THINKING = [begin(0, "thinking"), delta(0, "hm", "thinking_delta"), delta(0, "sig", "signature_delta"), stop(0)]


def call(index: int = 0, arguments: str = '{"command": "ls"}', **changes: Any) -> list[Data]:
    return [begin(index, "tool_use", **changes), delta(index, arguments, "input_json_delta"), stop(index)]


def write(*events: Data | bytes) -> bytes:
    made = [
        event if isinstance(event, bytes) else f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events
    ]
    return b"".join(made)


def whole(*middle: Data | bytes, reason: str = "end_turn") -> bytes:
    return write(start(), *middle, end(reason), LAST)


def check(raw: bytes, **options: Any) -> Any:
    return check_stream(raw, **({"asked_model": "asked", "tools": ["Bash"]} | options))


def without_usage() -> Data:
    event = copy.deepcopy(end())
    del event["usage"]["output_tokens"]
    return event


GOOD: dict[str, tuple[bytes, Data]] = {
    "text": (whole(*TEXT), {}),
    "crlf": (whole(*TEXT).replace(b"\n", b"\r\n"), {}),
    "nothing said": (whole(), {"backend_finish": "stop"}),
    "ping first": (write(PING, start(), *TEXT, end(), LAST), {}),
    "comment": (write(b": hello\n\n", start(), *TEXT, end(), LAST), {}),
    "thinking and call": (whole(*THINKING, *call(1), reason="tool_use"), {"backend_finish": "tool_calls"}),
    "call ended with stop": (whole(*call(), reason="tool_use"), {"backend_finish": "stop"}),
    "two calls": (whole(*call(0), *call(1), reason="tool_use"), {}),
    "no arguments": (whole(*call(0, "{}"), reason="tool_use"), {}),
    "cut text": (whole(*TEXT, reason="max_tokens"), {"backend_finish": "length"}),
    "cut call": (whole(*call(0, '{"comm'), reason="max_tokens"), {"backend_finish": "length"}),
    "complete call and length": (whole(*call(), reason="max_tokens"), {"backend_finish": "length"}),
    "stop sequence": (write(start(), *TEXT, end("stop_sequence", "###"), LAST), {"backend_finish": "stop"}),
    "heartbeats": (whole(end(None), begin(0), delta(0, ""), end(None), delta(0), stop(0), end(None)), {}),
    "error in an open block": (write(start(), begin(0), delta(0), ERROR), {"backend_finish": FAILED}),
    "error in a call": (write(start(), *call(0, '{"a')[:2], ERROR), {}),
    "error alone": (write(ERROR), {"backend_finish": FAILED}),
    "quoted markup": (whole(begin(0), delta(0, "write <think>"), stop(0)), {"quoted": ["<think>"]}),
    "thinking about markup": (whole(begin(0, "thinking"), delta(0, "<think>", "thinking_delta"), stop(0)), {}),
    "refusal": (whole(*TEXT, reason="refusal"), {"backend_finish": "content_filter"}),
}

BAD: dict[str, tuple[int, bytes, Data]] = {
    "event line missing": (1, whole(*TEXT, b'data: {"type":"ping"}\n\n'), {}),
    "event line of another type": (1, whole(*TEXT, b'event: pong\ndata: {"type":"ping"}\n\n'), {}),
    "data line missing": (1, whole(*TEXT, b"event: ping\n\n"), {}),
    "two data lines": (1, whole(*TEXT, b'event: ping\ndata: {"type":\ndata: "ping"}\n\n'), {}),
    "data is no JSON": (1, whole(*TEXT, b"event: ping\ndata: {\n\n"), {}),
    "data is no object": (1, whole(*TEXT, b"event: ping\ndata: []\n\n"), {}),
    "NaN": (1, whole(*TEXT, b'event: ping\ndata: {"type":"ping","x":NaN}\n\n'), {}),
    "key twice": (1, whole(*TEXT, b'event: ping\ndata: {"type":"ping","type":"ping"}\n\n'), {}),
    "DONE": (1, whole(*TEXT) + b"data: [DONE]\n\n", {}),
    "DONE with an event line": (1, whole(*TEXT) + b"event: done\ndata: [DONE]\n\n", {}),
    "cut UTF-8": (1, whole(*TEXT, b'event: ping\ndata: {"type":"ping","x":"\xe5\x8c"}\n\n'), {}),
    "half a surrogate pair": (1, whole(*TEXT, b'event: ping\ndata: {"type":"ping","x":"\\ud83d"}\n\n'), {}),
    "stray line": (1, whole(*TEXT, b"retry: 5\n\n"), {}),
    "unknown event": (1, whole(*TEXT, {"type": "usage"}), {}),
    "ends inside a frame": (1, whole(*TEXT) + b"event: ping\n", {}),
    "no message_start": (2, write(*TEXT, end(), LAST), {}),
    "block before message_start": (2, write(begin(0), start(), delta(0), stop(0), end(), LAST), {}),
    "message_start twice": (2, whole(*TEXT, start(id="msg_2")), {}),
    "empty id": (2, write(start(id=""), *TEXT, end(), LAST), {}),
    "id used before": (2, whole(*TEXT), {"seen_ids": {"msg_1"}}),
    "role": (2, write(start(role="user"), *TEXT, end(), LAST), {}),
    "type": (2, write(start(type="completion"), *TEXT, end(), LAST), {}),
    "backend's model": (2, write(start(model="served"), *TEXT, end(), LAST), {}),
    "content": (2, write(start(content=None), *TEXT, end(), LAST), {}),
    "stop reason at the start": (2, write(start(stop_reason="end_turn"), *TEXT, end(), LAST), {}),
    "no input tokens": (2, write(start(usage={"input_tokens": 0, "output_tokens": 0}), *TEXT, end(), LAST), {}),
    "true is no count": (2, write(start(usage={"input_tokens": True, "output_tokens": 0}), *TEXT, end(), LAST), {}),
    "no usage": (2, write(start(usage=None), *TEXT, end(), LAST), {}),
    "gap in indices": (3, whole(begin(1), delta(1), stop(1)), {}),
    "index used twice": (3, whole(*TEXT, *TEXT), {}),
    "nested blocks": (3, whole(begin(0), delta(0), begin(1), delta(1), stop(1)), {}),
    "block left open": (3, whole(begin(0), delta(0)), {}),
    "stop twice": (3, whole(*TEXT, stop(0)), {}),
    "empty text block": (3, whole(begin(0), stop(0)), {}),
    "block of heartbeats only": (3, whole(begin(0), delta(0, ""), stop(0)), {}),
    "delta without block": (4, whole(delta(0)), {}),
    "delta after stop": (4, whole(*TEXT, delta(0)), {}),
    "delta for another index": (4, whole(begin(0), delta(1), delta(0), stop(0)), {}),
    "thinking in text": (4, whole(begin(0), delta(0), delta(0, "hm", "thinking_delta"), stop(0)), {}),
    "text in thinking": (4, whole(*THINKING[:3], delta(0), stop(0)), {}),
    "text in a call": (4, whole(*call()[:2], delta(0, "\n"), stop(0), reason="tool_use"), {}),
    "arguments in text": (4, whole(begin(0), delta(0), delta(0, "{}", "input_json_delta"), stop(0)), {}),
    "unknown delta": (4, whole(begin(0), delta(0), delta(0, "x", "new_delta"), stop(0)), {}),
    "text in the start": (4, whole(begin(0, text="lost"), delta(0), stop(0)), {}),
    "unknown block": (4, whole(begin(0, type="reasoning"), stop(0)), {}),
    "input in the start": (5, whole(*call(input={"command": "ls"}), reason="tool_use"), {}),
    "empty tool id": (5, whole(*call(id=""), reason="tool_use"), {}),
    "tool id used before": (5, whole(*call(), reason="tool_use"), {"seen_ids": {"toolu_0"}}),
    "one id for two calls": (5, whole(*call(id="toolu_1"), *call(1), reason="tool_use"), {}),
    "unknown tool": (5, whole(*call(name="bash"), reason="tool_use"), {}),
    "no tools asked": (5, whole(*call(), reason="tool_use"), {"tools": []}),
    "no input_json_delta": (5, whole(begin(0, "tool_use"), stop(0), reason="tool_use"), {}),
    "empty arguments": (5, whole(*call(0, ""), reason="tool_use"), {}),
    "arguments are a list": (5, whole(*call(0, "[]"), reason="tool_use"), {}),
    "arguments cut": (5, whole(*call(0, '{"comm'), reason="tool_use"), {"backend_finish": "tool_calls"}),
    "arguments twice": (5, whole(*call(0, "{}{}"), reason="tool_use"), {}),
    "markup in text": (6, whole(begin(0), delta(0, "<tool_"), delta(0, "call>"), stop(0)), {}),
    "markup in arguments": (6, whole(*call(0, '{"a": "[TOOL_CALLS]"}'), reason="tool_use"), {}),
    "escaped markup in arguments": (6, whole(*call(0, '{"a": "\\u003cthink>"}'), reason="tool_use"), {}),
    "markup in a name": (6, whole(*call(name="Bash<|channel|>"), reason="tool_use"), {"tools": ["Bash<|channel|>"]}),
    "no stop reason": (7, write(start(), *TEXT, LAST), {}),
    "only heartbeats": (7, write(start(), *TEXT, end(None), LAST), {}),
    "no message_stop": (7, write(start(), *TEXT, end()), {}),
    "cut after text": (7, write(start(), *TEXT), {}),
    "two stop reasons": (7, write(start(), *TEXT, end(), end(), LAST), {}),
    "heartbeat after the end": (7, write(start(), *TEXT, end(), end(None), LAST), {}),
    "block after the end": (7, write(start(), end(), *TEXT, LAST), {}),
    "ping after message_stop": (7, whole(*TEXT) + write(PING), {}),
    "message_stop twice": (7, whole(*TEXT) + write(LAST), {}),
    "no output tokens": (7, write(start(), *TEXT, without_usage(), LAST), {}),
    "heartbeat without output tokens": (7, write(start(), end(None, output_tokens=None), *TEXT, end(), LAST), {}),
    "call and end_turn": (8, whole(*call(), reason="end_turn"), {}),
    "tool_use without call": (8, whole(*TEXT, reason="tool_use"), {}),
    "length and end_turn": (8, whole(*TEXT), {"backend_finish": "length"}),
    "stop and max_tokens": (8, whole(*TEXT, reason="max_tokens"), {"backend_finish": "stop"}),
    "call, stop and max_tokens": (8, whole(*call(), reason="max_tokens"), {"backend_finish": "stop"}),
    "backend's own word": (8, whole(*TEXT, reason="stop"), {}),
    "refusal made up": (8, whole(*TEXT, reason="refusal"), {"backend_finish": "stop"}),
    "stop sequence not named": (8, whole(*TEXT, reason="stop_sequence"), {}),
    "stop sequence with end_turn": (8, write(start(), *TEXT, end("end_turn", "###"), LAST), {}),
    "two errors": (9, write(start(), ERROR, ERROR), {}),
    "message_stop after the error": (9, write(start(), ERROR, LAST), {}),
    "stop reason after the error": (9, write(start(), *TEXT, ERROR, end(), LAST), {}),
    "error after the stop reason": (9, write(start(), *TEXT, end(), ERROR), {}),
    "error after message_stop": (9, whole(*TEXT) + write(ERROR), {}),
    "error without text": (9, write(start(), {"type": "error", "error": {"type": "api_error"}}), {}),
    "error without type": (9, write(start(), {"type": "error", "error": {"message": "x"}}), {}),
    "failure dressed as end_turn": (9, whole(*TEXT), {"backend_finish": FAILED}),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_stream_passes(name: str) -> None:
    raw, options = GOOD[name]
    folded = check(raw, **options)
    assert folded.events
    assert (folded.error is None) == (b"event: error" not in raw)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_stream_breaks_exactly_its_rule(name: str) -> None:
    rule, raw, options = BAD[name]
    with pytest.raises(InvariantBroken, match=f"rule {rule}: ") as caught:
        check(raw, **options)
    assert caught.value.rules == {rule}


def test_every_rule_is_broken_by_some_stream() -> None:
    assert {rule for rule, _, _ in BAD.values()} == set(range(1, 10))


def test_every_good_stream_fails_once_it_is_cut_short() -> None:
    for raw, options in GOOD.values():
        last = raw.rstrip().rfind(b"\n\n") if b"\r" not in raw else raw.rstrip().rfind(b"\r\n\r\n")
        with pytest.raises(InvariantBroken):
            check(raw[: max(last, 0)], **options)


def test_all_violations_are_told_at_once() -> None:
    raw = write(start(role="user"), delta(0), end("stop"), LAST)
    with pytest.raises(InvariantBroken) as caught:
        check(raw)
    assert caught.value.rules == {2, 4, 8}
    assert "event 1 (content_block_delta)" in str(caught.value)


def test_ids_are_remembered_from_one_response_to_the_next() -> None:
    seen: set[str] = set()
    check(whole(*call(), reason="tool_use"), seen_ids=seen)
    assert seen == {"msg_1", "toolu_0"}
    with pytest.raises(InvariantBroken) as caught:
        check(whole(*call(), reason="tool_use"), seen_ids=seen)
    assert caught.value.rules == {2, 5}


def test_the_folded_message() -> None:
    final = end("tool_use", None, input_tokens=4, cache_read_input_tokens=8, output_tokens=7)
    raw = write(start(), *THINKING, begin(1), delta(1, "a"), end(None), delta(1, "b"), stop(1), *call(2), final, LAST)
    folded = check(raw)
    assert folded.content == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "ab"},
        {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {"command": "ls"}},
    ]
    assert (folded.id, folded.model, folded.stop_reason, folded.stop_sequence) == ("msg_1", "asked", "tool_use", None)
    assert folded.usage == {"input_tokens": 4, "output_tokens": 7, "cache_read_input_tokens": 8}
    assert same_message(folded, fold(raw))


def test_a_cut_call_keeps_its_raw_arguments() -> None:
    folded = check(whole(*call(0, '{"comm'), reason="max_tokens"))
    assert folded.content[0]["input"] == '{"comm'


def test_an_error_folds_to_an_error_body() -> None:
    raw = write(start(), *TEXT, ERROR)
    assert check(raw).error == ERROR["error"]
    assert fold(raw) == ERROR


def test_same_message_ignores_ids_only() -> None:
    raw = whole(*THINKING, *call(1), reason="tool_use")
    plain = fold(raw)
    plain["id"] = plain["content"][1]["id"] = "other"
    assert same_message(raw, plain)


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"content": []},
        {"content": [{"type": "text", "text": "ho"}]},
        {"stop_reason": "max_tokens"},
        {"usage": {"input_tokens": 12, "output_tokens": 6}},
        {"model": "served"},
    ],
)
def test_same_message_finds(change: Data) -> None:
    raw = whole(*TEXT)
    with pytest.raises(InvariantBroken, match=f"rule 12: {next(iter(change))}"):
        same_message(raw, fold(raw) | change)


def test_same_events_joins_deltas_and_drops_heartbeats() -> None:
    pieces = whole(begin(0), delta(0, "h"), PING, end(None), delta(0, ""), delta(0, "i"), stop(0))
    assert same_events(pieces, whole(*TEXT))
    assert len(merged_events(pieces)) == 6


@pytest.mark.parametrize(
    "other",
    [
        whole(begin(0), delta(0, "ho"), stop(0)),
        whole(*TEXT, begin(1), delta(1), stop(1)),
        write(start(), *TEXT),
        whole(*TEXT, reason="max_tokens"),
        whole(begin(0, "thinking"), delta(0, "hi", "thinking_delta"), stop(0)),
    ],
)
def test_same_events_finds(other: bytes) -> None:
    with pytest.raises(InvariantBroken, match="rule 11"):
        same_events(whole(*TEXT), other)


def test_the_longest_silence_is_measured() -> None:
    arrivals = [(100.0, b""), (103.0, write(start())), (103.5, write(*TEXT)), (109.5, write(end(), LAST)), (110.0, b"")]
    assert check_silence(arrivals, limit_s=6.0) == 6.0
    with pytest.raises(InvariantBroken, match=r"rule 10: 6\.000 s .* from 3\.500 s"):
        check_silence(arrivals, limit_s=5.9)


@pytest.mark.parametrize("filler", [write(PING), b": still here\n\n"])
def test_pings_and_comments_do_not_break_the_silence(filler: bytes) -> None:
    arrivals = [(0.0, write(start())), *((float(moment), filler) for moment in range(1, 20)), (20.0, write(ERROR))]
    assert check_silence(arrivals, limit_s=20) == 20.0


def test_heartbeats_that_count_break_the_silence() -> None:
    arrivals = [(0.0, b""), (10.0, write(start())), (20.0, write(end(None))), (30.0, write(delta(0, "")))]
    assert check_silence(arrivals, limit_s=15) == 10.0


def test_half_an_event_does_not_break_the_silence() -> None:
    event = write(end(None))
    arrivals = [(0.0, write(start())), (9.0, event[:-1]), (18.0, event[-1:])]
    assert check_silence(arrivals, limit_s=18) == 18.0


def test_silence_before_the_first_and_after_the_last_event_counts() -> None:
    assert check_silence([(0.0, b""), (7.0, b"")], limit_s=7) == 7.0
    assert check_silence([(0.0, b""), (1.0, write(start())), (9.0, b"")], limit_s=8) == 8.0
