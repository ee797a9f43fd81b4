"""One line per request, written behind the requests' backs: a bounded queue and one writer.

What is written comes from the `Exchange` alone, which holds neither bodies nor keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

import msgspec

from landline.core.exchange import Exchange

QUEUE_LIMIT = 10_000
BEHIND_S = 0.05  # an agent asks again at once: its line is not written then, and many lines leave in one write
KEPT = 256  # finished exchanges that receipts and pages may look back on


class Journal:
    """`form` is json or text. `recent` keeps the last exchanges for receipts; `observers` hear of each one."""

    def __init__(self, out: TextIO | None = None, *, form: str = "json") -> None:
        self.recent: deque[Exchange] = deque(maxlen=KEPT)
        self.observers: list[Callable[[Exchange], None]] = []
        self._out = out
        self._line: Callable[[Exchange], str] = json_line if form == "json" else text_line
        self._notice: Callable[[str], str] = json_notice if form == "json" else text_notice
        self._queue: deque[Exchange] = deque()
        self._lost = 0
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._writer = asyncio.create_task(self._write_on())

    async def stop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        self._write_out()

    def put(self, exchange: Exchange) -> None:
        """Takes a settled exchange. Never waits: when the writer is far behind, lines are counted as lost."""
        self.recent.append(exchange)
        for observer in self.observers:
            observer(exchange)
        if len(self._queue) >= QUEUE_LIMIT:
            self._lost += 1
        else:
            self._queue.append(exchange)
        self._wake.set()

    def tell(self, finding: str) -> None:
        """A line of its own, for whoever runs the gateway."""
        if self._out is not None:
            with contextlib.suppress(OSError, ValueError):
                self._out.write(self._notice(finding))
                self._out.flush()

    async def _write_on(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(BEHIND_S)
            self._wake.clear()
            self._write_out()

    def _write_out(self) -> None:
        if not self._queue:
            return
        lines = [self._line(exchange) for exchange in self._queue]
        self._queue.clear()
        if self._lost:
            lines.append(f'{{"lost_log_lines":{self._lost}}}\n')
            self._lost = 0
        if self._out is not None:
            try:
                self._out.write("".join(lines))
                self._out.flush()
            except (OSError, ValueError):  # a closed pipe must not end the gateway
                self._out = None


def json_notice(finding: str) -> str:
    return msgspec.json.encode({"finding": finding}).decode() + "\n"


def text_notice(finding: str) -> str:
    return f"landline: {finding}\n"


def json_line(exchange: Exchange) -> str:
    return msgspec.json.encode(summary(exchange)).decode() + "\n"


def text_line(exchange: Exchange) -> str:
    """For eyes: time to first token, tokens in (of them cached) and out, and what was changed."""
    usage = exchange.usage
    parts = [exchange.id, f"{exchange.model_asked or '-'} -> {exchange.model_served or '-'}"]
    parts.append(exchange.outcome.value if exchange.status == 200 else f"{exchange.status} {exchange.outcome.value}")
    if exchange.ttft_s is not None:
        parts.append(f"first {exchange.ttft_s:.2f} s")
    if exchange.total_s is not None:
        parts.append(f"total {exchange.total_s:.2f} s")
    if usage is not None:
        mark = "" if usage.exact else " (estimated)"
        parts.append(f"in {usage.prompt} (cached {usage.cached}) out {usage.output}{mark}")
    if exchange.prefix is not None and exchange.prefix.why is not None:
        prefix = exchange.prefix
        parts.append(f"prefix moved at {prefix.part}: {prefix.why}, about {prefix.lost_tokens} tokens again")
    told = exchange.notes
    for title, notes in (("repaired", told.repairs), ("dropped", told.dropped), ("alert", told.alerts)):
        if notes:
            parts.append(f"{title}: {', '.join(notes)}")
    parts += filter(None, (exchange.warning, exchange.error_logged, exchange.stranger))
    line = "  ".join(parts)
    return "".join(char if char.isprintable() else "?" for char in line) + "\n"  # names are somebody else's text


def summary(exchange: Exchange) -> dict[str, Any]:
    """The record as it is shown: empty fields left out, times in milliseconds."""
    usage = exchange.usage
    shown: dict[str, Any] = {
        "request_id": exchange.id,
        "at": round(exchange.started_at, 3),
        "path": exchange.path,
        "warning": exchange.warning,
        "stranger": exchange.stranger,
        "client": exchange.client,
        "session": exchange.session,
        "agent": exchange.agent,
        "model_asked": exchange.model_asked,
        "model_served": exchange.model_served,
        "route": exchange.route,
        "backend": exchange.backend.rpartition("@")[2],  # without a name and password that the URL may hold
        "stream": exchange.stream,
        "side": exchange.side or None,
        "status": exchange.status,
        "outcome": exchange.outcome.value,
        "error": exchange.error_logged,
        "headers_ms": _ms(exchange.headers_s),
        "ttft_ms": _ms(exchange.ttft_s),
        "total_ms": _ms(exchange.total_s),
        "overhead_ms": _ms(exchange.overhead_s),
        "backend_requests": exchange.backend_requests,
        "prompt_tokens": usage.prompt if usage else None,
        "cached_tokens": usage.cached if usage else None,
        "output_tokens": usage.output if usage else None,
        "usage_exact": usage.exact if usage else None,
        "cache": exchange.cache,
        **prefix_summary(exchange),
        "largest": [f"{part}: {tokens} tokens" for part, tokens in exchange.largest],
        "repeats_of": exchange.repeats_of,
        "repeat_cause": exchange.repeat_cause,
        "repairs": exchange.notes.repairs,
        "dropped": exchange.notes.dropped,
        "alerts": exchange.notes.alerts,
    }
    return {name: value for name, value in shown.items() if value not in (None, "", [])}


def prefix_summary(exchange: Exchange) -> dict[str, Any]:
    """What a log may hold of the comparison with the turn before: places and numbers, no words of the prompt."""
    prefix = exchange.prefix
    if prefix is None:
        return {}
    shown: dict[str, Any] = {"shared_tokens": prefix.shared_tokens}
    if prefix.why is not None:
        shown |= {"prefix_moved": prefix.part, "prefix_why": prefix.why.value, "lost_tokens": prefix.lost_tokens}
    return shown


def journal_to_stderr(form: str) -> Journal:
    """The journal of a served gateway; `form` auto is text on a terminal and JSON lines elsewhere."""
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    return Journal(sys.stderr, form=form)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
