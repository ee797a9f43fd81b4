"""Programs on the SDKs, as their users would write them, and what each saw: three in Python, three in TypeScript.

Each knows the same scenarios: `loop` (its tool runner, or a loop of its own where the SDK has none, streamed),
`non_stream` (the same without a stream), `stream` (one answer) and `hang` (leaves at the first words); those for chat
also `scored` (one answer with the log probability of each token). Those in TypeScript stand in `typescript/`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import openai

from tests.clients.npm_clients import ANTHROPIC_SDK, OPENAI_SDK, NpmClient, own_node

PROGRAMS = Path(__file__).parent / "typescript"
MODEL = "local-model"
TIMEOUT_S = 60.0
_TEXT = {"type": "string"}
SCHEMAS: Mapping[str, dict[str, Any]] = {
    "write": {"type": "object", "properties": {"path": _TEXT, "content": _TEXT}, "required": ["path", "content"]},
    "execute": {"type": "object", "properties": {"command": _TEXT}, "required": ["command"]},
}


@dataclass(frozen=True)
class Saw:
    """What a program told at its end. `error` is empty where nothing was raised; `tokens` are those with a score."""

    turns: int = 0
    text: str = ""
    stop: str = ""
    aborted: bool = False
    error: Mapping[str, Any] = field(default_factory=dict)
    tokens: Sequence[str] = ()


Program = Callable[[str, str, str], Any]
"""(scenario, url of the gateway, prompt) -> what it saw."""


@dataclass(frozen=True)
class TypeScript:
    package: NpmClient
    file: str

    async def __call__(self, scenario: str, url: str, prompt: str) -> Saw:
        told = {"SCENARIO": scenario, "GATEWAY": url, "PROMPT": prompt}
        folder = self.package.path().parents[2 + self.package.package.count("/")]
        process = await asyncio.create_subprocess_exec(
            *(own_node(), "--disable-warning=ExperimentalWarning", str(PROGRAMS / self.file)),
            env={"PATH": os.environ["PATH"], "SDK_FOLDER": str(folder), **told},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        return Saw(**json.loads(out))


async def use(name: str, given: Mapping[str, str]) -> str:
    """Runs one of the two tools."""
    if name == "write":
        await asyncio.to_thread(Path(given["path"]).write_text, given["content"])
        return "written"
    process = await asyncio.create_subprocess_shell(given["command"], stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


async def write(path: str, content: str) -> str:
    return await use("write", {"path": path, "content": content})


async def execute(command: str) -> str:
    return await use("execute", {"command": command})


def seen_error(error: Exception, seen: str = "") -> Saw:
    told = {name: getattr(error, name, None) for name in ("message", "code", "type")}
    told["status"] = getattr(error, "status_code", None)
    return Saw(error={"kind": type(error).__name__, "seen": seen, **told})


class Words:
    """What came of one streamed answer until it ended, or was left."""

    def __init__(self) -> None:
        self.seen = ""

    async def of(self, pieces: AsyncIterator[str], *, hang: bool) -> Saw:
        """`hang` leaves at the first words."""
        async with contextlib.aclosing(pieces) as stream:  # type: ignore[type-var]
            async for piece in stream:
                self.seen += piece
                if hang and piece:
                    return Saw(aborted=True)
        return Saw(text=self.seen)


async def anthropic_python(scenario: str, url: str, prompt: str) -> Saw:
    asked: Any = {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": prompt}]}
    words = Words()
    async with anthropic.AsyncAnthropic(base_url=url, api_key="dummy", max_retries=1) as client:
        if scenario in ("loop", "non_stream"):
            return await _anthropic_loop(client, asked, stream=scenario == "loop")
        try:
            return await words.of(_anthropic_words(client, asked), hang=scenario == "hang")
        except anthropic.APIError as error:
            return seen_error(error, words.seen)


async def _anthropic_words(client: anthropic.AsyncAnthropic, asked: Any) -> AsyncIterator[str]:
    async with client.messages.stream(**asked) as stream:
        async for text in stream.text_stream:
            yield text


async def _anthropic_loop(client: anthropic.AsyncAnthropic, asked: Any, *, stream: bool) -> Saw:
    tools = [
        anthropic.beta_async_tool(run, name=name, description=name, input_schema=SCHEMAS[name])
        for name, run in (("write", write), ("execute", execute))
    ]
    runner = client.beta.messages.tool_runner(**asked, tools=tools, stream=stream)
    turns, last = 0, None
    async for turn in runner:
        turns += 1
        last = await turn.get_final_message() if stream else turn  # type: ignore[union-attr]
    assert last is not None
    return Saw(turns, last.content[-1].text, last.stop_reason)


async def openai_python_chat(scenario: str, url: str, prompt: str) -> Saw:
    messages: list[Any] = [{"role": "user", "content": prompt}]
    words = Words()
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="dummy", max_retries=1) as client:
        if scenario in ("loop", "non_stream"):
            return await _chat_loop(client, messages, stream=scenario == "loop")
        if scenario == "scored":
            return await _chat_scored(client, messages)
        try:
            return await words.of(_chat_words(client, messages), hang=scenario == "hang")
        except openai.APIError as error:
            return seen_error(error, words.seen)


async def _chat_words(client: openai.AsyncOpenAI, messages: list[Any]) -> AsyncIterator[str]:
    async with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        async for event in stream:
            if event.type == "content.delta":
                yield event.delta


async def _chat_scored(client: openai.AsyncOpenAI, messages: list[Any]) -> Saw:
    async with client.chat.completions.stream(model=MODEL, messages=messages, logprobs=True) as stream:
        [choice] = (await stream.get_final_completion()).choices
    assert choice.logprobs is not None
    tokens = [one.token for one in choice.logprobs.content or ()]
    return Saw(1, choice.message.content or "", choice.finish_reason, tokens=tokens)


async def _chat_loop(client: openai.AsyncOpenAI, messages: list[Any], *, stream: bool) -> Saw:
    functions = [
        {"name": name, "strict": True, "parameters": schema | {"additionalProperties": False}}
        for name, schema in SCHEMAS.items()
    ]
    asked: Any = {"model": MODEL, "tools": [{"type": "function", "function": one} for one in functions]}
    for turns in range(1, 10):
        if stream:
            async with client.chat.completions.stream(**asked, messages=messages) as events:
                completion: Any = await events.get_final_completion()
        else:
            completion = await client.chat.completions.create(**asked, messages=messages)
        [choice] = completion.choices
        if not choice.message.tool_calls:
            return Saw(turns, choice.message.content, choice.finish_reason)
        messages.append(choice.message.model_dump(exclude_none=True, exclude={"parsed"}))
        for call in choice.message.tool_calls:
            output = await use(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": output})
    raise AssertionError("the loop has no end")


class Failed(Exception):
    """The helper of Responses tells a failure as an event."""

    def __init__(self, told: Any) -> None:
        super().__init__(told.message)
        self.message, self.code = told.message, told.code


async def openai_python_responses(scenario: str, url: str, prompt: str) -> Saw:
    messages: list[Any] = [{"role": "user", "content": prompt}]
    asked: Any = {"model": MODEL, "store": False}
    words = Words()
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="dummy", max_retries=1) as client:
        if scenario in ("loop", "non_stream"):
            return await _responses_loop(client, asked, messages, stream=scenario == "loop")
        try:
            return await words.of(_responses_words(client, {**asked, "input": messages}), hang=scenario == "hang")
        except (openai.APIError, Failed) as error:
            return seen_error(error, words.seen)


async def _responses_words(client: openai.AsyncOpenAI, asked: Any) -> AsyncIterator[str]:
    async with client.responses.stream(**asked) as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                yield event.delta
            if event.type == "response.failed":
                raise Failed(event.response.error)


async def _responses_loop(client: openai.AsyncOpenAI, asked: Any, given: Sequence[Any], *, stream: bool) -> Saw:
    functions = [
        {"type": "function", "name": name, "parameters": schema, "strict": False} for name, schema in SCHEMAS.items()
    ]
    asked = {**asked, "tools": functions, "include": ["reasoning.encrypted_content"]}
    items = list(given)
    for turns in range(1, 10):
        if stream:
            async with client.responses.stream(**asked, input=items) as events:
                response: Any = await events.get_final_response()
        else:
            response = await client.responses.create(**asked, input=items)
        called = [item for item in response.output if item.type == "function_call"]
        if not called:
            return Saw(turns, response.output_text, response.status)
        items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
        for call in called:
            output = await use(call.name, json.loads(call.arguments))
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
    raise AssertionError("the loop has no end")


SDKS: Mapping[str, Program] = {
    "anthropic_python": anthropic_python,
    "openai_python_chat": openai_python_chat,
    "openai_python_responses": openai_python_responses,
    "anthropic_typescript": TypeScript(ANTHROPIC_SDK, "anthropic.mts"),
    "openai_typescript_chat": TypeScript(OPENAI_SDK, "openai_chat.mts"),
    "openai_typescript_responses": TypeScript(OPENAI_SDK, "openai_responses.mts"),
}
