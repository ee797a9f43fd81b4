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
    "READY": "READY: an agent can work on this model",
    "LIMITED": "LIMITED: an agent can work on this model, with the limits below",
    "NOT READY": "NOT READY: an agent will fail on this model as it is served",
    "": "NO VERDICT: stopped before the end",
}
_ORDER = {Weight.MUST: 0, Weight.LIMIT: 1, Weight.NOTE: 2}
_MARKS = {Weight.MUST: "x", Weight.LIMIT: "!", Weight.NOTE: "-"}
_FIGURES = ("speed", "cache", "context")  # whose details are shown also where they passed


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
        printable(f"{report.model} on {server} at {report.backend}{window}"),
        _MEANING.get(report.grade, printable(report.grade)),
    ]
    for mend, faults in _by_mend(report):
        out.append("")
        for results in faults:
            out += _fault(results, width)
        out += _wrapped("    > ", mend, width)
    out.append("")
    passed = [result.id for result in report.probes if result.passed]
    out += _wrapped("  passed: ", ", ".join(passed) or "nothing", width)
    for result in report.probes:
        if result.passed is None:
            out += _wrapped(f"  not tried: {result.id}: ", result.detail, width)
        elif result.passed and result.id.partition("_")[0] in _FIGURES:
            out += _wrapped(f"  {result.title}: ", result.detail, width)
    if report.quick:
        out.append("  a quick check: long prompts and many streams were left out")
    return out


def _by_mend(report: Report) -> Iterator[tuple[str, list[list[Result]]]]:
    """What fails, by what mends it and then by cause; what an agent cannot do without comes first."""
    lost = sorted((result for result in report.probes if result.passed is False), key=_rank)
    for mend in dict.fromkeys(result.mend for result in lost):
        same = [result for result in lost if result.mend == mend]
        yield mend, [[one for one in same if one.cause == cause] for cause in dict.fromkeys(one.cause for one in same)]


def _fault(results: list[Result], width: int) -> list[str]:
    """What one cause spoils, and what the first of it looked like; all details are in the JSON."""
    first = results[0]
    titles = "; ".join(result.title for result in results)
    lines = _wrapped(f"  {_MARKS[_weight(first)]} {first.cause.replace('_', ' ')}: ", titles, width)
    return lines + _wrapped("      ", first.detail, width)


def _rank(result: Result) -> int:
    return _ORDER[_weight(result)]


def _weight(result: Result) -> Weight:
    """A profile of another version may know probes that this one does not."""
    return WEIGHTS.get(result.id, Weight.NOTE)


def _wrapped(head: str, text: str, width: int) -> list[str]:
    """Flags stay whole: they are copied."""
    text = printable(head + text)
    wrapped = textwrap.wrap(text, width, subsequent_indent="      ", break_on_hyphens=False, break_long_words=False)
    return wrapped or [text]
