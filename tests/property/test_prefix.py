"""Law 5 with tool search, and the comparison of two requests: true for any bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from landline.core.exchange import Notes
from landline.protocols.openai_chat.dialect import Dialect
from landline.server.prefixes import Prefixes, Strand
from landline.transforms.prefix_report import compare, prompt_head, shared_bytes
from landline.upstream.backend import DIALECTS, BackendKind
from tests.property.examples import TEXT, Dice
from tests.property.requests import STRICT_DIALECTS, chat_of, chat_request_of, written

VLLM = DIALECTS[BackendKind.VLLM]
BASE = ("Bash", "ToolSearch", "Write")
DEFERRED = ("CronCreate", "Monitor", "Notebook", "TaskStop", "WebFetch")


def tool(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"of": {"type": "string"}}}
    return {"name": name, "description": f"Does {name}.", "input_schema": schema} | (
        {"defer_loading": True} if name in DEFERRED else {}
    )


@st.composite
def searching_sessions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The requests of a session that now and then finds tools; the client lists what was found in alphabetical order.

    Sometimes it compacts: a summary takes the place of the history, the list stays. No two calls are the same: what is
    said to a model that repeats itself has a law of its own.
    """
    dice = Dice(draw)
    known: set[str] = set()
    messages: list[dict[str, Any]] = [{"role": "user", "content": dice.text()}]
    requests: list[dict[str, Any]] = []
    for at in range(2 + dice(5)):
        requests.append({"messages": list(messages), "tools": [tool(name) for name in sorted((*BASE, *known))]})
        names = [dice.one(DEFERRED) for _ in range(dice(3))]
        content: Any = [{"type": "tool_reference", "tool_name": name} for name in names] or dice.text()
        name = "ToolSearch" if names else dice.one(sorted({"Bash", *known}))
        call = {"type": "tool_use", "id": f"t{at}", "name": name, "input": {**dice.object(), "at": at}}
        messages.append({"role": "assistant", "content": [call]})
        messages.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{at}", "content": content}]}
        )
        known.update(names)
    return requests


def sent(request: dict[str, Any]) -> bytes:
    return chat_request_of(written(request), Notes(), dialect=VLLM)


@given(searching_sessions())
def test_law_5_holds_while_tools_are_found(session: list[dict[str, Any]]) -> None:
    prefixes, strand = Prefixes(), Strand("s", "", "m")
    turns = [sent(request) for request in session]
    for before, now in pairwise(turns):
        assert now.startswith(prompt_head(before) + b",")
    reports = [prefixes.report(strand, turn, bytes_per_token=4) for turn in turns]
    assert [report is None or report.held for report in reports] == [True] * len(turns)


@given(searching_sessions(), TEXT)
def test_after_a_compaction_the_tools_and_the_system_text_still_hold(
    session: list[dict[str, Any]], summary: str
) -> None:
    last = session[-1] | {"system": "You are an agent."}
    compacted = last | {"messages": [{"role": "user", "content": f"Summary: {summary}"}]}
    before, now = (prompt_head(sent(request)) for request in (last, compacted))
    assert shared_bytes(before, now) >= now.index(b'"messages":[{"role":"system"')


@given(searching_sessions(), searching_sessions())
def test_any_two_requests_can_be_compared(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    before, now = prompt_head(sent(one[-1])), prompt_head(sent(other[-1]))
    report = compare(before, now, bytes_per_token=4)
    naive = next((at for at, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1]), None)
    assert shared_bytes(before, now) == (min(len(before), len(now)) if naive is None else naive)
    if report is not None:
        assert report.held is now.startswith(before)
        assert 0 <= report.lost_tokens <= (len(now) - report.shared_bytes) / 4 + 1


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_is_no_request_is_compared_without_an_exception(before: bytes, now: bytes) -> None:
    compare(prompt_head(before), prompt_head(now), bytes_per_token=4)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=7), st.sampled_from([VLLM, *STRICT_DIALECTS]))
def test_law_5_holds_but_for_the_words_to_a_model_that_repeats_itself(results: list[int], dialect: Dialect) -> None:
    """They stand at the very end of one prompt, so a later one extends all that is before them."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "x"}]
    turns: list[list[dict[str, Any]]] = []
    for at, result in enumerate(results):
        call = {"type": "tool_use", "id": f"t{at}", "name": "Bash", "input": {"n": 1}}
        done = {"type": "tool_result", "tool_use_id": f"t{at}", "content": f"{result}"}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [done]}]
        turns.append(chat_of({"messages": messages, "tools": [tool("Bash")]}, dialect=dialect)["messages"])
    for before, now in pairwise(turns):
        content, mark, _ = before[-1]["content"].partition("<system-reminder>")
        if mark:
            before = [*before[:-1], *([before[-1] | {"content": content.removesuffix("\n")}] if content else [])]
        assert now[: len(before)] == before
    looped = len(results) >= 3 and len({*results[-3:]}) == 1
    assert looped == ("<system-reminder>" in turns[-1][-1]["content"])
