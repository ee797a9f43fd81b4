"""What `landline launch` watches, refuses and tells of its client's network."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import notice
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.clients.egress.line import Line, Plan
    from landline.clients.install import ClientProgram
    from landline.clients.known import KnownClient
    from landline.clients.launching import Request, Target
    from landline.config.settings import Settings

_LOG = "network.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressOptions:
    """As they were typed; None and empty: the settings'."""

    mode: str | None = None
    allow: tuple[str, ...] = ()
    report: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """`whole`: all of it, not only the summary. `interactive`: the client has the screen for itself."""

    whole: bool
    interactive: bool
    report: Path | None = None


def telling_of(options: EgressOptions, *, whole: bool, interactive: bool) -> Telling:
    """Who asked for a mode, or for receipts, is told everything."""
    report = Path(options.report) if options.report is not None else None
    return Telling(whole=whole or options.mode is not None, interactive=interactive, report=report)


def egress_plan(known: KnownClient, settings: Settings, options: EgressOptions, request: Request) -> Plan:
    """Raises SettingsError."""
    from landline.clients.egress.destinations import Mode
    from landline.clients.egress.line import planned

    mode = Mode(options.mode or settings.egress.mode)
    allow = options.allow or (settings.egress.allow if mode.refuses else ())
    environ = {**request.environ, **_own_variables(known, request)}
    return planned(known.name, mode, allow=allow, environ=environ)


def _own_variables(known: KnownClient, request: Request) -> dict[str, str]:
    from importlib import import_module

    if not known.variables:
        return {}
    module, _, name = known.variables.partition(":")
    return getattr(import_module(module), name)(request)


def check_egress(plan: Plan, target: Target, program: ClientProgram, request: Request, options: EgressOptions) -> None:
    """What can be known before there is a gateway. Raises SettingsError."""
    from landline.clients.egress.line import check_lock

    if plan.note:
        notice(f"network: {plan.note}")
    if options.report is not None and Path(options.report).exists():
        raise SettingsError(f"{options.report} is there already.", hint="Name a new file for --egress-report.")
    check_lock(plan, base_url=target.base_url, cwd=request.cwd, keep=[request.folder, program.path])


@contextlib.asynccontextmanager
async def watched(
    plan: Plan, target: Target, program: ClientProgram, request: Request, telling: Telling
) -> AsyncGenerator[tuple[Line, Request]]:
    """The line that the client is to be run on, and the request as it is there. Tells at the end what was tried."""
    from landline.clients.egress.line import opened

    tell = _teller(request.folder / _LOG, telling)
    keep = [request.folder, program.path]
    async with opened(plan, base_url=target.base_url, keep=keep, tell=tell) as line:
        try:
            yield line, replace(request, environ=line.environ(request.environ), forced=line.forced)
        finally:
            _tell_whole(line, telling)


def _teller(log: Path, telling: Telling) -> Callable[[str], None]:
    """Each attempt as it comes: on standard error, or in a file while the client has the screen."""
    if telling.interactive:
        log.touch(mode=0o600)

        def written(text: str) -> None:
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{text}\n")

        return written
    return (lambda text: notice(f"network: {text}")) if telling.whole else (lambda text: None)


def _tell_whole(line: Line, telling: Telling) -> None:
    tried = line.tried
    if telling.whole:
        first, *rest = tried.lines()
        notice(first)
        for text in rest:
            click.echo(text, err=True)
    elif tried.attempts:
        notice(tried.summary())
    if telling.report is not None:
        try:
            with telling.report.open("x", encoding="utf-8") as file:
                file.write(json.dumps(tried.document(), indent=2) + "\n")
        except OSError as error:
            raise SettingsError(f"{telling.report} could not be written: {error.strerror}.") from error


def egress_lines(plan: Plan, request: Request, telling: Telling) -> tuple[tuple[str, str], ...]:
    """For the receipt before the client starts."""
    from landline.clients.egress.destinations import Mode
    from landline.clients.egress.report import mode_line

    lines = [("network", plan.note or mode_line(plan.mode, plan.allow))]
    if telling.interactive and plan.mode is not Mode.OPEN:
        lines.append(("", f"each attempt, while it runs: tail -f {request.folder / _LOG}"))
    return tuple(lines)
