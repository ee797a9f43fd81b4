"""What clients of the Responses API send and need, and what chat servers behind it do not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from landline.config.settings import Search
from landline.protocols.openai_responses.stream import ResponseHead, ResponsesEncoder
from tests.failure_modes.streamed import PROMPT_TOKENS
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import GatewayClient, Reply, gateway_to
from tests.fakes.model_server import ModelServer
from tests.fakes.openai_streams import check_responses, response_events
from tests.fakes.streams import CASES
from tests.golden.translate import ASKED_MODEL, decoded

OBJECT = {"type": "object", "properties": {"cmd": {"type": "string"}}}
# As Codex 0.169.0 sends them.
CODEX = {"user-agent": "codex_exec/0.169.0 (Debian 12.0.0; x86_64)"}
EXEC = {"type": "function", "name": "exec_command", "description": "Runs", "strict": False, "parameters": OBJECT}
SPAWN = EXEC | {"name": "spawn_agent"}
AGENTS = {"type": "namespace", "name": "multi_agent_v1", "description": "Agents", "tools": [SPAWN]}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Patches"}
HOSTED = [{"type": "web_search"}, {"type": "local_shell"}, {"type": "image_generation"}]


async def ask(client: GatewayClient, *items: dict[str, Any], **fields: Any) -> Reply:
    told = {"model": "m", "input": list(items) or "hello", "store": False, "stream": True} | fields
    return await client.call("POST", "/v1/responses", body=told, headers=CODEX)


@pytest.mark.row("1.17")
async def test_row_1_17_codex_works_on_a_server_that_knows_chat_only() -> None:
    """It speaks nothing but Responses (tests/clients/test_codex.py has the real one)."""
    async with ModelServer(lambda body: Answer(text="hi")) as server, gateway_to(server.url) as client:
        reply = await ask(client, tools=[EXEC])
        assert check_responses(reply.body, asked_model="m").content == [{"type": "text", "text": "hi"}]
        posts = [request.path for request in server.requests if request.method == "POST"]
        assert set(posts) - {"/tokenize"} == {"/v1/chat/completions"}


@pytest.mark.row("2.43")
async def test_row_2_43_a_search_is_run_where_there_is_a_service_for_it(tmp_path: Path) -> None:
    """Between the client's own calls, and the next turn's prompt begins with what the model read of it."""
    page = {"url": "https://docs.example.org/a", "title": "A", "text": "The word is xyzzy."}
    (tmp_path / "pages.json").write_text(json.dumps([page]))
    search = Search(command=("sh", "-c", 'cat "$0"', str(tmp_path / "pages.json"), "{query}"))
    look, run = ("web_search", {"query": "word"}, "c1"), ("exec_command", {"cmd": "ls"}, "c2")
    answers = [Answer(tool_calls=(look,)), Answer(tool_calls=(run,)), Answer(text="done")]
    hello = {"role": "user", "content": "hello"}
    sealed = {"include": ["reasoning.encrypted_content"], "tools": [EXEC, *HOSTED]}
    async with ModelServer(lambda body: answers.pop(0)) as server, gateway_to(server.url, search=search) as client:
        reply = await ask(client, hello, **sealed)
        output = response_events(reply.body)[-1]["response"]["output"]
        assert [item["type"] for item in output] == ["web_search_call", "reasoning", "function_call"]
        result = {"type": "function_call_output", "call_id": output[-1]["call_id"], "output": "r"}
        await ask(client, hello, *output, result, **sealed)
        _, before, after = (request.json["messages"] for request in server.chats)
        assert "xyzzy" in before[-1]["content"]
        assert after[: len(before)] == before


@pytest.mark.row("2.43")
async def test_row_2_43_tools_that_are_no_functions() -> None:
    calls = (("multi_agent_v1__spawn_agent", {"cmd": "x"}, "c1"), ("apply_patch", {"input": "*** x"}, "c2"))
    async with ModelServer(lambda body: Answer(tool_calls=calls)) as server, gateway_to(server.url) as client:
        reply = await ask(client, tools=[EXEC, AGENTS, PATCH, *HOSTED])
        sent = server.chats[0].json["tools"]
        assert {tool["type"] for tool in sent} == {"function"}
        names = [tool["function"]["name"] for tool in sent]
        assert names == ["exec_command", "multi_agent_v1__spawn_agent", "apply_patch"]
        assert all(tool["function"]["parameters"]["type"] == "object" for tool in sent)
        spawn, patch = response_events(reply.body)[-1]["response"]["output"]
        assert (spawn["namespace"], spawn["name"], spawn["arguments"]) == (
            "multi_agent_v1",
            "spawn_agent",
            '{"cmd": "x"}',
        )
        assert (patch["type"], patch["name"], patch["input"]) == ("custom_tool_call", "apply_patch", "*** x")
        assert len(client.exchanges[-1].notes.dropped) == len(HOSTED)


@pytest.mark.row("2.44")
async def test_row_2_44_outputs_of_calls_that_are_lists() -> None:
    output = [
        {"type": "input_text", "text": "a picture:"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
    ]
    items = [
        {"role": "user", "content": "look"},
        {"type": "function_call", "name": "exec_command", "arguments": "{}", "call_id": "c1"},
        {"type": "function_call_output", "call_id": "c1", "output": output},
    ]
    async with ModelServer() as server, gateway_to(server.url) as client:
        await ask(client, *items, tools=[EXEC])
        [_, _, result, behind] = server.chats[0].json["messages"]
        assert result["role"] == "tool"
        assert result["content"].startswith("a picture:\n")
        assert behind["content"][0]["image_url"]["url"] == "data:image/png;base64,AAAA"


@pytest.mark.row("2.46")
async def test_row_2_46_thinking_comes_back_in_what_the_client_cannot_read() -> None:
    answers = [Answer(thinking="I look first.", text="Looking."), Answer(text="done")]
    async with ModelServer(lambda body: answers.pop(0)) as server, gateway_to(server.url) as client:
        asked = {"include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto"}}
        hello = {"role": "user", "content": "hello"}
        reply = await ask(client, hello, **asked)
        thought, said = response_events(reply.body)[-1]["response"]["output"]
        assert "I look" not in thought["encrypted_content"]
        kept = {"type": "reasoning", "summary": [], "encrypted_content": thought["encrypted_content"]}
        await ask(client, hello, kept, said, {"role": "user", "content": "go on"}, **asked)
        assert server.chats[1].json["messages"][1]["reasoning"] == "I look first."
        foreign = kept | {"encrypted_content": "gAAAAABo"}
        answers.append(Answer(text="done"))
        await ask(client, hello, foreign, said, {"role": "user", "content": "go on"}, **asked)
        assert "reasoning" not in server.chats[2].json["messages"][1]


@pytest.mark.row("3.44")
@pytest.mark.parametrize("name", ["text_then_call", "reasoning_then_call", "two_parallel_tools"])
def test_row_3_44_each_item_has_an_index_of_its_own(name: str) -> None:
    encoder = ResponsesEncoder(ResponseHead("resp_1", ASKED_MODEL, 1))
    raw = b"".join(encoder.encode(events) for events in decoded(CASES[name].upstream))
    events = response_events(raw)
    indices = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert indices == list(range(len(indices)))
    assert len(indices) > 1
    assert check_responses(raw, asked_model=ASKED_MODEL).usage["input_tokens"] <= PROMPT_TOKENS


@pytest.mark.row("5.20")
async def test_row_5_20_codex_is_told_of_an_overflow_in_words_it_knows() -> None:
    """It shows the text of a 400 as it is, and does nothing more (tests/clients/test_codex.py has the real one)."""
    async with ModelServer(window=2_000) as server, gateway_to(server.url) as client:
        reply = await ask(client, {"role": "user", "content": "word " * 4_000})
        assert reply.status == 200
        failed = response_events(reply.body)[-1]
        assert failed["type"] == "response.failed"
        assert failed["response"]["error"]["code"] == "context_length_exceeded"
        assert not server.chats


@pytest.mark.row("2.36")
@pytest.mark.parametrize("arguments", ['{"value": ', "", "[1]", "{'cmd': 'ls'}"])
async def test_row_2_36_broken_arguments_in_the_history_of_openai_clients(arguments: str) -> None:
    call = {"name": "exec_command", "arguments": arguments}
    items = [{"role": "user", "content": "x"}, {"type": "function_call", "call_id": "c1", **call}]
    items.append({"type": "function_call_output", "call_id": "c1", "output": "r"})
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
    ]
    async with ModelServer() as server, gateway_to(server.url) as client:
        await ask(client, *items)
        await client.call("POST", "/v1/chat/completions", body={"model": "m", "messages": messages})
        for request in server.chats:
            [replayed] = request.json["messages"][1]["tool_calls"]
            assert isinstance(json.loads(replayed["function"]["arguments"]), dict)
