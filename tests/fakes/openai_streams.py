"""Checkers for the raw bytes of streams in OpenAI's protocols: what must hold of every one, and what a client holds.

Both fold a stream to the same blocks as that of a Messages stream, so that one catalogue of cases serves for all three.
They report the first violation by an AssertionError, and must not import landline: they know the wire formats only.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.anthropic_events import Folded

ENDS = {"response.completed": None, "response.incomplete": "max_tokens", "response.failed": None}
# The events around the text of an item: what begins its part, its deltas, and what ends them.
TEXT = ("response.content_part.added", "response.output_text.delta", "response.output_text.done")
OWN_WORDS = ("response.content_part.added", "response.reasoning_text.delta", "response.reasoning_text.done")
SUMMARY = (
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
)
SEARCH = ("response.web_search_call.in_progress", "response.web_search_call.searching")
SEARCH_DONE = "response.web_search_call.completed"
ANNOTATION = "response.output_text.annotation.added"
FUNCTION = ("", "response.function_call_arguments.delta", "response.function_call_arguments.done")
CUSTOM = ("", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done")
PART_DONE = {"response.content_part.added": "response.content_part.done"}
PART_DONE |= {"response.reasoning_summary_part.added": "response.reasoning_summary_part.done"}


def response_events(raw: bytes) -> list[dict[str, Any]]:
    """The events; each is one frame whose `event:` is its type, numbered from 0 on."""
    assert raw.endswith(b"\n\n"), f"the stream ends inside a frame: {raw[-60:]!r}"
    events = []
    for number, one in enumerate(raw.decode().removesuffix("\n\n").split("\n\n")):
        name, data = one.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        events.append(event)
    return events


def check_responses(raw: bytes, *, asked_model: str) -> Folded:
    """The whole of a Responses stream."""
    events = response_events(raw)
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert [event["type"] for event in events if event["type"] in ENDS] == [events[-1]["type"]]
    items: list[dict[str, Any]] = []
    rest = [event for event in events[2:-1] if event["type"] != "response.in_progress"]
    while rest:
        item, rest = _item(rest, len(items))
        if item is not None:
            items.append(item)
    last = events[-1]["response"]
    assert last["output"] == items, "the last event does not repeat the items"
    identifiers = [item["id"] for item in items]
    assert len(set(identifiers)) == len(identifiers)
    for event in (events[0], events[1], events[-1]):
        assert (event["response"]["model"], event["response"]["id"]) == (asked_model, last["id"])
    status = events[-1]["type"].removeprefix("response.")
    assert last["status"] == status
    assert (last["error"] is not None) == (status == "failed")
    return folded_response(last)


def folded_response(response: dict[str, Any]) -> Folded:
    """A whole response as a client holds it."""
    content = [_block(item) for item in response["output"]]
    called = any(block["type"] == "tool_use" for block in content)
    reason = {"completed": "tool_use" if called else "end_turn", "incomplete": "max_tokens"}.get(response["status"])
    usage = response["usage"] or {}
    cached = usage.get("input_tokens_details", {}).get("cached_tokens", 0)
    told = {"output_tokens": usage.get("output_tokens", 0), "cache_read_input_tokens": cached}
    told["input_tokens"] = usage.get("input_tokens", 0) - cached
    return Folded(
        response["id"], response["model"], "assistant", content, reason, None, told, [], error=response["error"]
    )


def _item(events: list[dict[str, Any]], index: int) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The next item, whole, and the events behind it; None where the stream ends inside of it."""
    added, *rest = events
    assert added["type"] == "response.output_item.added", added
    if added["item"]["type"] == "web_search_call":
        return _search(added["item"], rest, index)
    begin, delta, done = _around(added["item"], rest)
    said, text = "", None
    for at, event in enumerate(rest):
        assert event["output_index"] == index, event
        assert event.get("item_id", added["item"]["id"]) == added["item"]["id"]
        if event["type"] == "response.output_item.done":
            item = event["item"]
            empty = added["item"]["type"] == "reasoning" and not rest[:at]  # nothing but what its client cannot read
            assert text == said or (empty and item["encrypted_content"])
            assert (item["id"], item["type"]) == (added["item"]["id"], added["item"]["type"])
            assert _said(item) == said, "the item does not hold what its deltas said"
            return item, rest[at + 1 :]
        if event["type"] == delta:
            assert text is None, "a delta behind the end of the text"
            said += event["delta"]
        elif event["type"] == done:
            text = next(event[name] for name in ("text", "arguments", "input") if name in event)
        else:
            assert event["type"] in (begin, PART_DONE.get(begin), ANNOTATION), event
    return None, []


def _search(
    begun: dict[str, Any], rest: list[dict[str, Any]], index: int
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """A search that the server ran: it begins, runs and ends, in this order."""
    kinds = [event["type"] for event in rest[:4]]
    if len(kinds) < 4:
        return None, []
    assert kinds == [*SEARCH, SEARCH_DONE, "response.output_item.done"]
    assert {event["output_index"] for event in rest[:4]} == {index}
    item = rest[3]["item"]
    assert (item["id"], item["type"]) == (begun["id"], "web_search_call")
    assert begun["status"] == "in_progress"
    assert item["status"] in ("completed", "failed")
    assert item["action"]["type"] == "search"
    return item, rest[4:]


def _around(item: dict[str, Any], rest: list[dict[str, Any]]) -> tuple[str, str, str]:
    match item["type"]:
        case "message":
            assert item["role"] == "assistant"
            return TEXT
        case "reasoning":
            return SUMMARY if rest and rest[0]["type"] == SUMMARY[0] else OWN_WORDS
        case "function_call":
            return FUNCTION
        case _:
            return CUSTOM


def _said(item: dict[str, Any]) -> str:
    """What the deltas of an item add up to."""
    match item["type"]:
        case "web_search_call":
            return item["action"]["query"]
        case "message":
            return "".join(part["text"] for part in item["content"])
        case "reasoning":
            return "".join(part["text"] for part in item.get("content") or item["summary"])
        case "function_call":
            return item["arguments"]
        case _:
            return item["input"]


def _block(item: dict[str, Any]) -> dict[str, Any]:
    said = _said(item)
    match item["type"]:
        case "message":
            return {"type": "text", "text": said}
        case "reasoning":
            return {"type": "thinking", "thinking": said}
        case "web_search_call":
            return {"type": "search", "query": said}
        case "function_call":
            name = ".".join(filter(None, (item.get("namespace"), item["name"])))
            return {"type": "tool_use", "id": item["call_id"], "name": name, "input": _object(said)}
        case _:
            return {"type": "tool_use", "id": item["call_id"], "name": item["name"], "input": said}


def _object(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


# ---------------------------------------------------------------------------------------------- chat completions

DONE = "data: [DONE]"


def chat_chunks(raw: bytes) -> tuple[list[dict[str, Any]], bool]:
    """The chunks, and whether the end mark stands behind them."""
    assert raw.endswith(b"\n\n"), f"the stream ends inside a frame: {raw[-60:]!r}"
    frames = raw.decode().removesuffix("\n\n").split("\n\n")
    ended = frames[-1] == DONE
    return [json.loads(one.removeprefix("data: ")) for one in (frames[:-1] if ended else frames)], ended


def check_chat(raw: bytes, *, asked_model: str, usage_asked: bool = True) -> Folded:
    """A whole chat stream: role once, heads of calls once, one finish_reason, usage if asked for, the mark."""
    chunks, ended = chat_chunks(raw)
    error = chunks.pop()["error"] if "error" in chunks[-1] else None
    assert ended == (error is None)
    usage = chunks.pop()["usage"] if usage_asked and error is None else {}
    reader = _Chat()
    for number, chunk in enumerate(chunks):
        assert (chunk["object"], chunk["model"]) == ("chat.completion.chunk", asked_model)
        assert chunk["id"] == chunks[0]["id"]
        [choice] = chunk["choices"]
        assert ("role" in choice["delta"]) == (number == 0), chunk
        assert reader.finish is None, "a chunk behind the finish_reason"
        reader.take(choice)
    assert (reader.finish is None) == (error is not None)
    return Folded(
        chunks[0]["id"] if chunks else "",
        asked_model,
        "assistant",
        reader.blocks(),
        {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}.get(reader.finish or ""),
        None,
        chat_usage(usage),
        error=error,
    )


def chat_usage(usage: dict[str, Any]) -> dict[str, Any]:
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    told = {"input_tokens": usage.get("prompt_tokens", 0) - cached, "cache_read_input_tokens": cached}
    return told | {"output_tokens": usage.get("completion_tokens", 0)}


class _Chat:
    def __init__(self) -> None:
        self.finish: str | None = None
        self._blocks: list[dict[str, Any]] = []
        self._calls = 0

    def take(self, choice: dict[str, Any]) -> None:
        delta = choice["delta"]
        self.finish = choice["finish_reason"]
        for name, kind in (("reasoning_content", "thinking"), ("content", "text")):
            if delta.get(name):
                if not self._blocks or self._blocks[-1]["type"] != kind:
                    self._blocks.append({"type": kind, kind: ""})
                self._blocks[-1][kind] += delta[name]
        for call in delta.get("tool_calls", ()):
            self._call(call)

    def _call(self, call: dict[str, Any]) -> None:
        if call["index"] == self._calls:
            assert call["id"]
            assert call["type"] == "function"
            assert call["function"]["name"]
            self._calls += 1
            self._blocks.append({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": ""})
        else:
            assert call.keys() == {"index", "function"}
            assert call["function"].keys() == {"arguments"}
            assert call["index"] == self._calls - 1
        self._blocks[-1]["input"] += call["function"]["arguments"]

    def blocks(self) -> list[dict[str, Any]]:
        return [one | {"input": _object(one["input"])} if one["type"] == "tool_use" else one for one in self._blocks]
