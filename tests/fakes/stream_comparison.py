"""Compares answers with each other: two cuts of one stream, a stream with its non-streaming twin, a stream with time.

Rules 10, 11 and 12 of the stream invariant. Must not import landline.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.fakes.anthropic_events import (
    DELTA_FIELD,
    Event,
    Folded,
    InvariantBroken,
    Violation,
    events_of,
    fold_events,
    frames,
    parse_frame,
)


def fold(raw: bytes) -> dict[str, Any]:
    """The message (or the error body) that the non-streaming answer to the same upstream content would be."""
    return _as_answer(fold_events(events_of(raw)))


def _as_answer(folded: Folded) -> dict[str, Any]:
    if folded.error is not None:
        return {"type": "error", "error": folded.error}
    return {
        "id": folded.id,
        "type": "message",
        "role": folded.role,
        "model": folded.model,
        "content": folded.content,
        "stop_reason": folded.stop_reason,
        "stop_sequence": folded.stop_sequence,
        "usage": folded.usage,
    }


def same_message(streamed: dict[str, Any] | Folded | bytes, plain: dict[str, Any]) -> bool:
    """Rule 12: True, or InvariantBroken with every difference.

    Ids of messages and calls are minted per response, signatures too: they must be there in both, not be equal.
    """
    if isinstance(streamed, bytes):
        streamed = fold(streamed)
    if isinstance(streamed, Folded):
        streamed = _as_answer(streamed)
    wanted, found = _without_ids(streamed), _without_ids(plain)
    differences = [
        Violation(12, f"{key}: streamed {wanted.get(key)!r}, plain {found.get(key)!r}")
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key) != found.get(key)
    ]
    if differences:
        raise InvariantBroken(differences)
    return True


def _without_ids(message: dict[str, Any]) -> dict[str, Any]:
    made = dict(message)
    if "id" in made:
        made["id"] = bool(made["id"])
    if "content" in made:
        made["content"] = [_block_without_ids(block) for block in made["content"]]
    return made


def _block_without_ids(block: dict[str, Any]) -> dict[str, Any]:
    made = dict(block)
    for name in ("id", "signature"):
        if name in made:
            made[name] = bool(made[name])
    return made


def merged_events(raw: bytes) -> list[Event]:
    """The events without what may differ between two cuts: neighbouring deltas of one kind are joined, pings and
    heartbeats (empty deltas, a message_delta without stop reason) are left out."""
    merged: list[Event] = []
    for event in events_of(raw):
        if event.type == "ping" or _is_heartbeat(event):
            continue
        if merged and _joins(merged[-1], event):
            name = DELTA_FIELD[event.data["delta"]["type"]][1]
            before = merged[-1].data
            joined = before["delta"] | {name: before["delta"][name] + event.data["delta"][name]}
            merged[-1] = Event(event.type, before | {"delta": joined})
        else:
            merged.append(event)
    return merged


def _is_heartbeat(event: Event) -> bool:
    delta = event.data.get("delta") or {}
    if event.type == "message_delta":
        return delta.get("stop_reason") is None
    # An empty input_json_delta is no heartbeat: it would be the only delta of a call that must have one.
    return delta.get("type") in {"text_delta", "thinking_delta"} and not delta.get(DELTA_FIELD[delta["type"]][1])


def _joins(before: Event, event: Event) -> bool:
    if before.type != "content_block_delta" or event.type != "content_block_delta":
        return False
    kinds = {before.data["delta"]["type"], event.data["delta"]["type"]}
    return len(kinds) == 1 and kinds <= DELTA_FIELD.keys() and before.data["index"] == event.data["index"]


def same_events(first: bytes, second: bytes) -> bool:
    """Rule 11: True, or InvariantBroken with the first place where two cuts of one stream differ."""
    left, right = merged_events(first), merged_events(second)
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            raise InvariantBroken([Violation(11, f"event {number} differs:\n    {one}\n    {other}")])
    if len(left) != len(right):
        longer = max(left, right, key=len)
        extra = longer[min(len(left), len(right))]
        raise InvariantBroken([Violation(11, f"{len(left)} events against {len(right)}; the first extra one: {extra}")])
    return True


def check_silence(arrivals: list[tuple[float, bytes]], *, limit_s: float) -> float:
    """Rule 10: the longest wait for an event that the client's idle timer counts, in seconds.

    `arrivals` are (time, bytes). Begin with (time of acceptance, b"") and end with (time of end of stream, b""):
    both ends count. `ping` and comments do not count; an event arrives with the last byte of its frame.
    Raises InvariantBroken when the longest wait exceeds `limit_s`.
    """
    raw = b"".join(data for _, data in arrivals)
    moments = [arrivals[0][0], *_counted_moments(raw, arrivals), arrivals[-1][0]]
    gaps = [(after - before, before) for before, after in pairwise(moments)]
    longest, since = max(gaps)
    if longest > limit_s:
        begin = since - moments[0]
        text = f"{longest:.3f} s without a counted event, from {begin:.3f} s after acceptance; the limit is {limit_s} s"
        raise InvariantBroken([Violation(10, text)])
    return longest


def _counted_moments(raw: bytes, arrivals: list[tuple[float, bytes]]) -> list[float]:
    ends: list[tuple[int, float]] = []
    offset = 0
    for moment, data in arrivals:
        offset += len(data)
        ends.append((offset, moment))
    moments: list[float] = []
    for frame in frames(raw):
        event = parse_frame(frame)
        if event is not None and event.type != "ping":
            moments.append(next(moment for end, moment in ends if end >= frame.end))
    return moments
