"""What the pipeline shows to its transforms, and what it does when one holds everything back."""

from __future__ import annotations

from typing import ClassVar

import pytest

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseError, ResponseStart
from landline.core.marks import Marks
from landline.core.stream import Patience, Pipeline


class Scripted:
    """Gives out one list of events for each feed."""

    over = False

    def __init__(self, *batches: list[Event]) -> None:
        self._batches = list(batches)

    def feed(self, data: bytes) -> list[Event]:
        return self._batches.pop(0)

    def close(self) -> list[Event]:
        return []


class Watching:
    reads_text: ClassVar[bool] = False

    def __init__(self) -> None:
        self.seen: list[list[Event]] = []

    def push(self, events: list[Event]) -> list[Event]:
        self.seen.append(events)
        return events


class WatchingText(Watching):
    reads_text: ClassVar[bool] = True


class Patient(WatchingText):
    """Wants to see words that hold two stars before they leave, and all within ten characters."""

    def leaves(self, text: str) -> str | None:
        self.left(text)
        return text

    def left(self, text: str) -> None:
        self.seen.append([BlockDelta(0, text)])

    def patience(self) -> Patience:
        return Patience(10, Marks(["**"]))


class Holding(Watching):
    def push(self, events: list[Event]) -> list[Event]:
        return []


def opened(kind: BlockKind) -> list[Event]:
    return [ResponseStart(), BlockStart(0, kind), BlockDelta(0, "a")]


MORE: list[Event] = [BlockDelta(0, "b"), BlockDelta(0, "c")]


@pytest.mark.parametrize("kind", [BlockKind.TEXT, BlockKind.THINKING])
def test_words_are_shown_only_to_who_reads_them(kind: BlockKind) -> None:
    for watching, shown in ((Watching(), 1), (WatchingText(), 2)):
        pipeline = Pipeline(Scripted(opened(kind), MORE), (watching,))
        assert pipeline.feed(b"") == opened(kind)
        assert pipeline.feed(b"") == MORE
        assert len(watching.seen) == shown


def test_arguments_and_whatever_is_not_all_words_are_shown_to_all() -> None:
    watching = Watching()
    batches = [opened(BlockKind.TOOL_USE), MORE, [BlockStop(0), BlockStart(1, BlockKind.TEXT)], [BlockDelta(1, "d")]]
    pipeline = Pipeline(Scripted(*batches), (watching,))
    for batch in batches:
        assert pipeline.feed(b"") == batch
    assert watching.seen == batches[:3]


def test_who_comes_behind_one_that_holds_everything_back_is_not_asked() -> None:
    behind = Watching()
    pipeline = Pipeline(Scripted(opened(BlockKind.TOOL_USE)), (Holding(), behind))
    assert pipeline.feed(b"") == []
    assert behind.seen == []


def words(*texts: str) -> list[list[Event]]:
    return [[BlockDelta(0, text)] for text in texts]


def said(watching: Watching) -> list[str]:
    return [event.text for batch in watching.seen for event in batch if isinstance(event, BlockDelta)]


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["b", "c", "d", "**", "e"], ["a", "b", "cd", "**"]),
        (["b", "123456789", "0", "e", "f"], ["a", "b", "1234567890", "e"]),
        (["b", "12345678901", "e"], ["a", "b", "12345678901"]),
    ],
)
def test_who_is_patient_sees_words_many_at_once(texts: list[str], shown: list[str]) -> None:
    watching = Patient()
    pipeline = Pipeline(Scripted(opened(BlockKind.TEXT), *words(*texts), [BlockStop(0)]), (watching,))
    for batch in (opened(BlockKind.TEXT), *words(*texts), [BlockStop(0)]):
        assert said(watching) == shown[: len(said(watching))]
        assert pipeline.feed(b"") == batch
    assert "".join(said(watching)) == "a" + "".join(texts)  # at the latest before the block ends
    assert watching.seen[-1] == [BlockStop(0)]


def test_patience_ends_with_the_block_also_within_one_read() -> None:
    """Two long runs of words and a call in one read: nothing of the call is taken for words."""
    run: list[Event] = [BlockDelta(0, "b")] * 9
    second: list[Event] = [BlockStart(1, BlockKind.TEXT), *[BlockDelta(1, "c")] * 9, BlockStop(1)]
    call: list[Event] = [BlockStart(2, BlockKind.TOOL_USE), BlockDelta(2, "{")]
    batches = [[*opened(BlockKind.TEXT), *run, BlockStop(0), *second, *call], [BlockDelta(2, "}")]]
    watching = Patient()
    pipeline = Pipeline(Scripted(*batches), (watching,))
    assert [pipeline.feed(b""), pipeline.feed(b"")] == batches
    assert said(watching) == ["a", "b" * 9, "c", "c" * 8, "{", "}"]


def test_what_may_begin_a_mark_waits_for_the_next_words_and_nobody_is_asked() -> None:
    watching = Patient()
    pipeline = Pipeline(
        Scripted(opened(BlockKind.TEXT), *words("b", "c*", "d", "*", "e*", "*"), [BlockStop(0)]), (watching,)
    )
    left = [pipeline.feed(b"") for _ in range(8)][2:]
    assert left == [*words("c", "*d"), [], *words("*e", "**"), [BlockStop(0)]]
    assert said(watching) == ["a", "b", "c*d*e", "**"]


@pytest.mark.parametrize("after", [BlockStop(0), ResponseError("broke")])
def test_what_was_held_leaves_before_whatever_is_no_words(after: Event) -> None:
    watching = Patient()
    pipeline = Pipeline(Scripted(opened(BlockKind.TEXT), *words("b", "*"), [after]), (watching,))
    assert [pipeline.feed(b"") for _ in range(4)][2:] == [[], [BlockDelta(0, "*"), after]]
    assert said(watching) == ["a", "b", "*"]


def test_more_than_may_leave_unseen_is_shown_with_what_was_held() -> None:
    watching = Patient()
    pipeline = Pipeline(Scripted(opened(BlockKind.TEXT), *words("b", "c*", "1234567890", "d")), (watching,))
    assert [pipeline.feed(b"") for _ in range(5)][2:] == words("c", "*1234567890", "d")
    assert said(watching) == ["a", "b", "c", "*1234567890"]
