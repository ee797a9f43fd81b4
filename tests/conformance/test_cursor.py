"""Cursor's requests, as others have told of them: it cannot be run here, so its samples are documentation only.

Whatever the shape of the request, the answer is chat completions, which the real SDK reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from landline.core.exchange import Outcome
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import gateway_to
from tests.fakes.model_server import ModelServer
from tests.fakes.openai_streams import check_chat

FOLDER = Path(__file__).parents[1] / "golden" / "cursor"
SAMPLES = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}
READ = ("read_file", {"target_file": "b.py"}, "call_9")

every_sample = pytest.mark.parametrize("name", SAMPLES)


@every_sample
def test_a_sample_says_that_it_was_never_seen_here(name: str) -> None:
    assert SAMPLES[name]["source"] == "documentation only"
    assert SAMPLES[name]["read_in"]


@every_sample
async def test_its_history_and_tools_arrive_and_the_answer_is_chat(name: str) -> None:
    request = SAMPLES[name]["request"]
    answer = Answer(thinking="I see.", text="One more.", tool_calls=(READ,))
    async with ModelServer(lambda body: answer) as server, gateway_to(server.url) as client:
        reply = await client.call("POST", "/v1/chat/completions", body=request)
        assert reply.status == 200, reply.body
        folded = check_chat(reply.body, asked_model="local-model")
        assert [block["type"] for block in folded.content] == ["thinking", "text", "tool_use"]
        assert folded.content[-1]["input"] == {"target_file": "b.py"}
        whole = await client.call("POST", "/v1/chat/completions", body=request | {"stream": False})
        [choice] = whole.json["choices"]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "One more.")
        assert whole.json["object"] == "chat.completion"
        check_asked(server.chats[0].json)
        record = client.exchanges[-1]
        assert (record.outcome, record.notes.dropped) == (Outcome.COMPLETED, [])


def check_asked(chat: Any) -> None:
    """What the backend was sent: the same conversation in the one form, whatever it was written in."""
    tool = chat["tools"][0]["function"]
    assert (tool["name"], tool["description"]) == ("read_file", "Reads a file.")
    assert tool["parameters"]["required"] == ["target_file"]
    messages = chat["messages"]
    assert messages[0] == {"role": "system", "content": "You are an agent in an editor."}
    called = next(message for message in messages if message.get("tool_calls"))["tool_calls"][0]
    assert called["function"]["name"] == "read_file"
    assert json.loads(called["function"]["arguments"]) == {"target_file": "a.py"}
    result = next(message for message in messages if message["role"] == "tool")
    assert (result["tool_call_id"], result["content"]) == (called["id"], "def parse(): ...")


@pytest.mark.parametrize("name", ["responses_on_chat", "flat_tools"])
async def test_a_custom_tool_takes_its_text(name: str) -> None:
    patch = '*** Begin Patch\n"ü"'
    answer = Answer(tool_calls=(("ApplyPatch", {"input": patch}, "call_9"),))
    request = SAMPLES[name]["request"] | {"stream": False}
    async with ModelServer(lambda body: answer) as server, gateway_to(server.url) as client:
        async with openai.AsyncOpenAI(base_url=f"{client.url}/v1", api_key="x") as sdk:
            told: Any = await sdk.post("/chat/completions", body=request, cast_to=openai.types.chat.ChatCompletion)
        [call] = told.choices[0].message.tool_calls
        assert (call.type, call.custom.name, call.custom.input) == ("custom", "ApplyPatch", patch)
        assert "begin_patch" in server.chats[0].json["tools"][1]["function"]["description"]


@pytest.mark.parametrize(("name", "choice"), [("flat_tools", "read_file"), ("blocks_of_messages", "required")])
async def test_its_choice_of_a_tool_is_kept(name: str, choice: str) -> None:
    async with ModelServer() as server, gateway_to(server.url) as client:
        await client.call("POST", "/v1/chat/completions", body=SAMPLES[name]["request"] | {"stream": False})
        asked = server.chats[0].json["tool_choice"]
        assert (asked if isinstance(asked, str) else asked["function"]["name"]) == choice


async def test_what_refers_to_an_earlier_response_is_refused() -> None:
    request = SAMPLES["responses_on_chat"]["request"] | {"previous_response_id": "resp_1"}
    async with ModelServer() as server, gateway_to(server.url) as client:
        reply = await client.call("POST", "/v1/chat/completions", body=request)
        assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_request")
        assert "keeps no responses" in reply.json["error"]["message"]
        assert server.chats == []
