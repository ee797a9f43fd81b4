"""Runs the probes one after the other, each within its time, and gives out each result as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from landline.clients.checking import (
    caches,
    calls,
    choices,
    context,
    facts,
    loop,
    outputs,
    past_gateway,
    speed,
    thinking,
)
from landline.clients.checking.bench import Bench, Finding, Probe, fails
from landline.clients.checking.causes import Cause, quote
from landline.clients.checking.mends import mend
from landline.clients.checking.report import Result
from landline.errors import LandlineError

PROBES: tuple[Probe, ...] = (
    *facts.PROBES,
    *past_gateway.PROBES,
    *calls.PROBES,
    *loop.PROBES,
    *choices.PROBES,
    *thinking.PROBES,
    *outputs.PROBES,
    *caches.PROBES,
    *speed.PROBES,
    *context.PROBES,
)


def chosen(*, quick: bool) -> tuple[Probe, ...]:
    return tuple(probe for probe in PROBES if not (quick and probe.heavy))


async def run(
    bench: Bench, probes: tuple[Probe, ...], *, timeout_s: float, begin: Callable[[Probe], None] = lambda _: None
) -> AsyncGenerator[Result]:
    """`timeout_s` is for a probe of patience 1. `begin` hears of each before it runs."""
    for probe in probes:
        begin(probe)
        began = time.monotonic()
        finding = await _finding(bench, probe, timeout_s * probe.patience)
        yield _result(bench, probe, finding, time.monotonic() - began)


async def _finding(bench: Bench, probe: Probe, limit_s: float) -> Finding:
    try:
        async with asyncio.timeout(limit_s):
            return await probe.run(bench)
    except TimeoutError:
        return fails(Cause.TIMED_OUT, f"no result within {limit_s:.0f} s")
    except LandlineError as error:
        return fails(Cause.REFUSED, quote(error.text))


def _result(bench: Bench, probe: Probe, finding: Finding, seconds: float) -> Result:
    fault = finding.fault
    known = bench.server
    return Result(
        id=probe.id,
        title=probe.title,
        passed=finding.passed,
        detail=finding.detail,
        cause=fault.cause.value if fault else "",
        mend=mend(fault, known.kind, known.parsers) if fault else "",
        seconds=round(seconds, 3),
    )
