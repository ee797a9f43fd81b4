"""Random answers of a model, and the many ways in which a server may stream one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fakes.chat_stream import DONE, call_delta, chunk, usage_chunk, usage_object
from tests.property.examples import TEXT, Dice

TOOLS = ("Bash", "Read", "mcp__files__write")
WORDS = TEXT.filter(lambda text: not text.isspace())  # white space around calls says nothing and is dropped
COUNT = st.integers(1, 200_000)
FINISHES = {True: ("tool_calls", "stop"), False: ("stop", "length")}
PLACES = ("own chunk", "with the finish", "each chunk", "nowhere")


@dataclass(frozen=True)
class Streamed:
    """The bytes, and what a client must end up with: blocks without ids; usage is (prompt, output, cached)."""

    raw: bytes
    cuts: tuple[int, ...]
    blocks: list[dict[str, Any]]
    finish: str
    stop_reason: str
    usage: tuple[int, int, int] | None


def cut(dice: Dice, text: str) -> list[str]:
    places = sorted({1 + dice(max(1, len(text) - 1)) for _ in range(dice(4))})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    return [piece for piece in pieces if piece] or [""]


def calls(dice: Dice, first: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Deltas of one to three calls, interleaved at random, and the blocks they make. Indices begin at `first`."""
    made, waiting = [], []
    for number in range(first, first + 1 + dice(3)):
        name, arguments = dice.one(TOOLS), dice.object()
        written = json.dumps(arguments, ensure_ascii=bool(dice(2)), indent=dice.one((None, 1)))
        pieces = cut(dice, "" if not arguments and dice(2) else written)
        with_head = dice(2)  # the first arguments may come with the name
        deltas = [call_delta(number, pieces[0] if with_head else "", name=name, id=f"call:{number}")]
        deltas += [call_delta(number, piece) for piece in (pieces[1:] if with_head else pieces)]
        made.append({"type": "tool_use", "name": name, "input": arguments})
        waiting.append(deltas)
    out = [each.pop(0) for each in waiting] if dice(2) else []
    while any(waiting):
        # A call begins after those before it; what follows its beginning may come in any order.
        begun = [at for at, each in enumerate(waiting) if each]
        fresh = [at for at in begun if "id" in waiting[at][0]["tool_calls"][0]]
        allowed = [at for at in begun if at not in fresh] + fresh[:1]
        out.append(waiting[dice.one(allowed)].pop(0))
    return out, made


def said(dice: Dice) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    deltas: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    number = 0
    for kind in [dice.one(("text", "thinking", "calls")) for _ in range(dice(6))]:
        if kind == "calls":
            more, made = calls(dice, number)
            number += len(made)
            deltas += more
            blocks += made
            continue
        text = dice.draw(WORDS)
        field = "content" if kind == "text" else dice.one(("reasoning", "reasoning_content"))
        deltas += [{field: piece} for piece in cut(dice, text)]
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


@st.composite
def streams(draw: st.DrawFn) -> Streamed:
    dice = Dice(draw)
    deltas, blocks, called = said(dice)
    finish = dice.one(FINISHES[called])
    chunks = [chunk(delta) for delta in [{"role": "assistant", "content": ""}, *deltas]] + [chunk({}, finish)]
    prompt = draw(COUNT)
    usage = (prompt, draw(COUNT), prompt * dice(101) // 100)
    place = dice.one(PLACES)
    ascii_only = bool(dice(2))
    events = [json.dumps(one, ensure_ascii=ascii_only).encode() for one in _with_usage(chunks, place, usage)]
    raw = b"".join(b"data: " + event + b"\n\n" for event in events) + (DONE if dice(2) else b"")
    raw = raw.replace(b"\n", dice.one((b"\n", b"\n", b"\r\n", b"\r")))
    cuts = [1 + dice(len(raw)) for _ in range(dice(9))]
    reason = "tool_use" if called else {"stop": "end_turn", "length": "max_tokens"}[finish]
    return Streamed(raw, tuple(cuts), blocks, finish, reason, None if place == "nowhere" else usage)
