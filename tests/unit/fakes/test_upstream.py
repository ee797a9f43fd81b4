"""The scripted servers must do on the wire what their scripts say: every fault test relies on it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.request
from typing import Any

import aiohttp
import pytest

from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import AnthropicServer, ModelServer, count_tokens
from tests.fakes.stream_invariant import check_stream, same_message
from tests.fakes.upstream import (
    Close,
    Cut,
    Hang,
    Pause,
    Send,
    Status,
    Step,
    ThreadedUpstream,
    Upstream,
    WaitFor,
    json_answer,
)

CHAT: dict[str, Any] = {"model": "served", "messages": [{"role": "user", "content": "hi"}]}
STREAMED = CHAT | {"stream": True, "stream_options": {"include_usage": True}}


def always(*steps: Step) -> Upstream:
    return Upstream(lambda request: list(steps))


async def post(server: Upstream, path: str, body: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(server.url + path, json=body) as response:
        return response.status, json.loads(await response.read())


async def post_stream(server: Upstream, body: Any) -> list[Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{server.url}/v1/chat/completions", json=body) as got:
        raw = await got.read()
    assert raw.endswith(b"data: [DONE]\n\n")
    return [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: {")]


async def test_requests_are_recorded_and_the_connection_is_kept() -> None:
    async with always(*json_answer(200, {"ok": True})) as server, aiohttp.ClientSession() as session:
        for number in range(3):
            async with session.post(f"{server.url}/p?q=1", json={"n": number}, headers={"X-Key": "v"}) as response:
                assert await response.json() == {"ok": True}
        assert (server.connections_made, server.open_connections) == (1, 1)
        assert [request.json for request in server.requests] == [{"n": 0}, {"n": 1}, {"n": 2}]
        first = server.requests[0]
        assert (first.method, first.path, first.query, first.headers["x-key"]) == ("POST", "/p", "q=1", "v")
        assert first.done.is_set()
        assert first.closed_at is None


async def test_a_chunked_request_body_is_read() -> None:
    async def body() -> Any:
        yield b'{"a":'
        yield b"1}"

    async with always(*json_answer(200, {})) as server, aiohttp.ClientSession() as session:
        async with session.post(server.url, data=body()) as response:
            await response.read()
        assert server.requests[0].json == {"a": 1}


async def test_writes_arrive_one_by_one_and_the_body_ends() -> None:
    async with (
        always(Send(b"a"), Pause(0.02), Send(b"b")) as server,
        aiohttp.ClientSession() as session,
        session.get(server.url) as response,
    ):
        assert response.content_type == "text/event-stream"
        assert [data async for data in response.content.iter_any()] == [b"a", b"b"]


async def ask(server: Upstream) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    return reader, writer


async def test_a_cut_is_a_reset() -> None:
    async with always(Send(b"a"), Pause(0.02), Cut()) as server:
        reader, writer = await ask(server)
        await reader.readuntil(b"a\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_body_closed_in_its_middle_has_no_end_mark() -> None:
    async with always(Send(b"a"), Close(finish=False)) as server:
        reader, writer = await ask(server)
        assert (await reader.read()).endswith(b"\r\n\r\n1\r\na\r\n")
        writer.close()


async def test_close_ends_the_body_and_the_connection() -> None:
    async with always(Send(b"a"), Close()) as server, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(server.url) as response:
                assert await response.read() == b"a"
        assert server.connections_made == 2


@pytest.mark.parametrize("waiting", [Hang(), Pause(60), WaitFor(asyncio.Event()), WaitFor(threading.Event())])
async def test_a_hang_up_is_seen_at_once(waiting: Step) -> None:
    async with always(Status(), Send(b"a"), waiting) as server:
        reader, writer = await ask(server)
        await reader.readuntil(b"a\r\n")
        left_at = time.monotonic()
        writer.close()
        await asyncio.wait_for(server.requests[0].done.wait(), 1)
        closed_at = server.requests[0].closed_at
        assert closed_at is not None
        assert 0 <= closed_at - left_at < 0.1
        await writer.wait_closed()


async def test_a_script_can_wait_for_the_test() -> None:
    go = asyncio.Event()
    async with always(WaitFor(go), *json_answer(200, {})) as server:
        asked = asyncio.create_task(post(server, "/", {}))
        request = await server.wait_for_request()
        assert not request.done.is_set()
        go.set()
        assert await asked == (200, {})


async def test_a_script_that_fails_fails_the_test() -> None:
    with pytest.raises(KeyError, match="missing"):
        async with Upstream(lambda request: request.json["missing"]) as server:
            status, _ = await post(server, "/", {})
            assert status == 500


async def test_many_hanging_connections_are_counted_and_ended() -> None:
    async with always(Hang()) as server:
        writers = [(await asyncio.open_connection("127.0.0.1", server.port))[1] for _ in range(20)]
        for writer in writers:
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await server.wait_for_request(20)
        assert server.open_connections == 20
        for writer in writers[:5]:
            writer.close()
        await asyncio.gather(*(request.done.wait() for request in server.requests[:5]))
        assert server.open_connections == 15
    assert server.open_connections == 0
    for writer in writers[5:]:
        writer.close()


def test_a_server_in_a_thread() -> None:
    with ThreadedUpstream(ModelServer(models=["m"])) as server:
        with urllib.request.urlopen(f"{server.url}/v1/models") as response:
            assert json.load(response)["data"][0]["id"] == "m"
        assert server.requests[0].ended.wait(1)
    assert server.open_connections == 0


async def test_the_chat_stream_and_the_plain_answer_say_the_same() -> None:
    calls = (("Bash", {"command": "echo grüße"}, "c1"), ("Read", '{"file_path": "a"}', "c2"))
    answer = Answer(text="So be it.", thinking="Let me think about it", tool_calls=calls)
    async with ModelServer(lambda body: answer) as server:
        chunks = await post_stream(server, STREAMED)
        _, plain = await post(server, "/v1/chat/completions", CHAT)
    deltas = [choice["delta"] for one in chunks for choice in one["choices"]]
    message = plain["choices"][0]["message"]
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"] == answer.text
    assert "".join(delta.get("reasoning") or "" for delta in deltas) == message["reasoning"] == answer.thinking
    told = ["", ""]
    for part in (part for delta in deltas for part in delta.get("tool_calls", [])):
        told[part["index"]] += part["function"]["arguments"]
    assert told == [call["function"]["arguments"] for call in message["tool_calls"]]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], plain["usage"])
    assert chunks[-2]["choices"][0]["finish_reason"] == plain["choices"][0]["finish_reason"] == "tool_calls"


async def test_no_usage_chunk_unless_asked_for() -> None:
    async with ModelServer() as server:
        assert all("usage" not in one for one in await post_stream(server, CHAT | {"stream": True}))


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_tokenize_usage_and_overflow_count_alike(kind: Any) -> None:
    body = CHAT | {"tools": [{"type": "function", "function": {"name": "Bash", "description": "grüße" * 20}}]}
    count = count_tokens(body)
    async with ModelServer(kind=kind, window=count) as server:
        assert await tokenized(server, body) == count
        _, plain = await post(server, "/v1/chat/completions", body)
        assert plain["usage"]["prompt_tokens"] == count
        server.window = count - 1
        status, refused = await post(server, "/v1/chat/completions", body)
    assert status == 400
    wording = {"vllm": f"maximum context length is {count - 1} tokens", "llamacpp": f"request ({count} tokens) exceeds"}
    assert wording[kind] in refused["error"]["message"]


async def tokenized(server: ModelServer, body: Any) -> int:
    if server.kind == "vllm":
        return (await post(server, "/tokenize", body))[1]["count"]
    _, template = await post(server, "/apply-template", body)
    _, answer = await post(server, "/tokenize", {"content": template["prompt"]})
    return len(answer["tokens"])


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"model": "nope"}, 404, "The model `nope` does not exist"),
        ({"max_tokens": 9000}, 400, "max_tokens=9000 cannot be greater than max_model_len=8192"),
        ({"max_tokens": 8192}, 400, "too large: 8192"),
        ({"messages": [*CHAT["messages"], {"role": "system", "content": "x"}]}, 400, "must be at the beginning"),
    ],
)
async def test_what_the_backend_refuses(change: Any, status: int, words: str) -> None:
    async with ModelServer(window=8192, system_first=True) as server:
        got, refused = await post(server, "/v1/chat/completions", CHAT | change)
    assert (got, words in refused["error"]["message"]) == (status, True)


async def test_a_key_is_asked_for() -> None:
    async with ModelServer(key="right") as server:
        assert await post(server, "/v1/chat/completions", CHAT) == (401, {"error": "Unauthorized"})


async def test_the_prefix_cache_reports_what_two_prompts_share() -> None:
    longer = CHAT | {"messages": [*CHAT["messages"], {"role": "assistant", "content": "yes"}]}
    async with ModelServer(prefix_cache=True) as server:
        usages = [(await post(server, "/v1/chat/completions", body))[1]["usage"] for body in (CHAT, longer)]
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in usages]
    assert cached == [0, usages[0]["prompt_tokens"]]


async def test_the_native_server_keeps_the_stream_invariant() -> None:
    answer = Answer(text="hello", thinking="hm", tool_calls=(("Bash", {"command": "ls"}, "toolu_1"),))
    body = {"model": "native", "max_tokens": 9, "messages": CHAT["messages"]}
    async with AnthropicServer(lambda body: answer) as server, aiohttp.ClientSession() as session:
        async with session.post(f"{server.url}/v1/messages", json=body | {"stream": True}) as response:
            streamed = check_stream(await response.read(), asked_model="native", tools=["Bash"])
        _, plain = await post(server, "/v1/messages", body)
    assert same_message(streamed, plain)


def tool_turns(script: AgentScript, turns: int, body: Any) -> Any:
    """The request after `turns` further answers of the script."""
    for _ in range(turns):
        answer = script(body)
        calls = [{"id": call_id, "function": {"name": name}} for name, _, call_id in answer.tool_calls]
        said = {"role": "assistant", "content": answer.text} | ({"tool_calls": calls} if calls else {})
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in calls]
        body = body | {"messages": [*body["messages"], said, *results]}
    return body


WORK: Any = CHAT | {"tools": [{"type": "function"}]}
COMPACT = {"role": "user", "content": "CRITICAL: text only. Write <analysis> and <summary>."}


@pytest.mark.parametrize("call_id", ["", "call_1"])
def test_the_script_finds_its_step_in_the_history(call_id: str) -> None:
    two = (("Read", {}, call_id), ("Read", {}, call_id))
    steps = [Answer(tool_calls=two), Answer(text="half"), Answer(tool_calls=two[:1]), Answer(text="end")]
    script = AgentScript(steps if not call_id else [steps[0], steps[2], steps[3]])
    body = tool_turns(script, 2, WORK)
    script(body)
    assert script(body).text == script.steps[script.given[-1]].text
    assert script.given == [0, 1, 2, 2]
    assert set(script.calls) == {"step"}


def test_minted_ids_are_unique() -> None:
    script = AgentScript([Answer(tool_calls=(("Read", {}, ""), ("Read", {}, "")))])
    ids = [call_id for _ in range(3) for _, _, call_id in script(WORK).tool_calls]
    assert len(set(ids)) == 6


@pytest.mark.parametrize("call_id", ["", "call_1"])
def test_the_script_goes_on_after_a_compaction(call_id: str) -> None:
    script = AgentScript([*(Answer(tool_calls=(("Read", {}, call_id),)) for _ in range(4)), Answer(text="end")])
    body = tool_turns(script, 3, WORK)
    summary = script(body | {"messages": [*body["messages"], COMPACT]})
    assert "<summary>" in summary.text
    assert "<analysis>" in summary.text
    body = tool_turns(script, 1, WORK)
    assert script(body).text == "end"
    assert script.given == [0, 1, 2, 3, 4]
    assert script.calls.count("compaction") == 1


def test_side_calls_do_not_move_the_script() -> None:
    child = AgentScript([Answer(text="found")])
    script = AgentScript(
        [Answer(tool_calls=(("Agent", {"prompt": "look for X"}, ""),))], subagents={"look for X": child}
    )
    assert json.loads(script(CHAT).text)["title"]
    script(WORK)
    task = WORK | {"messages": [{"role": "user", "content": [{"type": "text", "text": "look for X please"}]}]}
    assert script(task).text == "found"
    assert script.calls == ["title", "step", "subagent"]
    assert child.calls == ["step"]
