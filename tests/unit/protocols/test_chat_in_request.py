"""A client's chat request as a conversation, and whether it may leave as it came."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from landline.core.exchange import Notes
from landline.core.model import Image, Message, Role, Text, Thinking, ToolChoice, ToolResult, ToolUse
from landline.errors import ErrorKind, LandlineError
from landline.policy.forwarding import Forwarding, goes_verbatim
from landline.protocols.openai_chat.dialect import STANDARD, Dialect
from landline.protocols.openai_chat.request import encode_request
from landline.protocols.openai_chat_in.request import ChatRequest, decode_request, note_unknown
from landline.protocols.openai_responses.request import decode_request as decode_responses

OBJECT = {"type": "object", "properties": {"command": {"type": "string"}}}
BASH = {"type": "function", "function": {"name": "Bash", "description": "Runs", "parameters": OBJECT}}
HELLO = {"role": "user", "content": "hi"}
NO_THINKER = msgspec.structs.replace(STANDARD, thinks=False)


def decode(notes: Notes | None = None, **fields: Any) -> ChatRequest:
    body = {"model": "m", "messages": [HELLO]} | fields
    return decode_request(json.dumps(body).encode(), Notes() if notes is None else notes)


def test_a_tool_loop() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "Bash", "arguments": '{"command":"ls"}'}},
        {"id": "c2", "type": "custom", "custom": {"name": "patch", "input": "*** x"}},
    ]
    said = decode(
        messages=[
            {"role": "developer", "content": "rules"},
            HELLO,
            {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c1", "content": "a b"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "ok"}]},
            {"role": "user", "content": [{"type": "text", "text": "go on"}]},
        ],
        tools=[BASH, {"type": "custom", "custom": {"name": "patch"}}],
    ).conversation
    assert said.messages == (
        Message(Role.SYSTEM, (Text("rules"),)),
        Message(Role.USER, (Text("hi"),)),
        Message(
            Role.ASSISTANT,
            (Thinking("hm"), ToolUse("c1", "Bash", '{"command":"ls"}'), ToolUse("c2", "patch", '{"input":"*** x"}')),
        ),
        Message(Role.USER, (ToolResult("c1", (Text("a b"),)), ToolResult("c2", (Text("ok"),)))),
        Message(Role.USER, (Text("go on"),)),
    )
    assert [tool.name for tool in said.tools] == ["Bash", "patch"]
    assert json.loads(bytes(said.tools[0].schema)) == OBJECT


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"tool_choice": "required"}, ToolChoice("any")),
        ({"parallel_tool_calls": False}, ToolChoice("auto", parallel=False)),
        ({"tool_choice": {"type": "function", "function": {"name": "Bash"}}}, ToolChoice("tool", "Bash")),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}}, ToolChoice("auto")),
    ],
)
def test_tool_choice(fields: dict[str, Any], choice: ToolChoice | None) -> None:
    assert decode(tools=[BASH], **fields).conversation.tool_choice == choice


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
        ({"max_tokens": 5}, "max_tokens", 5),
        ({"max_completion_tokens": 5, "max_tokens": 9}, "max_tokens", 5),
        ({"stop": "END"}, "stop_sequences", ("END",)),
        ({"stop": ["a", ""]}, "stop_sequences", ("a",)),
        ({"reasoning_effort": "low"}, "effort", "low"),
        ({"reasoning": {"effort": "high"}}, "effort", "high"),
        ({"enable_thinking": False}, "thinking", "off"),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "thinking", "on"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": True}}}, "answer_schema", b"true"),
        ({"response_format": {"type": "json_object"}}, "answer_schema", b'{"type":"object"}'),
        ({"response_format": {"type": "text"}}, "answer_schema", None),
        ({"stream": True}, "stream", True),
    ],
)
def test_parameters(fields: dict[str, Any], field: str, value: Any) -> None:
    found = getattr(decode(**fields).conversation, field)
    assert (bytes(found) if isinstance(found, msgspec.Raw) else found) == value


def test_pictures() -> None:
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    asked = decode(messages=[{"role": "user", "content": content}])
    assert asked.conversation.messages[0].blocks == (Image(url="data:image/png;base64,AAAA"),)
    assert asked.conversation.media


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"messages": []}, "messages: at least one message is required."),
        ({"messages": [{"role": "user", "content": ""}]}, "messages: at least one message must have content."),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role: must be user"),
        ({"messages": [{"content": "x"}]}, "missing required field `role`"),
        ({"seed": 2**60}, "seed: is out of range."),
        ({"max_tokens": 0}, "max_tokens: must be at least 1."),
        ({"functions": [{"name": "f"}]}, "Send `tools`."),
        ({"tools": [{"type": "function"}]}, "tools.0.function.name: field required."),
        ({"model": "m" * 513}, "model: must not be longer"),
    ],
)
def test_refusals_say_where_and_what_to_do(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(LandlineError) as raised:
        decode(**fields)
    assert raised.value.kind is ErrorKind.INVALID_REQUEST
    assert words in raised.value.text


def test_what_has_no_place_is_told_where_it_is_lost() -> None:
    notes = Notes()
    asked = decode(notes, seed=1, grammar=None, user="u", logprobs=True, echo=False)
    assert asked.unknown == ("echo", "logprobs")
    note_unknown(asked, notes)
    assert notes.dropped == ["echo", "logprobs"]
    with pytest.raises(LandlineError, match="one answer at a time"):
        note_unknown(decode(n=2), notes)


def known(**fields: Any) -> Forwarding:
    return Forwarding(**{"size": 100, "window": 8192, "changed": False} | fields)


SYSTEM = {"role": "system", "content": "rules"}
SAID = {"role": "assistant", "content": "ho"}


@pytest.mark.parametrize("messages", [[HELLO], [SYSTEM, HELLO], [SYSTEM, HELLO, SAID, HELLO]])
def test_what_needs_nothing_of_ours_goes_verbatim(messages: list[Any]) -> None:
    assert goes_verbatim(decode(messages=messages), NO_THINKER, known())


@pytest.mark.parametrize("dialect", [STANDARD, msgspec.structs.replace(STANDARD, thinks=True)])
def test_a_model_that_may_think_is_read_unless_something_would_be_lost(dialect: Dialect) -> None:
    assert not goes_verbatim(decode(), dialect, known())
    assert goes_verbatim(decode(logprobs=True), dialect, known())
    assert goes_verbatim(decode(n=2), dialect, known())


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [BASH]},
        {"tools": [{"type": "web_search"}]},
        {"reasoning_effort": "low"},
        {"enable_thinking": False},
        {"max_tokens": 8190},
        {"messages": [HELLO, SYSTEM]},
        {"messages": [SYSTEM, SYSTEM, HELLO]},
        {"messages": [SYSTEM]},
        {"messages": [HELLO, HELLO]},
        {"messages": [HELLO, SAID]},
        {"messages": [HELLO, {"role": "tool", "tool_call_id": "c", "content": "x"}]},
        {"messages": [HELLO, SAID | {"reasoning_content": "hm"}, HELLO]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}]}]},
    ],
)
def test_what_may_need_something_does_not(fields: dict[str, Any]) -> None:
    assert not goes_verbatim(decode(**{"logprobs": True} | fields), NO_THINKER, known())


def test_nor_does_what_no_backend_should_be_told_by_a_client() -> None:
    """Of vLLM, for one, this names a machine to fetch a cache from."""
    assert not goes_verbatim(decode(logprobs=True, kv_transfer_params={"remote_host": "x"}), NO_THINKER, known())


def test_numbers_for_sampling_that_only_these_clients_send() -> None:
    told = {"seed": 7, "presence_penalty": 0.5, "frequency_penalty": -0.5, "repetition_penalty": 1.1, "min_p": 0.1}
    told |= {"logit_bias": {"50256": -100}}
    asked = decode(tools=[BASH], **told)
    assert asked.unknown == ()
    sent = json.loads(encode_request(asked.conversation, dialect=STANDARD, notes=Notes()))
    assert {name: sent[name] for name in told} == told
    plain = json.loads(encode_request(decode().conversation, dialect=STANDARD, notes=Notes()))
    assert not told.keys() & plain.keys()


def test_nor_does_it_where_landline_changes_every_request() -> None:
    assert not goes_verbatim(decode(), NO_THINKER, known(changed=True))


@pytest.mark.parametrize("decode", [decode_request, decode_responses], ids=["chat", "responses"])
def test_tools_in_bytes_that_are_no_text_are_the_clients_fault(decode: Any) -> None:
    asked = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"input":"hi","tools":[{"name":"a\xff"}]}'
    with pytest.raises(LandlineError, match="tools: not valid JSON") as told:
        decode(asked, Notes())
    assert told.value.kind is ErrorKind.INVALID_REQUEST
