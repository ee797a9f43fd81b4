"""A real vLLM that was started without a tool parser and without a reasoning parser: the loop closes all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from landline.clients.checking.calls import SINGLE
from landline.clients.checking.opening import own_bench
from landline.clients.checking.running import chosen, run
from landline.config.settings import Backend, Settings
from landline.protocols.openai_chat.dialect import Tooling
from landline.transforms.tool_calls import RECOVERED
from landline.upstream.failures import Mend
from landline.upstream.mends import CHANGES
from tests.fakes.gateway_client import GatewayClient, until
from tests.fakes.stream_invariant import check_stream
from tests.vllm.installed import WINDOW, model_folder, vllm_python
from tests.vllm.server import SERVED, Vllm, running
from tests.vllm.test_line import BASH, CALL, ask
from tests.vllm.test_prefix import gateway_to

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    model = model_folder(tmp_path_factory.mktemp("model"))
    with running(vllm_python(), model, tmp_path_factory.mktemp("bare"), parsers=()) as server:
        yield server


async def test_calls_and_thinking_are_read_out_of_the_text(bare: Vllm) -> None:
    bare.say(("", f"<think>\nhm\n</think>\n\nI look.\n{CALL}"))
    async with gateway_to(bare) as gateway:
        client = GatewayClient(gateway)
        streamed = await client.messages(ask(stream=True, tools=[BASH]))
        folded = check_stream(streamed.body, asked_model=SERVED, tools={"Bash"})
        whole = (await client.messages(ask(tools=[BASH]))).json
        recent = gateway.line.journal.recent
        await until(lambda: len(recent) == 2)  # an answer is settled behind its last byte
        first, second = recent
        assert gateway.line.backend.dialect(SERVED).tools is Tooling.UNREAD
    for content in (folded.content, whole["content"]):
        assert [block["type"] for block in content] == ["thinking", "text", "tool_use"]
        assert content[0]["thinking"].strip() == "hm"
        assert content[2]["input"] == {"command": "ls"}
    assert whole["stop_reason"] == folded.stop_reason == "tool_use"
    assert CHANGES[Mend.UNREAD_CALLS].note in first.notes.repairs
    assert (first.backend_requests, second.backend_requests) == (2, 1)  # learnt
    assert RECOVERED in first.notes.repairs


async def test_the_model_is_shown_its_tools(bare: Vllm) -> None:
    """Told `none`, vLLM still renders the tools, and the calls and results of the history."""
    bare.say((r'"name": "Bash".*<tool_call>.*"command": "ls".*<tool_response>\s*a\.txt', "seen"), ("", "not seen"))
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}
    history = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.txt"}]},
    ]
    async with gateway_to(bare) as gateway:
        reply = await GatewayClient(gateway).messages(ask(messages=history, tools=[BASH]))
    assert "seen" in json.dumps(reply.json["content"])
    assert "not seen" not in json.dumps(reply.json["content"])


async def test_a_check_names_the_parser_and_is_true_of_the_rest(bare: Vllm) -> None:
    call = '{"name": "get_weather", "arguments": {"city": "Bergen"}}'
    bare.say((SINGLE.split("?")[0], f"<tool_call>\n{call}\n</tool_call>"), ("", "I do not know."))
    async with own_bench(Settings(backend=Backend(url=bare.url))) as bench:
        results = {result.id: result async for result in run(bench, chosen(quick=True), timeout_s=120)}
    assert results["single_call"].passed, "landline reads the call out of the text"
    assert not results["direct_call"].passed
    assert "--enable-auto-tool-choice --tool-call-parser" in results["direct_call"].mend
    assert "reasoning_config" not in results["thinking_on"].detail, "the budget is left out, as vLLM asks"
    assert results["cache"].passed, "a turn that is repeated is read from vLLM's cache"
    assert str(WINDOW) in results["window"].detail.replace(",", "")
