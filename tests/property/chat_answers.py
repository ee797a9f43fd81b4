"""Random answers of a model, and the many ways in which a server may stream one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fakes.chat_stream import DONE, call_delta, chunk, usage_chunk, usage_object
from tests.property.examples import nested

TOOLS = ("Bash", "Read", "mcp__files__write")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
WORDS = TEXT.filter(lambda text: not text.isspace())  # white space around calls says nothing and is dropped
JSON = nested(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)
ARGUMENTS = st.dictionaries(TEXT, JSON, max_size=3)
COUNT = st.integers(1, 200_000)

# Made once: a strategy that is built anew in each example costs more than what it draws.
YES_OR_NO = st.booleans()
KINDS = st.lists(st.sampled_from(["text", "thinking", "calls"]), max_size=5)
FIELDS = st.sampled_from(["reasoning", "reasoning_content"])
NAMES = st.sampled_from(TOOLS)
INDENTS = st.sampled_from([None, 1])
FINISHES = {True: st.sampled_from(["tool_calls", "stop"]), False: st.sampled_from(["stop", "length"])}
PLACES = st.sampled_from(["own chunk", "with the finish", "each chunk", "nowhere"])
CUTS = st.lists(st.integers(0, 999), max_size=3)  # of a text, modulo its length
CUTS_OF_BYTES = st.lists(st.integers(0, 9_999), max_size=8)
UP_TO_THREE = st.integers(1, 3)
SHARES = st.integers(0, 100)
LINE_ENDS = st.sampled_from([b"\r\n", b"\r"])


@dataclass(frozen=True)
class Streamed:
    """The bytes, and what a client must end up with: blocks without ids; usage is (prompt, output, cached)."""

    raw: bytes
    cuts: tuple[int, ...]
    blocks: list[dict[str, Any]]
    finish: str
    stop_reason: str
    usage: tuple[int, int, int] | None


def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted({1 + place % max(1, len(text) - 1) for place in draw(CUTS)})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    return [piece for piece in pieces if piece] or [""]


def calls(draw: st.DrawFn, first: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Deltas of one to three calls, interleaved at random, and the blocks they make. Indices begin at `first`."""
    made, waiting = [], []
    for number in range(first, first + draw(UP_TO_THREE)):
        name, arguments = draw(NAMES), draw(ARGUMENTS)
        written = json.dumps(arguments, ensure_ascii=draw(YES_OR_NO), indent=draw(INDENTS))
        pieces = cut(draw, "" if not arguments and draw(YES_OR_NO) else written)
        with_head = draw(YES_OR_NO)  # the first arguments may come with the name
        deltas = [call_delta(number, pieces[0] if with_head else "", name=name, id=f"call:{number}")]
        deltas += [call_delta(number, piece) for piece in (pieces[1:] if with_head else pieces)]
        made.append({"type": "tool_use", "name": name, "input": arguments})
        waiting.append(deltas)
    out = [each.pop(0) for each in waiting] if draw(YES_OR_NO) else []
    while any(waiting):
        # A call begins after those before it; what follows its beginning may come in any order.
        begun = [at for at, each in enumerate(waiting) if each]
        fresh = [at for at in begun if "id" in waiting[at][0]["tool_calls"][0]]
        allowed = [at for at in begun if at not in fresh] + fresh[:1]
        out.append(waiting[draw(st.sampled_from(allowed))].pop(0))
    return out, made


@st.composite
def said(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    deltas: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    number = 0
    for kind in draw(KINDS):
        if kind == "calls":
            more, made = calls(draw, number)
            number += len(made)
            deltas += more
            blocks += made
            continue
        text = draw(WORDS)
        field = "content" if kind == "text" else draw(FIELDS)
        deltas += [{field: piece} for piece in cut(draw, text)]
        if blocks and blocks[-1]["type"] == kind:
            blocks[-1] = {"type": kind, kind: blocks[-1][kind] + text}
        else:
            blocks.append({"type": kind, kind: text})
    return deltas, blocks, number > 0


def _with_usage(chunks: list[dict[str, Any]], place: str, usage: tuple[int, int, int]) -> list[dict[str, Any]]:
    prompt, output, cached = usage
    match place:
        case "own chunk":
            return [*chunks, usage_chunk(prompt, output, cached)]
        case "with the finish":
            return [*chunks[:-1], chunks[-1] | {"usage": usage_object(prompt, output, cached)}]
        case "each chunk":
            counted = [one | {"usage": usage_object(prompt, at)} for at, one in enumerate(chunks)]
            return [*counted, usage_chunk(prompt, output, cached)]
        case _:
            return [one | {"usage": None} for one in chunks]


SAID = said()


@st.composite
def streams(draw: st.DrawFn) -> Streamed:
    deltas, blocks, called = draw(SAID)
    finish = draw(FINISHES[called])
    chunks = [chunk(delta) for delta in [{"role": "assistant", "content": ""}, *deltas]] + [chunk({}, finish)]
    prompt = draw(COUNT)
    usage = (prompt, draw(COUNT), prompt * draw(SHARES) // 100)
    place = draw(PLACES)
    ascii_only = draw(YES_OR_NO)
    events = [json.dumps(one, ensure_ascii=ascii_only).encode() for one in _with_usage(chunks, place, usage)]
    raw = b"".join(b"data: " + event + b"\n\n" for event in events) + (DONE if draw(YES_OR_NO) else b"")
    if draw(YES_OR_NO):
        raw = raw.replace(b"\n", draw(LINE_ENDS))
    cuts = [1 + place % len(raw) for place in draw(CUTS_OF_BYTES)]
    reason = "tool_use" if called else {"stop": "end_turn", "length": "max_tokens"}[finish]
    return Streamed(raw, tuple(cuts), blocks, finish, reason, None if place == "nowhere" else usage)
