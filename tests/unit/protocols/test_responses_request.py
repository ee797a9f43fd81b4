"""A Responses request as a conversation: items, tools, what is left out, and what is refused in which words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from landline.core.exchange import Notes
from landline.core.model import (
    Document,
    Image,
    Message,
    Opaque,
    Role,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from landline.errors import ErrorKind, LandlineError
from landline.protocols.openai_client.tools import Told
from landline.protocols.openai_responses.reasoning import OWN_WORDS, SUMMARY, seal
from landline.protocols.openai_responses.request import NO_SEARCHER, ResponsesRequest, decode_request, tool_shelf

OBJECT = {"type": "object", "properties": {"cmd": {"type": "string"}}}
EXEC = {"type": "function", "name": "exec_command", "description": "Runs", "strict": False, "parameters": OBJECT}
# As Codex 0.169.0 sends them.
AGENTS = {
    "type": "namespace",
    "name": "multi_agent_v1",
    "description": "Agents",
    "tools": [{"type": "function", "name": "spawn_agent", "strict": False, "parameters": OBJECT}],
}


def decode(notes: Notes | None = None, **fields: Any) -> ResponsesRequest:
    body = {"model": "m", "input": "hi"} | fields
    return decode_request(json.dumps(body).encode(), Notes() if notes is None else notes)


def messages(*items: dict[str, Any], notes: Notes | None = None, **fields: Any) -> tuple[Message, ...]:
    return decode(notes, input=list(items), **fields).conversation.messages


def refused(**fields: Any) -> str:
    with pytest.raises(LandlineError) as raised:
        decode(**fields)
    assert raised.value.kind is ErrorKind.INVALID_REQUEST
    return raised.value.text


def test_text_and_instructions() -> None:
    asked = decode(instructions="be brief").conversation
    assert asked.messages == (Message(Role.SYSTEM, (Text("be brief"),)), Message(Role.USER, (Text("hi"),)))
    assert (asked.stream, asked.max_tokens, asked.tools) == (False, None, ())


def test_a_turn_of_codex_and_its_history() -> None:
    """Items of one turn of the model are one message, results in a row are one, and developers speak as the system."""
    said = messages(
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "do it"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": None},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I do."}]},
        {"type": "function_call", "name": "exec_command", "arguments": '{"cmd":"ls"}', "call_id": "c1"},
        {
            "type": "function_call",
            "name": "spawn_agent",
            "namespace": "multi_agent_v1",
            "arguments": "",
            "call_id": "c",
        },
        {"type": "function_call_output", "call_id": "c1", "output": "a b"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "ok"}]},
        {"type": "custom_tool_call", "name": "apply_patch", "input": "*** x", "call_id": "c3"},
        {"type": "custom_tool_call_output", "call_id": "c3", "output": "done"},
        tools=[EXEC, AGENTS, {"type": "custom", "name": "apply_patch"}],
    )
    assert said == (
        Message(Role.SYSTEM, (Text("rules"),)),
        Message(Role.USER, (Text("do it"),)),
        Message(
            Role.ASSISTANT,
            (
                Thinking("hm"),
                Text("I do."),
                ToolUse("c1", "exec_command", '{"cmd":"ls"}'),
                ToolUse("c", "multi_agent_v1__spawn_agent", "{}"),
            ),
        ),
        Message(Role.USER, (ToolResult("c1", (Text("a b"),)), ToolResult("c", (Text("ok"),)))),
        Message(Role.ASSISTANT, (ToolUse("c3", "apply_patch", '{"input":"*** x"}'),)),
        Message(Role.USER, (ToolResult("c3", (Text("done"),)),)),
    )


@pytest.mark.parametrize(
    ("item", "thought"),
    [
        ({"encrypted_content": seal("mine")}, "mine"),
        ({"encrypted_content": seal("mine"), "summary": [{"type": "summary_text", "text": "short"}]}, "mine"),
        ({"encrypted_content": "gAAAA of a vendor", "summary": [{"type": "summary_text", "text": "short"}]}, "short"),
        ({"content": [{"type": "reasoning_text", "text": "raw"}], "summary": []}, "raw"),
    ],
)
def test_thinking_comes_back(item: dict[str, Any], thought: str) -> None:
    said = messages({"type": "reasoning", **item}, {"role": "user", "content": "go on"})
    assert said[0] == Message(Role.ASSISTANT, (Thinking(thought),))


def test_thinking_that_only_its_vendor_can_read_is_nothing() -> None:
    said = messages({"type": "reasoning", "encrypted_content": "gAAAA"}, {"role": "user", "content": "go on"})
    assert said == (Message(Role.USER, (Text("go on"),)),)


def test_tools_are_flattened_and_hosted_ones_left_out() -> None:
    notes = Notes()
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
    patch = {"type": "custom", "name": "apply_patch", "description": "Patches", "format": grammar}
    asked = decode(notes, tools=[EXEC, AGENTS, patch, {"type": "web_search"}, {"type": "function", "name": "bare"}])
    names = [tool.name for tool in asked.conversation.tools]
    assert names == ["exec_command", "multi_agent_v1__spawn_agent", "apply_patch", "bare"]
    schemas = [json.loads(bytes(tool.schema)) for tool in asked.conversation.tools]
    assert schemas[:2] == [OBJECT, OBJECT]
    assert schemas[2]["required"] == ["input"]
    assert schemas[3] == {"type": "object", "properties": {}}
    assert json.loads(bytes(asked.conversation.tools[2].description)).endswith("start: /x/")
    assert asked.toolset.told == {
        "multi_agent_v1__spawn_agent": Told("spawn_agent", "multi_agent_v1"),
        "apply_patch": Told("apply_patch", custom=True),
    }
    assert notes.dropped == [NO_SEARCHER]


def test_a_flattened_name_that_is_taken() -> None:
    asked = decode(tools=[EXEC | {"name": "multi_agent_v1__spawn_agent"}, AGENTS])
    assert [tool.name for tool in asked.conversation.tools] == [
        "multi_agent_v1__spawn_agent",
        "multi_agent_v1__spawn_agent_2",
    ]
    assert asked.toolset.name("spawn_agent", "multi_agent_v1") == "multi_agent_v1__spawn_agent_2"


def test_the_same_list_of_tools_is_read_once() -> None:
    shelf = tool_shelf()
    body = json.dumps({"model": "m", "input": "hi", "tools": [EXEC]}).encode()
    first, second = (decode_request(body, Notes(), shelf=shelf) for _ in range(2))
    assert first.conversation.tools is second.conversation.tools


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto", "parallel_tool_calls": True}, ToolChoice("auto")),
        ({"parallel_tool_calls": False}, ToolChoice("auto", parallel=False)),
        ({"tool_choice": "required"}, ToolChoice("any")),
        ({"tool_choice": "none"}, ToolChoice("none")),
        ({"tool_choice": {"type": "function", "name": "exec_command"}}, ToolChoice("tool", "exec_command")),
        ({"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}}, ToolChoice("any")),
        ({"tool_choice": {"type": "web_search"}}, ToolChoice("auto")),
    ],
)
def test_tool_choice(fields: dict[str, Any], choice: ToolChoice | None) -> None:
    assert decode(tools=[EXEC], **fields).conversation.tool_choice == choice


def test_parameters() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    asked = decode(
        stream=True,
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "a", "schema": schema}},
        include=["reasoning.encrypted_content"],
        prompt_cache_key="thread",
        metadata={"a": "b"},
    )
    said = asked.conversation
    assert (said.stream, said.max_tokens, said.effort) == (True, 9, "low")
    assert (said.sampling.temperature, said.sampling.top_p) == (0.5, 0.9)
    assert said.answer_schema is not None
    assert json.loads(bytes(said.answer_schema)) == schema
    assert (asked.thinking, asked.sealed, asked.session) == (SUMMARY, True, "thread")
    assert (asked.echo["metadata"], asked.echo["reasoning"]) == ({"a": "b"}, {"effort": "low", "summary": "auto"})
    assert decode().thinking is OWN_WORDS
    assert not decode().sealed


def test_what_has_no_place_is_told() -> None:
    notes = Notes()
    decode(notes, top_logprobs=3, store=True, user="u", truncation="auto")
    assert notes.dropped == ["top_logprobs"]
    notes = Notes()
    said = messages(
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"role": "user", "content": [{"type": "input_audio"}, {"type": "input_text", "text": "hi"}]},
        notes=notes,
    )
    assert said == (Message(Role.USER, (Opaque("input_audio"), Text("hi"))),)
    assert notes.dropped == ["item web_search_call", "part input_audio"]


def test_pictures_and_files() -> None:
    pdf = base64.b64encode(b"%PDF-1.7").decode()
    content = [
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"},
        {"type": "input_file", "filename": "a.md", "file_data": f"data:text/plain;base64,{pdf}"},
    ]
    said = messages({"role": "user", "content": content})
    assert said[0].blocks == (
        Image(url="data:image/png;base64,AAAA"),
        Document("application/pdf", "a.pdf", data=pdf),
        Document("text/plain", "a.md", "%PDF-1.7"),
    )


@pytest.mark.parametrize(
    ("arguments", "read", "repair"),
    [
        ('{"a": 1}', '{"a": 1}', None),
        ("", "{}", None),
        (None, "{}", None),
        ({"a": 1}, '{"a":1}', None),
        ("{'a': True}", '{"a":true}', "arguments in the history that are no JSON read as what was meant"),
        ('{"value": ', '{"input":"{\\"value\\": "}', "arguments in the history that are no object wrapped into one"),
        ("[1]", '{"input":[1]}', "arguments in the history that are no object wrapped into one"),
    ],
)
def test_broken_arguments_do_not_poison_the_session(arguments: Any, read: str, repair: str | None) -> None:
    notes = Notes()
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": arguments}
    [said, _] = messages(call, {"role": "user", "content": "go on"}, notes=notes)
    assert said.blocks == (ToolUse("c", "f", read),)
    assert notes.repairs == ([repair] if repair else [])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"previous_response_id": "resp_1"}, "Send the whole conversation as `input`"),
        ({"background": True}, "background: landline keeps no responses"),
        ({"conversation": "conv_1"}, "conversation: landline keeps none"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt: landline keeps none"),
        ({"input": [{"type": "item_reference", "id": "rs_1"}]}, "input.0: landline keeps no items"),
        ({"input": []}, "input: must not be empty."),
        ({"input": ""}, "input: must not be empty."),
        ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role: must be user"),
        ({"input": [{"type": "function_call_output", "output": {"a": 1}}]}, "input.0.output: must be a string"),
        ({"input": 1}, "input: Expected `str | array | null`, got `int`."),
        ({"model": None}, "model: Expected `str`"),
        ({"model": "m" * 513}, "model: must not be longer"),
        ({"max_output_tokens": 0}, "max_output_tokens: must be at least 1."),
        ({"max_output_tokens": 2**60}, "max_output_tokens: is out of range."),
        ({"tools": [{"type": "function", "name": 1}]}, "tools.0.name: Expected `str`, got `int`."),
        ({"tools": [{"type": "function"}]}, "tools.0.name: field required."),
        ({"tools": [EXEC | {"description": 1}]}, "tools.0.description: must be a string."),
        ({"tool_choice": "sometimes"}, "tool_choice: must be auto"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input.0.content.0:"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "f"}]}]}, "input.0.content.0:"),
    ],
)
def test_refusals_say_where_and_what_to_do(fields: dict[str, Any], words: str) -> None:
    assert words in refused(**fields)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"m"', b"\xff"])
def test_no_json(body: bytes) -> None:
    with pytest.raises(LandlineError) as raised:
        decode_request(body, Notes())
    assert raised.value.kind is ErrorKind.INVALID_REQUEST


def test_half_a_surrogate_pair_is_no_reason_to_refuse() -> None:
    notes = Notes()
    asked = decode_request(b'{"model":"m","input":"a\\ud83d"}', notes)
    assert asked.conversation.messages[0].blocks == (Text("a\N{REPLACEMENT CHARACTER}"),)
    assert notes.repairs == ["half of a surrogate pair read as U+FFFD"]
