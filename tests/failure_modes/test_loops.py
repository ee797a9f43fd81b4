"""Models that go round in circles: the same call, the same text, or words in the place of work."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event, ResponseEnd, ResponseStart
from landline.core.exchange import Notes, Outcome
from landline.core.model import StopReason, Usage
from landline.errors import ErrorKind, LandlineError
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.openai_chat.dialect import STANDARD
from landline.transforms.claimed_work import CLAIMED
from landline.transforms.loop_guard import STOPPED_AT
from landline.transforms.sequence import outbound
from tests.fakes.chat_stream import Answer, chunk, sse
from tests.fakes.gateway_client import ASKED, gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Hang, Send, Status, Step
from tests.property.requests import MISTRAL, chat_of, written

TOOLS = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in ("Bash", "Read")]
Messages = list[dict[str, Any]]


def turn(at: int, arguments: Any = None, result: Any = "same", *, name: str = "Bash", more: Messages | None = None):
    call = {"type": "tool_use", "id": f"t{at}", "name": name, "input": arguments or {"command": "ls", "n": 1}}
    answer = {"type": "tool_result", "tool_use_id": f"t{at}", "content": result}
    return [{"role": "assistant", "content": [call]}, {"role": "user", "content": [answer, *(more or [])]}]


def history(*turns: Messages) -> Messages:
    return [{"role": "user", "content": "go"}, *(message for one in turns for message in one)]


def alike(count: int, **fields: Any) -> Messages:
    return history(*(turn(at, **fields) for at in range(count)))


def last_words(messages: Messages, notes: Notes | None = None) -> str:
    """What the prompt ends with; empty where that is a result."""
    last = chat_of({"messages": messages, "tools": TOOLS}, notes=notes)["messages"][-1]
    return last["content"] if last["role"] == "user" else ""


@pytest.mark.row("4.45")
def test_row_4_45_a_call_repeated_three_times_is_told_to_the_model() -> None:
    notes = Notes()
    assert last_words(alike(2), notes) == ""
    assert notes.alerts == []
    assert "(Bash) 3 times in a row" in last_words(alike(3), notes)
    assert "(Bash) 4 times in a row" in last_words(alike(4))
    assert notes.alerts == ["the model repeats one call (Bash) though its result stays the same"]
    reordered = history(turn(0), turn(1, {"n": 1, "command": "ls"}), turn(2))
    assert "3 times" in last_words(reordered)  # compared as values
    reminder = [{"type": "text", "text": "<system-reminder>\nx\n</system-reminder>"}]
    assert "3 times" in last_words(alike(3, more=reminder))


@pytest.mark.row("4.45")
def test_row_4_45_polling_that_sees_something_new_and_other_calls_are_no_loop() -> None:
    words = [{"type": "text", "text": "try once more"}]
    for messages in (
        history(*(turn(at, result=f"{at} of 9") for at in range(12))),
        history(*(turn(at, {"n": at}) for at in range(12))),
        history(*(turn(at, {"n": at % 2 == 1}) for at in range(12))),
        history(turn(0, {"n": 1}), turn(1, {"n": True}), turn(2, {"n": 1})),
        history(turn(0), turn(1), turn(2, name="Read")),
        history(turn(0), turn(1), turn(2, more=words)),
        history(turn(0), turn(1, more=words), turn(2)),
        [*alike(2), {"role": "assistant", "content": "Done."}, {"role": "user", "content": "again"}, *turn(3)],
    ):
        assert last_words(messages) in ("", "try once more")


@pytest.mark.row("4.45")
def test_row_4_45_the_words_are_at_the_end_and_cost_the_next_turn_nothing_else() -> None:
    prompts = [chat_of({"messages": alike(count), "tools": TOOLS})["messages"] for count in range(2, STOPPED_AT)]
    for before, now in pairwise(prompts):
        kept = before[:-1] if before[-1]["role"] == "user" else before
        assert now[: len(kept)] == kept
    assert prompts[1][-2] == {"role": "tool", "tool_call_id": "t2", "content": "same"}
    assert chat_of({"messages": alike(3), "tools": TOOLS}) == chat_of({"messages": alike(3), "tools": TOOLS})
    joined = chat_of({"messages": alike(3), "tools": TOOLS}, dialect=MISTRAL)["messages"][-1]
    assert joined["content"].startswith("same\n<system-reminder>")


@pytest.mark.row("4.45")
async def test_row_4_45_a_loop_is_stopped_and_goes_on_with_its_user() -> None:
    async with ModelServer(lambda _: Answer("ok")) as server, gateway_to(server.url) as client:
        stopped = await client.messages(request_body(messages=alike(STOPPED_AT), tools=TOOLS))
        assert stopped.status == 400
        assert "(Bash) 8 times in a row" in json.loads(stopped.body)["error"]["message"]
        assert server.chats == []
        assert (await client.settled()).outcome is Outcome.REFUSED
        told = [*alike(STOPPED_AT), {"role": "user", "content": "use Read"}]
        assert (await client.messages(request_body(messages=told, tools=TOOLS))).status == 200


@pytest.mark.row("4.45")
def test_row_4_45_the_limit_is_set_by_the_user() -> None:
    conversation = decode_request(written({"messages": alike(STOPPED_AT), "tools": TOOLS}), Notes())[1]
    outbound(conversation, STANDARD, Notes(), loop_limit=0)
    with pytest.raises(LandlineError) as caught:
        outbound(conversation, STANDARD, Notes(), loop_limit=5)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.final
    assert "models.loop_limit" in caught.value.text


# ------------------------------------------------------------------------------------------------ repetition


def restored(*texts: str, kind: BlockKind = BlockKind.TEXT, notes: Notes | None = None, asked: Messages | None = None):
    """Events of an answer of these words, as the client gets them."""
    body = {"messages": asked or [{"role": "user", "content": "x"}], "tools": TOOLS}
    conversation = decode_request(written(body), Notes())[1]
    restoring = outbound(conversation, STANDARD, Notes() if notes is None else notes).restoring
    batches: list[list[Event]] = [[ResponseStart(), BlockStart(0, kind)]]
    batches += [[BlockDelta(0, text)] for text in texts]
    batches.append([BlockStop(0), ResponseEnd(StopReason.END_TURN, Usage())])
    out: list[Event] = []
    for batch in batches:
        for transform in restoring:
            batch = transform.push(batch) if batch else batch
        out += batch
        if out and isinstance(out[-1], ResponseEnd):
            break
    return out


@pytest.mark.row("4.46")
@pytest.mark.parametrize("unit", ["ny", " ", "\n", "I will check the file again.\n", "x" * 399 + "y"])
@pytest.mark.parametrize("kind", [BlockKind.TEXT, BlockKind.THINKING])
def test_row_4_46_an_answer_that_only_repeats_is_ended(unit: str, kind: BlockKind) -> None:
    notes = Notes()
    out = restored("Well: ", *[unit] * (40_000 // len(unit)), kind=kind, notes=notes)
    assert isinstance(out[-1], ResponseEnd)
    words = "".join(event.text for event in out if isinstance(event, BlockDelta))
    assert len(words) < 12_000
    assert "landline: the answer was ended here" in words
    assert any("over and over" in alert for alert in notes.alerts)
    assert [event.index for event in out if isinstance(event, BlockStart)] == list(
        range(1 + (kind is not BlockKind.TEXT))
    )


@pytest.mark.row("4.46")
@pytest.mark.parametrize(
    "text",
    [
        "".join(f"| {row} | {row % 7} | ok | - |\n" for row in range(2_000)),
        "".join(f"src/landline/file_{row}.py\n" for row in range(2_000)),
        ("=" * 80 + "\n") * 60,
        "".join(map(str, range(9_000))),
        ("| a | b |\n" * 500) + "and the end" + ("| a | b |\n" * 500),
    ],
)
def test_row_4_46_a_long_table_goes_on(text: str) -> None:
    notes = Notes()
    out = restored(*[text[at : at + 9] for at in range(0, len(text), 9)], notes=notes)
    assert "".join(event.text for event in out if isinstance(event, BlockDelta)) == text
    assert notes.alerts == []


@pytest.mark.row("4.46")
async def test_row_4_46_the_backends_work_ends_with_the_answer() -> None:
    said = sse(*[chunk({"content": "ny" * 50}) for _ in range(200)])
    steps: list[Step] = [Status(), Send(said), Hang()]
    async with ModelServer(lambda _: steps) as server, gateway_to(server.url) as client:
        folded = check_stream((await client.stream(request_body())).body, asked_model=ASKED)
        assert folded.stop_reason == "end_turn"
        assert folded.content[0]["text"].endswith("over and over.]")
        assert (await client.settled()).outcome is Outcome.COMPLETED


# ------------------------------------------------------------------------------------------------ claims


@pytest.mark.row("4.47")
def test_row_4_47_a_claim_of_work_that_was_not_done_is_noted_and_nothing_else() -> None:
    text = "I have read the file and I've updated the tests."
    notes = Notes()
    out = restored(text[:9], text[9:], notes=notes)
    assert notes.alerts == [CLAIMED]
    assert "".join(event.text for event in out if isinstance(event, BlockDelta)) == text


@pytest.mark.row("4.47")
def test_row_4_47_where_tools_were_called_or_nothing_is_claimed_there_is_no_note() -> None:
    notes = Notes()
    restored("I will read the file.", notes=notes)
    restored("I have read the file.", kind=BlockKind.THINKING, notes=notes)
    restored("I have read the file.", asked=alike(1), notes=notes)
    assert notes.alerts == []
