"""What a gateway process does now, for `landline watch`: running calls, the last finished ones, and totals.

Read from the exchanges when somebody asks, so that requests do no work for it. Like the log it holds no bodies and no
keys; names that clients and backends chose are in it as they came, and whoever shows them must make them harmless.
"""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import msgspec

from landline import __version__
from landline.config.settings import Sampling
from landline.core.exchange import Exchange, Outcome
from landline.server.calls import Call
from landline.server.journal import summary
from landline.server.line import Line
from landline.server.model_facts import model_facts
from landline.upstream.backend import Backend

FINISHED_SHOWN = 32
SESSION_SHOWN = 8  # characters: enough to tell sessions apart
ALERTS_KEPT = 64  # different texts


class Phase(StrEnum):
    RECEIVED = "received"  # being read, or the prompt is counted
    QUEUED = "queued"  # sent; the backend has not answered
    PREFILL = "prefill"  # the backend has accepted it, and no token has come
    DECODE = "decode"
    WHOLE = "answering"  # of an answer that leaves whole, nobody knows how far it is


def phase(exchange: Exchange) -> Phase:
    """Where a running call is. Some backends send their headers only with the first token: then it seems queued."""
    if exchange.ttft_s is not None:
        return Phase.DECODE
    if exchange.headers_s is not None:
        return Phase.PREFILL if exchange.stream else Phase.WHOLE
    return Phase.QUEUED if exchange.backend_requests else Phase.RECEIVED


class Totals:
    """Sums over all finished requests of one process; `add` observes the journal."""

    def __init__(self) -> None:
        self.since = time.time()
        self._outcomes: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._repeats = 0
        self._overheads: list[float] = [0, 0.0]  # requests that were passed on, and seconds over all of them
        self._alerts: Counter[str] = Counter()

    def add(self, exchange: Exchange) -> None:
        self._outcomes[exchange.outcome.value] += 1
        if exchange.usage is not None:
            self._tokens["prompt"] += exchange.usage.prompt
            self._tokens["cached"] += exchange.usage.cached
            self._tokens["output"] += exchange.usage.output
        self._repeats += bool(exchange.repeats_of)
        if (own_s := exchange.overhead_s) is not None:
            self._overheads[0] += 1
            self._overheads[1] += own_s
        for alert in exchange.notes.alerts:
            if alert in self._alerts or len(self._alerts) < ALERTS_KEPT:
                self._alerts[alert] += 1

    def shown(self) -> dict[str, Any]:
        return {
            "since": round(self.since, 3),
            "requests": self._outcomes.total(),
            "outcomes": dict(self._outcomes),
            "prompt_tokens": self._tokens["prompt"],
            "cached_tokens": self._tokens["cached"],
            "output_tokens": self._tokens["output"],
            "hidden_repeats": self._repeats,
            "overhead_ms": round(1000 * self._overheads[1] / (self._overheads[0] or 1), 2),
            "alerts": dict(self._alerts.most_common()),
        }


def snapshot(line: Line, totals: Totals) -> dict[str, Any]:
    """The answer of GET /landline/live, ready for JSON. Times are in seconds, `*_ms` in milliseconds."""
    calls = [call for call in line.open if isinstance(call, Call)]
    calls.sort(key=lambda call: call.exchange.started_at)
    return {
        "landline": __version__,
        "at": round(time.time(), 3),
        "workers": line.settings.gateway.workers,
        "web_search": line.searcher is not None,
        "backends": [backend_shown(backend, line.settings.sampling) for backend in line.backends],
        "running": [running(call.exchange, call.elapsed_s) for call in calls],
        "finished": [finished(exchange) for exchange in islice(reversed(line.journal.recent), FINISHED_SHOWN)],
        "totals": totals.shown(),
    }


def running(exchange: Exchange, elapsed_s: float) -> dict[str, Any]:
    return {**_record(exchange), "phase": phase(exchange).value, "seconds": round(elapsed_s, 3)}


def finished(exchange: Exchange) -> dict[str, Any]:
    record, usage = _record(exchange), exchange.usage
    if usage is not None and usage.prompt and (usage.cached_told or usage.cached):
        record["cache_hit_percent"] = round(100 * usage.cached / usage.prompt, 1)
    return record


def _record(exchange: Exchange) -> dict[str, Any]:
    """As the log has it, but for the session: its whole name would let others pretend to be it."""
    record = summary(exchange)
    if exchange.session:
        record["session"] = exchange.session[:SESSION_SHOWN]
    if exchange.repeats_of:
        record |= {"repeats_of": exchange.repeats_of, "repeat_cause": exchange.repeat_cause}
    if exchange.outcome is Outcome.OPEN:
        record.pop("status", None)
    return record


def backend_shown(backend: Backend, own: Sampling) -> dict[str, Any]:
    """What is known of one, with its models; `own` is the sampling of the settings."""
    shown: dict[str, Any] = {
        "url": without_credentials(backend.url),
        "kind": backend.kind.value,
        "reachable": backend.reachable,
        "version": backend.version,
        "models": [msgspec.to_builtins(model_facts(backend, model, own)) for model in backend.served],
        "findings": list(backend.findings),
    }
    if not backend.reachable:
        shown["problem"] = backend.problem.replace(backend.url, shown["url"])
    return shown


def without_credentials(url: str) -> str:
    """Scheme, host, port and path: user names, passwords and query strings may be secrets."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}{port}{parts.path}"
