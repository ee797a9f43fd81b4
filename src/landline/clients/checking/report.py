"""What a check found, as it is kept, printed as JSON, and shown on one screen.

Texts in it are a peer's: they are escaped before they reach a terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from msgspec import Struct

from landline.clients.checking.verdict import WEIGHTS, Weight
from landline.config.display import printable

_MEANING = {
    "READY": "ready: an agent can work on this model",
    "LIMITED": "ready with limits: an agent can work on this model, with what is said below",
    "NOT READY": "not ready: an agent will fail on this model as it is served",
    "": "stopped before the end: no verdict",
}


class Result(Struct, frozen=True, kw_only=True):
    """One probe. `passed` None: not tried, and `detail` says why. `cause` and `mend` are empty unless it failed."""

    id: str
    title: str
    passed: bool | None
    detail: str
    cause: str = ""
    mend: str = ""
    seconds: float = 0.0


class Report(Struct, frozen=True, kw_only=True):
    """`grade` is empty for a check that was stopped. `checked_at` as ISO 8601, UTC. `window` 0: not known."""

    landline: str
    checked_at: str
    backend: str
    kind: str
    version: str = ""
    model: str
    window: int = 0
    family: str = ""
    grade: str = ""
    quick: bool = False
    seconds: float = 0.0
    output_tokens: int = 0
    figures: dict[str, float] = {}
    probes: tuple[Result, ...] = ()


def lines(report: Report, *, width: int = 100) -> list[str]:
    """One screen: the verdict, what fails with its cause and mend, what was not tried, what passed, the figures."""
    window = f", window {report.window:,}" if report.window else ""
    server = f"{report.kind} {report.version}".strip()
    out = [
        _safe(f"{report.model} on {server} at {report.backend}{window}"),
        f"{report.grade or 'NO VERDICT'} ({_MEANING.get(report.grade, '')})",
    ]
    for mend, results in _by_mend(report):
        out.append("")
        for result in results:
            mark = {Weight.MUST: "x", Weight.LIMIT: "!"}.get(WEIGHTS.get(result.id, Weight.NOTE), "-")
            cause = result.cause.replace("_", " ")
            out += _wrapped(f"  {mark} {result.title}: ", f"{cause}; {result.detail}", width)
        out += _wrapped("    > ", mend, width)
    out.append("")
    passed = [result.id for result in report.probes if result.passed]
    out += _wrapped("  passed: ", ", ".join(passed) or "nothing", width)
    for result in report.probes:
        if result.passed is None:
            out += _wrapped(f"  not tried: {result.id}: ", result.detail, width)
    out += [line for result in report.probes for line in _figures(result, width)]
    if report.quick:
        out.append("  a quick check: long prompts and many streams were left out")
    return out


def _by_mend(report: Report) -> Iterator[tuple[str, list[Result]]]:
    """What fails, together where the same change mends it; what an agent cannot do without comes first."""
    order = {Weight.MUST: 0, Weight.LIMIT: 1, Weight.NOTE: 2}
    lost = [result for result in report.probes if result.passed is False]
    lost.sort(key=lambda result: order[WEIGHTS.get(result.id, Weight.NOTE)])
    for mend in dict.fromkeys(result.mend for result in lost):
        yield mend, [result for result in lost if result.mend == mend]


def _figures(result: Result, width: int) -> list[str]:
    shown = result.passed and result.id.partition("_")[0] in ("speed", "cache", "context")
    return _wrapped(f"  {result.title}: ", result.detail, width) if shown else []


def _wrapped(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(_safe(head + text), width, subsequent_indent="      ", drop_whitespace=True) or [_safe(head)]


def _safe(text: str) -> str:
    return printable(" ".join(text.split(" ")))
