"""The prefix cache: how much of a repeated turn is read from it, and whether the backend says so."""

from __future__ import annotations

from typing import Any

from landline.clients.checking.asking import SYSTEM
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed, skipped
from landline.clients.checking.calls import NO_THINKING, READ, WEATHER, WRITE
from landline.clients.checking.causes import Cause, problem_fault
from landline.clients.checking.context import log_of
from landline.clients.checking.direct import DirectAsker, RawAnswer
from landline.upstream.caching import CacheMetrics
from landline.upstream.dialects import BackendKind

ROOM = 24
LINES = 60  # some 1,500 tokens: several of vLLM's largest blocks
SMALL_WINDOW = 4_096
LINES_IN_A_SMALL_WINDOW = 25
GOOD_HIT = 0.5  # of the second turn's prompt
TOOLS = [READ, WRITE, WEATHER]
QUESTION = "How many entries does this log have, roughly? One number."
NEXT = "And which word stands first in it? One word."
# Servers that can say how much they read from the cache; of the others, silence means nothing.
TELLING = frozenset((BackendKind.VLLM, BackendKind.SGLANG, BackendKind.LLAMACPP))


async def cache_turn(bench: Bench) -> Finding:
    """Two turns of one session through the gateway, the second with the first in front of it."""
    window = bench.server.window
    lines = LINES_IN_A_SMALL_WINDOW if 0 < window <= SMALL_WINDOW else LINES
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"{log_of(lines)}\n\n{QUESTION}"}]
    first = await bench.asker.ask_once(messages, room=ROOM, tools=TOOLS, thinking=NO_THINKING)
    if first.problem:
        return failed(problem_fault(first.problem))
    # Our own words as the answer: whatever the model said, the history is a plain one.
    messages += [{"role": "assistant", "content": f"About {lines}."}, {"role": "user", "content": NEXT}]
    second = await bench.asker.ask_once(messages, room=ROOM, tools=TOOLS, thinking=NO_THINKING)
    if second.problem:
        return failed(problem_fault(second.problem))
    hit = second.cached / second.prompt if second.prompt else 0.0
    if second.cached:
        bench.figures["cache.hit_rate"] = round(hit, 3)
    if hit >= GOOD_HIT:
        return passed(f"{100 * hit:.0f} % of the second turn's {second.prompt:,} tokens came from the cache")
    if second.cached:
        return fails(Cause.CACHE_OFF, f"only {100 * hit:.0f} % of a repeated turn came from the cache")
    return await _why_none(bench)


async def _why_none(bench: Bench) -> Finding:
    """The gateway's answer does not tell a cache that is off from one that is silent; the backend's own does."""
    kind = bench.server.kind
    if bench.direct is None:
        if kind in TELLING:
            return fails(Cause.CACHE_OFF, f"nothing came from the cache, or it is not reported ({bench.no_direct})")
        return skipped("this server does not tell what came from its cache")
    prompt = f"{log_of(LINES_IN_A_SMALL_WINDOW)}\n\n{QUESTION}"
    await bench.direct.ask(prompt, room=1, system=SYSTEM)
    before = await bench.direct.cache_metrics()
    again = await bench.direct.ask(prompt, room=1, system=SYSTEM)
    return judge(again, kind, before, await _metrics(bench.direct))


async def _metrics(direct: DirectAsker) -> CacheMetrics | None:
    return await direct.cache_metrics()


def judge(again: RawAnswer, kind: BackendKind, before: CacheMetrics | None, after: CacheMetrics | None) -> Finding:
    """What the backend said to the same prompt a second time, and vLLM's counters around it."""
    if again.problem:
        return failed(problem_fault(again.problem))
    if after is not None and not after.enabled:
        return fails(Cause.CACHE_OFF, "prefix caching is switched off, says the server's /metrics")
    if again.cached:
        return fails(Cause.CACHE_OFF, "the same prompt hits the cache, but the next turn of a session does not")
    if before is not None and after is not None and after.hits > before.hits:
        return fails(
            Cause.CACHE_NOT_REPORTED, "the cache works, says /metrics, but answers do not tell what came from it"
        )
    if again.cached is None and after is None:
        if kind not in TELLING:
            return skipped("this server does not tell what came from its cache")
        return fails(
            Cause.CACHE_NOT_REPORTED, "answers have no cached_tokens, so nobody can see whether the cache works"
        )
    return fails(Cause.CACHE_OFF, "of a prompt sent twice, nothing came from the cache the second time")


PROBES = (Probe("cache", "Prefix cache of a repeated turn", cache_turn),)
