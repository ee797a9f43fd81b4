"""Laws 5 and 6 for clients of OpenAI's protocols: turns extend the prompt, and whatever comes in has one answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.core.exchange import Notes
from landline.core.model import Conversation
from landline.errors import LandlineError
from landline.protocols.openai_chat.dialect import Dialect
from landline.protocols.openai_chat.request import encode_request
from landline.protocols.openai_chat_in.request import decode_request as decode_chat
from landline.protocols.openai_responses.request import decode_request as decode_responses
from landline.transforms.prefix_report import prompt_head
from landline.transforms.sequence import outbound
from landline.upstream.backend import DIALECTS, BackendKind
from tests.property.examples import INTEGERS, TEXT, Dice
from tests.property.requests import STRICT_DIALECTS

VLLM = DIALECTS[BackendKind.VLLM]
SCHEMA = {"type": "object", "properties": {"of": {"type": "string"}}}
Decoder = Callable[[bytes, Notes], Conversation]


def _responses(body: bytes, notes: Notes) -> Conversation:
    return decode_responses(body, notes).conversation


def _chat(body: bytes, notes: Notes) -> Conversation:
    return decode_chat(body, notes).conversation


DECODERS: dict[str, Decoder] = {"responses": _responses, "chat": _chat}


def sent(body: bytes, decode: Decoder, dialect: Dialect = VLLM) -> bytes:
    notes = Notes()
    conversation = outbound(decode(body, notes), dialect, notes).conversation
    return encode_request(conversation, dialect=dialect, notes=notes)


# ------------------------------------------------------------------------------------------------ law 5


@st.composite
def sessions(draw: st.DrawFn) -> list[dict[str, list[dict[str, Any]]]]:
    """The turns of one agent: each the items, and the messages, that it adds to the ones before."""
    dice = Dice(draw)
    asked = [{"role": "user", "content": dice.text() + "."}]
    turns: list[dict[str, list[dict[str, Any]]]] = [{"responses": asked, "chat": asked}]
    for at in range(1 + dice(4)):
        thought, said = dice.text(), dice.text()
        calls = [(f"c{at}_{number}", json.dumps({"at": at, "n": number})) for number in range(1 + dice(3))]
        result = dice.text()
        items: list[dict[str, Any]] = [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": thought}]}]
        items += [{"role": "assistant", "content": [{"type": "output_text", "text": said}]}]
        items += [
            {"type": "function_call", "call_id": c, "name": "go", "arguments": a, "namespace": "ns"} for c, a in calls
        ]
        items += [{"type": "function_call_output", "call_id": c, "output": result} for c, _ in calls]
        made = [{"id": c, "function": {"name": "ns__go", "arguments": a}} for c, a in calls]
        messages: list[dict[str, Any]] = [
            {"role": "assistant", "content": said, "reasoning_content": thought, "tool_calls": made}
        ]
        messages += [{"role": "tool", "tool_call_id": c, "content": result} for c, _ in calls]
        more = [_more(dice)] if dice(2) else []
        turns.append({"responses": items + more, "chat": messages + more})
    return turns


def _more(dice: Dice) -> dict[str, Any]:
    return {"role": dice.one(("user", "developer")), "content": dice.text() + "."}


FUNCTION = {"name": "go", "parameters": SCHEMA}
TOOLS = {
    "responses": [{"type": "namespace", "name": "ns", "tools": [{"type": "function", **FUNCTION}]}],
    "chat": [{"type": "function", "function": FUNCTION | {"name": "ns__go"}}],
}


def bodies(session: list[dict[str, list[dict[str, Any]]]], protocol: str) -> list[bytes]:
    field = {"responses": "input", "chat": "messages"}[protocol]
    rules = {"role": "system", "content": "rules"}
    turns = [[rules, *(item for turn in session[: at + 1] for item in turn[protocol])] for at in range(len(session))]
    return [json.dumps({"model": "m", "tools": TOOLS[protocol], field: items}).encode() for items in turns]


@given(sessions())
def test_law_5_each_turn_extends_the_prompt_and_both_protocols_say_the_same(
    session: list[dict[str, list[dict[str, Any]]]],
) -> None:
    prompts = {name: [sent(body, decode) for body in bodies(session, name)] for name, decode in DECODERS.items()}
    for turns in prompts.values():
        for before, now in pairwise(turns):
            assert now.startswith(prompt_head(before) + b",")
    assert [prompt_head(one) for one in prompts["chat"]] == [prompt_head(one) for one in prompts["responses"]]


# ------------------------------------------------------------------------------------------------ law 6

PLACES = (
    *("model", "input", "messages", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream"),
    *("max_output_tokens", "max_tokens", "stop", "temperature", "reasoning", "reasoning_effort", "text", "include"),
    *("previous_response_id", "conversation", "prompt", "background", "metadata", "response_format", "n", "functions"),
)
ITEMS = ("message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output")
PARTS = ("text", "input_text", "output_text", "refusal", "input_image", "image_url", "input_file", "file", "new")
FIELDS = ("type", "role", "content", "call_id", "name", "namespace", "arguments", "input", "output", "summary", "text")
FIELDS += ("encrypted_content", "image_url", "file", "file_data", "tool_calls", "function", "custom", "tool_call_id")
ODD = ("", "\ud83d", 10**400, [], {}, [None], [[]], "é", "user", "assistant", "tool", "data:,x", "landline:")


def anything(dice: Dice) -> Any:
    match dice(6):
        case 0:
            return dice.one(ODD)
        case 1:
            return dice.one((*ITEMS, *PARTS, "function", "custom", "namespace"))
        case 2:
            return [fields(dice) for _ in range(dice(3))]
        case _:
            return dice.json()


def fields(dice: Dice) -> dict[str, Any]:
    return {dice.one(FIELDS): anything(dice) for _ in range(dice(6))}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A request that might be one, with odd things in it."""
    dice = Dice(draw)
    items = [
        fields(dice)
        | {"type": dice.one(ITEMS), "role": dice.one(("user", "assistant", "tool", "developer"))}
        | {"content": [fields(dice) | {"type": dice.one(PARTS)} for _ in range(dice(3))] if dice(2) else dice.text()}
        for _ in range(dice(5))
    ]
    tools = [fields(dice) | {"type": dice.one(("function", "custom", "namespace"))} for _ in range(dice(2))]
    body: dict[str, Any] = {"model": "m", "input": items, "messages": items} | ({"tools": tools} if dice(2) else {})
    for _ in range(dice(3)):
        body[dice.one(PLACES)] = anything(dice)
    return body


def check(body: bytes, protocol: str) -> None:
    for dialect in (VLLM, *STRICT_DIALECTS):
        try:
            json.loads(sent(body, DECODERS[protocol], dialect))
        except LandlineError as error:
            assert error.wire.status in (400, 413)
            assert error.text


@pytest.mark.parametrize("protocol", DECODERS)
@given(request=requests())
def test_law_6_any_request_is_sent_or_refused(protocol: str, request: dict[str, Any]) -> None:
    check(json.dumps(request).encode(), protocol)


@pytest.mark.parametrize("protocol", DECODERS)
@given(body=st.binary(max_size=40) | st.builds(lambda value: json.dumps(value).encode(), TEXT | INTEGERS | st.none()))
def test_law_6_any_bytes_are_refused(protocol: str, body: bytes) -> None:
    with pytest.raises(LandlineError):
        DECODERS[protocol](body, Notes())
