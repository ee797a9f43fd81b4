"""The order of events, and what an answer adds up to."""

from __future__ import annotations

from itertools import product

import pytest

from landline.core.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Event,
    ResponseEnd,
    ResponseError,
    ResponseStart,
)
from landline.core.fold import Fold, Kept, Tally
from landline.core.grammar import Grammar
from landline.core.model import StopReason, Text, Thinking, ToolUse, Usage

USAGE = Usage(prompt=10, cached=4, output=3)
START, END = ResponseStart(), ResponseEnd(StopReason.END_TURN, USAGE)
ERROR = ResponseError("x")


def block(index: int, kind: BlockKind, *pieces: str) -> list[Event]:
    return [BlockStart(index, kind, "i", "n"), *(BlockDelta(index, one) for one in pieces), BlockStop(index)]


WHOLE = [
    START,
    *block(0, BlockKind.THINKING, "h", "m"),
    *block(1, BlockKind.TEXT, "Hel", "lo"),
    *block(2, BlockKind.TOOL_USE, '{"a"', ":1}"),
    *block(3, BlockKind.TOOL_USE),
    END,
]


def test_a_whole_answer_is_in_order() -> None:
    grammar = Grammar()
    grammar.check(WHOLE)
    assert grammar.over


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_an_error_may_stand_anywhere_and_nothing_behind_it(length: int) -> None:
    grammar = Grammar()
    grammar.check([*WHOLE[:length], ERROR])
    assert grammar.over
    for late in (ERROR, END, START, BlockDelta(0, "x")):
        with pytest.raises(ValueError, match="while over"):
            grammar.check([late])


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_an_event_left_out_or_doubled_is_found(at: int) -> None:
    without, doubled = [*WHOLE[:at], *WHOLE[at + 1 :]], [*WHOLE[:at], WHOLE[at], *WHOLE[at:]]
    for events, wrong in ((without, not_a_delta_or_last(at)), (doubled, not isinstance(WHOLE[at], BlockDelta))):
        grammar = Grammar()
        if wrong:
            with pytest.raises(ValueError, match=r"while|expected"):
                grammar.check([*events, END])
        else:
            grammar.check(events)
            assert grammar.over == (at != len(WHOLE) - 1)


def not_a_delta_or_last(at: int) -> bool:
    return not isinstance(WHOLE[at], BlockDelta) and at != len(WHOLE) - 1


@pytest.mark.parametrize("event", [BlockStart(1, BlockKind.TEXT), BlockStart(-1, BlockKind.TEXT)])
def test_indices_count_from_nothing_without_gaps(event: Event) -> None:
    with pytest.raises(ValueError, match="expected 0"):
        Grammar().check([START, event])


@pytest.mark.parametrize(("cut", "size"), list(product((0, 3, 7), (1, 2, 50))))
def test_the_fold_is_the_same_however_the_events_are_batched(cut: int, size: int) -> None:
    fold, tally = Fold(), Tally()
    rest = WHOLE[cut:]
    for batch in (WHOLE[:cut], *(rest[at : at + size] for at in range(0, len(rest), size))):
        if batch:
            fold.push(batch)
            tally.push(batch)
    assert fold.answer is not None
    blocks = (Thinking("hm"), Text("Hello"), ToolUse("i", "n", '{"a":1}'), ToolUse("i", "n", ""))
    assert fold.answer.blocks == blocks
    assert (fold.answer.stop_reason, fold.answer.usage) == (StopReason.END_TURN, USAGE)
    assert fold.over and tally.over and tally.end == END


def test_a_failed_answer_has_no_blocks() -> None:
    fold, tally = Fold(), Tally()
    fold.push([*WHOLE[:4], ERROR])
    tally.push([*WHOLE[:4], ERROR])
    assert (fold.answer, fold.error, fold.over) == (None, ERROR, True)
    assert (tally.end, tally.error, tally.over) == (None, ERROR, True)


def test_fresh_tokens_are_never_negative() -> None:
    assert (USAGE.fresh, Usage(prompt=3, cached=5).fresh) == (6, 0)


@pytest.mark.parametrize("tokens", [1, 3, 700])
@pytest.mark.parametrize("limit", [10, 1_000_000])
def test_an_answer_that_is_kept_is_the_folded_one(tokens: int, limit: int) -> None:
    words: list[list[Event]] = [[BlockDelta(0, f"{at} ")] for at in range(tokens)]
    end: list[Event] = [BlockStop(0), ResponseEnd(StopReason.END_TURN, Usage())]
    batches: list[list[Event]] = [[ResponseStart(), BlockStart(0, BlockKind.TEXT)], *words, end]
    kept, fold = Kept(limit), Fold()
    for batch in batches:
        kept.push(batch)
        fold.push(batch)
    assert kept.over
    assert kept.end == end[-1]
    size = sum(len(f"{at} ") for at in range(tokens))
    assert kept.whole == (size <= limit)
    assert kept.answer == (fold.answer if kept.whole else None)
