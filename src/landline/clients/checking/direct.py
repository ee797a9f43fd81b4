"""Asks the backend itself, past the gateway: what it really says, before anything mends it.

Reads a stream of chat completions as it stands: no thinking is split off, no argument made whole.
"""

from __future__ import annotations

import time

import msgspec
from msgspec import Struct

from landline.clients.checking.asking import CONNECT_S, LARGEST_ANSWER
from landline.core.sse import FrameTooLarge, SSEDecoder
from landline.errors import LandlineError
from landline.protocols.openai_chat.wire import Chunk, ChunkUsage, Delta
from landline.upstream.backend import Backend
from landline.upstream.caching import CacheMetrics, CacheWatch, read_cache_metrics
from landline.upstream.client import UpstreamClient
from landline.upstream.failures import error_text

BROKEN_OFF = "The backend's answer broke off."
UNREADABLE = "The backend's answer is no stream of chat completions."


class RawCall(Struct, frozen=True):
    name: str
    arguments: str


class RawAnswer(Struct, frozen=True, kw_only=True):
    """`cached` is None where the backend did not say it. `problem` is what an error said. Times since the request."""

    text: str = ""
    thinking: str = ""
    calls: tuple[RawCall, ...] = ()
    finish: str = ""
    prompt: int = 0
    output: int = 0
    cached: int | None = None
    problem: str = ""
    first_s: float = 0.0
    total_s: float = 0.0


class _Fold:
    def __init__(self) -> None:
        self._decoder = SSEDecoder()
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, tuple[list[str], list[str]]] = {}  # by index: pieces of the name, of the arguments
        self._finish = ""
        self._usage: ChunkUsage | None = None
        self._size = 0
        self._ended = False
        self._began = time.monotonic()
        self._first_s = 0.0
        self.problem = ""

    def feed(self, piece: bytes) -> bool:
        self._size += len(piece)
        try:
            for frame in self._decoder.feed(piece):
                if frame.data.strip() == b"[DONE]":
                    self._ended = True
                else:
                    self._take(msgspec.json.decode(frame.data, type=Chunk))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FrameTooLarge):
            self.problem = UNREADABLE
        if self._size > LARGEST_ANSWER:
            self.problem = "The backend's answer does not end."
        return bool(self.problem)

    def _take(self, chunk: Chunk) -> None:
        if chunk.error is not None:
            self.problem = error_text(msgspec.json.encode({"error": chunk.error}))
        self._usage = chunk.usage or self._usage
        for choice in chunk.choices or []:
            self._finish = choice.finish_reason or self._finish
            if choice.delta is not None:
                self._add(choice.delta)

    def _add(self, delta: Delta) -> None:
        if delta.content or delta.reasoning or delta.reasoning_content or delta.tool_calls:
            self._first_s = self._first_s or time.monotonic() - self._began
        if isinstance(delta.content, str):
            self._text.append(delta.content)
        self._thinking.append(delta.reasoning or delta.reasoning_content or "")
        for call in delta.tool_calls or []:
            place = call.index if call.index is not None else max(len(self._calls) - (call.id is None), 0)
            name, arguments = self._calls.setdefault(place, ([], []))
            if call.function is not None:
                name.append(call.function.name or "")
                arguments.append(_text(call.function.arguments))

    def answer(self) -> RawAnswer:
        usage = self._usage or ChunkUsage()
        details = usage.prompt_tokens_details
        return RawAnswer(
            text="".join(self._text),
            thinking="".join(self._thinking),
            calls=tuple(RawCall("".join(name), "".join(given)) for name, given in self._calls.values()),
            finish=self._finish,
            prompt=usage.prompt_tokens or 0,
            output=usage.completion_tokens or 0,
            cached=details.cached_tokens if details else None,
            problem=self.problem or ("" if self._ended or self._finish else BROKEN_OFF),
            first_s=self._first_s,
            total_s=time.monotonic() - self._began,
        )


class DirectAsker:
    """One model of one backend that speaks chat completions."""

    def __init__(self, backend: Backend, *, model: str, silence_s: float) -> None:
        self._backend = backend
        self._model = model
        self._client = UpstreamClient(connect_timeout_s=CONNECT_S, idle_timeout_s=silence_s)
        self._watch = CacheWatch()

    def close(self) -> None:
        self._client.close()

    async def ask(
        self, prompt: str, *, room: int, system: str = "", tools: tuple[dict[str, object], ...] = ()
    ) -> RawAnswer:
        """`tools` in Anthropic's form, as the probes have them."""
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt})
        body: dict[str, object] = {"model": self._model, "messages": messages, "max_tokens": room, "stream": True}
        if self._backend.dialect(self._model).stream_options:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = [_chat_tool(tool) for tool in tools]
        fold = _Fold()
        try:
            async with await self._client.post(
                f"{self._backend.url}/v1/chat/completions", msgspec.json.encode(body), self._backend.headers
            ) as answer:
                if answer.status == 200:
                    await answer.pour(fold.feed)
                else:
                    said = self._backend.without_key(await answer.body())
                    fold.problem = error_text(said) or f"HTTP {answer.status}"
        except LandlineError as error:
            fold.problem = error.text
        return fold.answer()

    async def cache_metrics(self) -> CacheMetrics | None:
        """What vLLM's /metrics say of its prefix cache now; None where nothing does."""
        await read_cache_metrics(self._backend, self._client, self._watch)
        return self._watch.metrics


def _text(given: object) -> str:
    """Arguments as text; some servers send the object itself."""
    if given is None or isinstance(given, str):
        return given or ""
    return msgspec.json.encode(given).decode()


def _chat_tool(tool: dict[str, object]) -> dict[str, object]:
    function = {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
    return {"type": "function", "function": function}
