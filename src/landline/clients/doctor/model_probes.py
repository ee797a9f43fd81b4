"""What only an answer of the model shows: a request as the client makes it, markup, the cache, streams held back.

Uses the probes of `landline check`. Costs a few hundred tokens of output; --quick leaves it out.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from landline.clients.checking import caches, facts, past_gateway
from landline.clients.checking.asking import Asker, refusal_text
from landline.clients.checking.bench import Bench
from landline.clients.checking.bench import Finding as ProbeFinding
from landline.clients.checking.context import log_of
from landline.clients.checking.direct import DirectAsker
from landline.clients.claude_code import LARGEST_OUTPUT, OUTPUT_VARIABLE
from landline.clients.doctor.asking_servers import client_headers, without_secrets
from landline.clients.doctor.catalogue import MODEL_CHECKS
from landline.clients.doctor.credentials import ANY_TOKEN
from landline.clients.doctor.state import Asked, ModelServer, Prefill, Probed, State, Streamed, is_url
from landline.errors import LandlineError
from landline.upstream.backend import Backend
from landline.upstream.client import UpstreamAnswer, UpstreamClient
from landline.upstream.probe import probe

COUNTING = "Count from one to forty in English words, separated by commas. Nothing else."
COUNTING_ROOM = 96
HELLO = "Answer with the one word: ready"
PREFILL_LINES, PREFILL_LINES_IN_A_SMALL_WINDOW = 300, 20  # some 7,000 tokens, more than windows that cut; 500
CHARACTERS_PER_TOKEN = 4.8  # of such a log, for a tokenizer that needs few
SMALL_WINDOW = 12_000
MOST_READ = 65_536  # bytes in which the first words must come
ANY_FORMAT = zlib.MAX_WBITS | 32  # gzip or zlib, by its first bytes
WORDS, ERROR = (b"content_block_delta", b"message_stop"), b"event: error"
NO_SERVER = "the model server is not known here: name it with --backend URL"
NO_ANSWER = "the client's request is not answered"

T = TypeVar("T")


@dataclass
class _Run:
    """`untried` by check; each step is bounded by `timeout_s`."""

    timeout_s: float
    begin: Callable[[str], None]
    untried: dict[str, str] = field(default_factory=dict[str, str])

    async def step(self, title: str, checks: tuple[str, ...], work: Awaitable[T]) -> T | None:
        self.begin(title)
        try:
            async with asyncio.timeout(self.timeout_s):
                return await work
        except TimeoutError:
            reason = f"no answer within {self.timeout_s:.0f} s"
        except LandlineError as error:
            reason = error.text
        self.untried |= dict.fromkeys(checks, reason)
        return None


async def probe_model(
    state: State, *, key: str, timeout_s: float, begin: Callable[[str], None]
) -> tuple[Probed, Asked | None]:
    """What the probes saw, and how a whole request of the client's was answered (None: not tried)."""
    run = _Run(timeout_s, begin)
    if not state.target.answers:
        run.untried |= dict.fromkeys(MODEL_CHECKS, "nothing answers for the model")
        return Probed(untried=run.untried), None
    with closing(UpstreamClient(connect_timeout_s=5, idle_timeout_s=timeout_s)) as client:
        asked = await run.step("a request as the client's", (), ask_whole(state, client))
    if asked is None or asked.status != 200:
        answer = asked or Asked(problem=f"no answer within {timeout_s:.0f} s", counted_only=False)
        run.untried |= dict.fromkeys(("prompts_cut", "template_tools", "streaming"), NO_ANSWER)
        return await _direct_only(state, run, key), answer
    return await _probed(state, run, key), asked


async def ask_whole(state: State, client: UpstreamClient) -> Asked:
    """The client's own request, with its credentials, its model and its room for output; ended at its first words."""
    set_to = state.settings.text("ANTHROPIC_BASE_URL")
    url = set_to.rstrip("/") if is_url(set_to) else state.target.url
    messages = [{"role": "user", "content": HELLO}]
    body = {"model": state.model, "max_tokens": asked_output(state), "messages": messages, "stream": True}
    headers = client_headers(state.settings) | {"accept-encoding": "gzip"}  # so does the client
    try:
        async with await client.post(f"{url}/v1/messages?beta=true", msgspec.json.encode(body), headers) as answer:
            packed = answer.headers.get("content-encoding", "identity")
            if answer.status == 200 and packed != "identity":
                return Asked(200, counted_only=False, compressed=packed[:20])
            if answer.status == 200:
                return _begun(await _first_words(answer))
            said = refusal_text(answer.status, _unpacked(await answer.body()))
            return Asked(answer.status, without_secrets(said, state.settings), counted_only=False)
    except LandlineError as error:
        return Asked(problem=error.message, counted_only=False)


def _unpacked(body: bytes) -> bytes:
    """Of an error, which is small; one that is not packed stays as it is."""
    try:
        return zlib.decompressobj(ANY_FORMAT).decompress(body, MOST_READ)
    except zlib.error:
        return body


async def _first_words(answer: UpstreamAnswer) -> bytes:
    """The stream up to its first words or its end."""
    seen = bytearray()

    def take(piece: bytes) -> bool:
        seen.extend(piece)
        return not piece or len(seen) > MOST_READ or any(mark in seen for mark in (*WORDS, ERROR))

    await answer.pour(take)
    return bytes(seen)


def _begun(seen: bytes) -> Asked:
    if any(mark in seen for mark in WORDS):
        return Asked(200, counted_only=False)
    problem = "the stream holds an error" if ERROR in seen else "the answer is no stream of Anthropic Messages"
    return Asked(502, problem, counted_only=False)


def asked_output(state: State) -> int:
    """max_tokens of the client's requests."""
    told = state.settings.text(OUTPUT_VARIABLE)
    return int(told) if told.isdecimal() and len(told) < 8 and int(told) else LARGEST_OUTPUT


async def _direct_only(state: State, run: _Run, key: str) -> Probed:
    """The way through the gateway is shut; what the backend itself does is still worth knowing."""
    backend = await _backend(state, key)
    if backend is None or state.server is None or state.server.facts is None:
        run.untried |= dict.fromkeys(("tool_parser", "reasoning_parser"), NO_SERVER)
        return Probed(untried=run.untried)
    with closing(_asker(state, run.timeout_s)) as asker, closing(_direct(backend, state.server, run)) as direct:
        bench = Bench(asker, state.server.facts, direct)
        call = await run.step("a tool call", ("tool_parser", "reasoning_parser"), past_gateway.direct_call(bench))
    return Probed(call=call, untried=run.untried)


async def _probed(state: State, run: _Run, key: str) -> Probed:
    backend = await _backend(state, key)
    with closing(_asker(state, run.timeout_s)) as asker:
        streamed = await run.step("a stream", ("streaming",), _streamed(asker))
        prefill = await run.step("a long prompt", ("prefill_time", "prompts_cut"), _prefill(asker, state.window))
        if backend is None or state.server is None or state.server.facts is None:
            run.untried |= dict.fromkeys(("template_tools", "tool_parser", "reasoning_parser"), NO_SERVER)
            return Probed(streamed=streamed, prefill=prefill, untried=run.untried)
        with closing(_direct(backend, state.server, run)) as direct:
            bench = Bench(asker, state.server.facts, direct)
            template = await run.step("tools in the prompt", ("template_tools",), facts.template_tools(bench))
            call = await run.step("a tool call", ("tool_parser", "reasoning_parser"), past_gateway.direct_call(bench))
            cache: ProbeFinding | None = await run.step("a repeated turn", ("prefix_cache",), caches.cache_turn(bench))
            beyond = await run.step("a stream of the backend's", (), _streamed_direct(direct))
    return Probed(
        call=call,
        cache=cache,
        template=template,
        streamed=streamed,
        streamed_direct=beyond,
        prefill=prefill,
        untried=run.untried,
    )


async def _backend(state: State, key: str) -> Backend | None:
    """The model server, ready to be asked for chat completions; None where that is not possible."""
    if state.server is None or state.server.facts is None or not state.server.served:
        return None
    backend = Backend(state.server.url, key=key)
    with closing(UpstreamClient(connect_timeout_s=5, idle_timeout_s=5)) as client:
        await probe(backend, client)
    return backend if backend.reachable else None


def _asker(state: State, silence_s: float) -> Asker:
    token = state.settings.text("ANTHROPIC_AUTH_TOKEN") or state.settings.text("ANTHROPIC_API_KEY")
    return Asker(
        state.target.url, token=token or state.gateway_key or ANY_TOKEN, model=state.model, silence_s=silence_s
    )


def _direct(backend: Backend, server: ModelServer, run: _Run) -> DirectAsker:
    return DirectAsker(backend, model=server.model, silence_s=run.timeout_s)


async def _streamed(asker: Asker) -> Streamed:
    answer = await asker.ask_once(COUNTING, room=COUNTING_ROOM)
    return Streamed(answer.output, answer.first_s, answer.total_s, answer.problem)


async def _streamed_direct(direct: DirectAsker) -> Streamed:
    answer = await direct.ask(COUNTING, room=COUNTING_ROOM)
    return Streamed(answer.output, answer.first_s, answer.total_s, answer.problem)


async def _prefill(asker: Asker, window: int) -> Prefill:
    """A prompt that no cache knows: its first line tells the time."""
    lines = PREFILL_LINES_IN_A_SMALL_WINDOW if 0 < window <= SMALL_WINDOW else PREFILL_LINES
    prompt = f"Log of {time.time_ns()}\n{log_of(lines)}\n\nAnswer with one word."
    answer = await asker.ask_once(prompt, room=1)
    sent = round(len(prompt) / CHARACTERS_PER_TOKEN)
    return Prefill(answer.prompt, answer.first_s or answer.total_s, sent, answer.problem)
