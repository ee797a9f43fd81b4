"""Words that leave unseen change nothing: the pipeline gives out what its transforms would, seeing each event."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseEnd, ResponseStart
from landline.core.exchange import Notes
from landline.core.model import Conversation, Message, Role, StopReason, Text, Tool, Tools, Usage
from landline.core.stream import Pipeline, Transform
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.sequence import Again, outbound

ASKED = Conversation(
    model="m", messages=(Message(Role.USER, (Text("hi"),)),), tools=Tools((Tool("Bash", "runs", Raw(b"{}")),))
)
DIALECTS = [
    Dialect(),
    Dialect(tool_parsers=("hermes",), reasoning_parser="qwen3"),
    Dialect(tool_parsers=("mistral",)),
]
FRAGMENTS = [
    *("hello ", "\n", " ", "```", "`", "<", "<<", "</", "[", "[[", "~", "a<b ", "I have run it. ", "x" * 70),
    *(
        "<tool",
        "_call>",
        "</tool_call>",
        "<think>",
        "</think>",
        "[TOOL",
        "_CALLS]",
        '{"name": "Bash", "arguments": {}}',
    ),
    " ".join(map(str, range(200))),
]
# Beyond, some read no more of an answer, and where that is depends on how its words are cut.
FEW = 1_300  # characters of a block behind its first word


class Scripted:
    over = False

    def __init__(self, reads: list[list[Event]]) -> None:
        self._reads = list(reads)

    def feed(self, data: bytes) -> list[Event]:
        return self._reads.pop(0)

    def close(self) -> list[Event]:
        return []


@st.composite
def answers(draw: st.DrawFn) -> list[list[Event]]:
    """The events of an answer, read by read."""
    events: list[Event] = [ResponseStart(Usage())]
    for index in range(draw(st.integers(1, 2))):
        words = draw(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=20))
        words = words[: 1 + sum(size < FEW for size in accumulate(map(len, words[1:])))]
        kind = draw(st.sampled_from([BlockKind.TEXT, BlockKind.THINKING]))
        events += [BlockStart(index, kind), *[BlockDelta(index, word) for word in words], BlockStop(index)]
    events.append(ResponseEnd(StopReason.END_TURN, Usage()))
    alone = draw(st.booleans())
    cuts = range(len(events)) if alone else sorted(draw(st.sets(st.integers(0, len(events)), max_size=12)))
    return [events[begin:end] for begin, end in pairwise([0, *cuts, len(events)]) if end > begin]


def outcome(events: list[Event]) -> list[Event]:
    """With neighbouring words as one."""
    joined: list[Event] = []
    for event in events:
        before = joined[-1] if joined else None
        if isinstance(event, BlockDelta) and isinstance(before, BlockDelta) and event.index == before.index:
            joined[-1] = BlockDelta(event.index, before.text + event.text)
        else:
            joined.append(event)
    return joined


def noted(notes: Notes) -> list[list[str]]:
    """In no order: a long run of words passes all transforms before what stands behind it in its read passes any."""
    return [sorted(notes.repairs), sorted(notes.dropped), sorted(notes.alerts)]


def chain(dialect: Dialect, notes: Notes) -> tuple[Transform, ...]:
    return tuple(outbound(ASKED, dialect, notes, again=Again(calls=True, plans=True)).answer.transforms)


@given(answers(), st.sampled_from(DIALECTS))
def test_what_leaves_unseen_leaves_as_if_it_had_been_seen(reads: list[list[Event]], dialect: Dialect) -> None:
    told, expected = Notes(), Notes()
    pipeline = Pipeline(Scripted(reads), chain(dialect, told))
    got = [event for _ in reads for event in pipeline.feed(b"")]
    transforms, wanted = chain(dialect, expected), list[Event]()
    for read in reads:
        events = list(read)
        for transform in transforms:
            events = transform.push(events) if events else events
        wanted += events
    assert outcome(got) == outcome(wanted)
    assert noted(told) == noted(expected)
