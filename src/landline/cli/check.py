"""`landline check`: whether a served model is good enough for an agent, and what to change if it is not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, notice, reports_errors

if TYPE_CHECKING:
    from landline.clients.checking.bench import Bench, Probe
    from landline.clients.checking.report import Report, Result
    from landline.config.settings import Settings

EXIT_BELOW = 1
EXIT_INTERRUPTED = 130
NARROWEST, WIDEST = 60, 120  # columns of the report
BAR_WIDTH = 24
_LINE = "\r\x1b[K"  # begins the line anew


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    gateway: str | None
    backend_named: bool
    quick: bool
    timeout_s: float


@dataclass(slots=True)
class _State:
    """What is known so far, for a check that is interrupted."""

    began: float
    bench: Bench | None = None
    results: list[Result] = field(default_factory=list["Result"])
    done: bool = False


@click.command(
    epilog="\b\nExamples:\n  landline check --backend http://127.0.0.1:8000\n"
    "  landline check --quick --grade READY && landline launch claude\n"
    "  landline check --json | jq '.probes[] | select(.passed == false) | .mend'\n"
    "  landline check --last\n\n"
    "\b\nWhat is probed, and what the verdict means: docs/check.md"
)
@click.option("--backend", metavar="URL", help="Model server, with or without /v1.")
@click.option("--gateway", metavar="URL", help="Check through a gateway that runs; its key: LANDLINE_GATEWAY_KEYS.")
@click.option("--model", metavar="NAME", help="Served model to check.  [default: the first served]")
@click.option("--json", "as_json", is_flag=True, help="Print every probe and figure as JSON.")
@click.option(
    "--grade",
    "asked",
    type=click.Choice(["READY", "LIMITED"]),
    default="LIMITED",
    show_default=True,
    help="Exit with 1 below this.",
)
@click.option("--quick", is_flag=True, help="Leave out long prompts and many streams.")
@click.option(
    "--timeout", type=click.FloatRange(1, 3600), default=120, show_default=True, help="Seconds for one probe."
)
@click.option("--last", is_flag=True, help="Show the last result (of --model) without asking anything.")
@reports_errors
def check(
    *,
    backend: str | None,
    gateway: str | None,
    model: str | None,
    as_json: bool,
    asked: str,
    quick: bool,
    timeout: float,
    last: bool,
) -> None:
    """Tell whether a served model is good enough for an agent.

    Asks it what agents ask, on the way that agents take: through a gateway on loopback, and once past it. Says READY,
    LIMITED or NOT READY, and for each failure the cause and the flag or setting that mends it. The result is kept in
    landline's own data folder; nothing else is written.
    """
    import os

    from landline.clients.checking.profile import keep_profile, last_profile, profile_folder
    from landline.config.sources import load_settings

    if last:
        report = last_profile(profile_folder(), model=model or "")
        if not as_json:
            notice(f"checked {report.checked_at}")
        sys.exit(_printed(report, as_json=as_json, asked=asked))
    flags = {"backend.url": backend, "models.default": model, "gateway.host": "127.0.0.1", "gateway.workers": 1}
    loaded = load_settings(flags=flags, environ=os.environ, cwd=Path.cwd())
    for text in loaded.notices:
        notice(text)
    options = _Options(gateway=gateway, backend_named=backend is not None, quick=quick, timeout_s=timeout)
    report = _checked(loaded.settings, options)
    if report.grade:
        keep_profile(report, profile_folder())
    sys.exit(_printed(report, as_json=as_json, asked=asked))


def _checked(settings: Settings, options: _Options) -> Report:
    """The whole check, or as much of it as was done at Ctrl-C."""
    import asyncio

    state = _State(time.monotonic())
    try:
        asyncio.run(_run(settings, options, state))
    except KeyboardInterrupt:
        if state.bench is None:
            sys.exit(EXIT_INTERRUPTED)
    return _report(state, options)


async def _run(settings: Settings, options: _Options, state: _State) -> None:
    from landline.clients.checking.opening import own_bench, remote_bench
    from landline.clients.checking.running import chosen, run

    probes = chosen(quick=options.quick)
    if options.gateway is None:
        opened = own_bench(settings)
    else:
        opened = remote_bench(settings, options.gateway, direct=options.backend_named)
    async with opened as bench:
        state.bench = bench
        with _progress(len(probes)) as begin:
            async for result in run(bench, probes, timeout_s=options.timeout_s, begin=begin):
                state.results.append(result)
    state.done = True


def _report(state: _State, options: _Options) -> Report:
    from datetime import UTC, datetime

    from landline import __version__
    from landline.clients.checking.report import Report
    from landline.clients.checking.verdict import grade

    assert state.bench is not None
    server = state.bench.server
    return Report(
        landline=__version__,
        checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        backend=server.url,
        kind=server.kind.value,
        version=server.version,
        model=server.model,
        window=server.window,
        family=server.family,
        grade=grade({result.id: result.passed for result in state.results}).value if state.done else "",
        quick=options.quick,
        seconds=round(time.monotonic() - state.began, 1),
        output_tokens=state.bench.asker.output,
        figures=dict(state.bench.figures),
        probes=tuple(state.results),
    )


def _printed(report: Report, *, as_json: bool, asked: str) -> int:
    """Prints it; the exit code."""
    import shutil

    import msgspec

    from landline.clients.checking.report import lines
    from landline.clients.checking.verdict import Grade

    width = min(max(shutil.get_terminal_size().columns - 1, NARROWEST), WIDEST)
    emit(msgspec.to_builtins(report) if as_json else "\n".join(lines(report, width=width)), as_json=as_json)
    if not report.grade:
        return EXIT_INTERRUPTED
    return 0 if Grade(report.grade).reaches(Grade(asked)) else EXIT_BELOW


class _Bar:
    """One line on the terminal: how far it is, and the probe that runs."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._done = 0

    def begin(self, probe: Probe) -> None:
        full = BAR_WIDTH * self._done // self._length
        bar = "#" * full + "-" * (BAR_WIDTH - full)
        click.echo(f"{_LINE}checking [{bar}] {self._done + 1}/{self._length} {probe.title}", err=True, nl=False)
        self._done += 1

    def close(self) -> None:
        click.echo(_LINE, err=True, nl=False)


@contextmanager
def _progress(length: int) -> Generator[Callable[[Probe], None]]:
    """What hears of each probe before it runs. Nothing is shown where nobody looks: into a file or a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    bar = _Bar(length)
    try:
        yield bar.begin
    finally:
        bar.close()
