"""What is known of one server's prefix cache: whether it hits, whether it says so, and what to change if not.

Three sources: what a request shares with an earlier one (our own estimate), the cached tokens that answers report, and
vLLM's /metrics, which `read_cache_metrics` reads now and then. A single miss says nothing (a restart, an eviction);
verdicts need several turns in a row.
"""

from __future__ import annotations

import re

from msgspec import Struct

from landline.core.model import Usage
from landline.errors import LandlineError
from landline.upstream.backend import Backend, BackendKind
from landline.upstream.client import UpstreamClient

TURNS = 3  # in a row, until a miss is a finding
DEFAULT_BLOCK_TOKENS = 16  # vLLM's on a GPU
LEAST_SHARED_TOKENS = 64  # less says nothing where blocks are small
METRICS_TIMEOUT_S = 5.0
SMALLEST_HYBRID_BLOCK = 512  # seen: 528 to 2096, as large as the state that a block stands for; others have 16 to 128

NOT_REPORTED = (
    "the backend does not report tokens read from its prefix cache: start vLLM with --enable-prompt-tokens-details; "
    "until then landline only estimates them"
)
SWITCHED_OFF = (
    "prefix caching is switched off in the backend, so every turn computes the whole prompt: start vLLM with "
    "--enable-prefix-caching"
)


class Verdict(Struct, frozen=True):
    """One answer's cache use in a word or two, and an alert where a finding is new."""

    word: str
    alert: str = ""


class CacheMetrics(Struct, frozen=True, kw_only=True):
    """Of all engines of one vLLM. `queries` and `hits` are tokens since its start."""

    queries: float = 0
    hits: float = 0
    block_tokens: int = 0
    enabled: bool = True
    hybrid: bool = False  # has layers with a running state (Mamba, GDN)


class CacheWatch:
    """The state of that knowledge for one server."""

    def __init__(self) -> None:
        self.metrics: CacheMetrics | None = None
        self.findings: tuple[str, ...] = ()
        self._missed = 0
        self._silent = 0

    @property
    def block_tokens(self) -> int:
        return (self.metrics.block_tokens if self.metrics else 0) or DEFAULT_BLOCK_TOKENS

    def judge(self, kind: BackendKind, usage: Usage, *, shared_tokens: int, slots: int = 0) -> Verdict:
        """What an answer says, for a request that shares about so many tokens with the turn before."""
        block = self.block_tokens if kind is BackendKind.VLLM else 1
        if usage.cached:
            self._missed = self._silent = 0
            self.findings = ()
            return Verdict("hit")
        if shared_tokens < block:
            return Verdict(f"shorter than a block of {block} tokens")
        if usage.cached_told:
            self._silent = 0
            word = "miss"
        else:
            word = f"not reported, about {shared_tokens // block * block} by own estimate"
        if shared_tokens > max(2 * block, LEAST_SHARED_TOKENS):
            self._missed += usage.cached_told
            self._silent += not usage.cached_told
        finding = self._finding(kind, shared_tokens, slots)
        if not finding or finding in self.findings:
            return Verdict(word)
        self.findings = (*self.findings, finding)
        return Verdict(word, finding)

    def _finding(self, kind: BackendKind, shared_tokens: int, slots: int) -> str:
        metrics = self.metrics if kind is BackendKind.VLLM else None
        turns = max(self._missed, self._silent)
        if metrics is not None and not metrics.enabled:
            return SWITCHED_OFF
        if turns < TURNS:
            return ""
        if self._missed >= TURNS or (metrics is not None and metrics.queries > 0 and metrics.hits == 0):
            return cannot_hit(kind, metrics, slots)
        return NOT_REPORTED if kind is BackendKind.VLLM else ""


def cache_in_words(kind: BackendKind, metrics: CacheMetrics | None, slots: int) -> str:
    """What is known of a server's prefix cache before the first request."""
    match kind:
        case BackendKind.VLLM if metrics is not None and not metrics.enabled:
            return SWITCHED_OFF
        case BackendKind.VLLM if metrics is not None and metrics.queries > 0:
            return f"on; {100 * metrics.hits / metrics.queries:.0f} % of the prompt tokens since its start came from it"
        case BackendKind.VLLM if metrics is not None:
            return "on, nothing asked yet"
        case BackendKind.LLAMACPP if slots:
            return (
                "one slot, which keeps its last prompt" if slots == 1 else f"{slots} slots, each keeps its last prompt"
            )
        case _:
            return "not told by the server; its hits are counted as answers come"


def cannot_hit(kind: BackendKind, metrics: CacheMetrics | None, slots: int) -> str:
    """The alert for a cache that never hits though it should."""
    said = f"the backend read none of the prompt from its prefix cache, {TURNS} turns in a row: "
    match kind:
        case BackendKind.LLAMACPP if slots == 1:
            return (
                said
                + "its one slot is taken by titles and subagents in between; start it with -np 3 and "
                + ("--cache-reuse 256 (a model with sliding-window attention: --swa-full too)")
            )
        case BackendKind.LLAMACPP:
            return said + "start it with --cache-reuse 256; a model with sliding-window attention needs --swa-full"
        case BackendKind.VLLM if metrics is not None and metrics.hybrid:
            return said + (
                "hybrid models keep one checkpoint per request; start vLLM with --enable-prefix-caching and "
                f"--mamba-cache-mode align (blocks have {metrics.block_tokens} tokens)"
            )
        case BackendKind.VLLM:
            return said + (
                "start vLLM with --enable-prefix-caching (a hybrid model: --mamba-cache-mode align too); if it is on, "
                "its KV cache is too small for the sessions at once"
            )
        case _:
            return said + "switch its prefix caching on, or give it more memory for it"


# ------------------------------------------------------------------------------------------------ /metrics

_SAMPLE = re.compile(rb"^vllm:prefix_cache_(queries|hits)(?:_total)?(?:\{[^}\n]*\})? ([0-9.eE+]+)", re.MULTILINE)
_CONFIG = re.compile(rb"^vllm:cache_config_info\{([^\n]*)\} ", re.MULTILINE)
_LABEL = re.compile(rb'(\w+)="([^"]*)"')


async def read_cache_metrics(backend: Backend, client: UpstreamClient, watch: CacheWatch) -> None:
    """Tells `watch` what vLLM's /metrics says. Never fails."""
    if backend.kind is not BackendKind.VLLM:
        return
    try:
        status, body = await client.get(f"{backend.url}/metrics", backend.headers, timeout_s=METRICS_TIMEOUT_S)
    except LandlineError:
        return
    if status == 200:
        watch.metrics = cache_metrics(body)


def cache_metrics(page: bytes) -> CacheMetrics | None:
    """The cache's numbers on a /metrics page; None where it has none that can be read."""
    samples = _SAMPLE.findall(page)
    try:
        sums = {name: sum(float(value) for told, value in samples if told == name) for name in (b"queries", b"hits")}
    except ValueError:
        return None
    if not samples:
        return None
    config = _CONFIG.search(page)
    labels = dict(_LABEL.findall(config[1])) if config else {}
    block = labels.get(b"block_size", b"")[:9]
    return CacheMetrics(
        queries=sums[b"queries"],
        hits=sums[b"hits"],
        block_tokens=int(block) if block.isdigit() else 0,
        enabled=labels.get(b"enable_prefix_caching", b"").lower() != b"false",
        hybrid=block.isdigit() and int(block) >= SMALLEST_HYBRID_BLOCK,
    )
