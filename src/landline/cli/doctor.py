"""`landline doctor`: what is wrong in a setup, why, and which line of which file to change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, notice, reports_errors
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.clients.doctor.finding import Diagnosis, Edit
    from landline.clients.doctor.gathering import Where
    from landline.config.settings import Settings

EXIT_FOUND = 1
EXIT_INTERRUPTED = 130
CLIENTS = ("claude", "cursor")
NARROWEST, WIDEST = 60, 120  # columns of the report
_LINE = "\r\x1b[K"  # begins the line anew


@click.command(
    epilog="\b\nExamples:\n  landline doctor --quick\n"
    "  landline doctor claude --gateway http://127.0.0.1:4000 --backend http://127.0.0.1:8000\n"
    "  landline doctor --quick --fix\n"
    "  landline doctor cursor --gateway https://llm.example.org\n"
    "  landline doctor --json | jq '.checks[] | select(.severity != \"ok\")'\n\n"
    "\b\nEvery check, by its symptom: docs/guides/troubleshooting.md"
)
@click.argument("client", type=click.Choice(CLIENTS), default="claude", required=False)
@click.option("--gateway", metavar="URL", help="Where the client should be pointed; its key: LANDLINE_GATEWAY_KEYS.")
@click.option("--backend", metavar="URL", help="The model server behind it, with or without /v1.")
@click.option(
    "--server-log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Log of a vLLM that does not start: says why, and what to change.",
)
@click.option("--quick", is_flag=True, help="Ask no model: files, addresses and servers only.")
@click.option("--fix", is_flag=True, help="Change the settings files, after showing the difference and asking.")
@click.option("--yes", "assume_yes", is_flag=True, help="With --fix: do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print every check as JSON.")
@click.option("--timeout", type=click.FloatRange(1, 3600), default=60, show_default=True, help="Seconds for one probe.")
@reports_errors
def doctor(
    *,
    client: str,
    gateway: str | None,
    backend: str | None,
    server_log: Path | None,
    quick: bool,
    fix: bool,
    assume_yes: bool,
    as_json: bool,
    timeout: float,
) -> None:
    """Find what is wrong in a client's setup.

    Reads the settings that are really in force, asks gateway and model server, and sends requests as the client would.
    Says what is wrong, why, and which line to change; --fix changes it, and `landline settings restore` undoes that.
    Of cursor, whose cloud calls the gateway, it judges address, keys and names by landline's own settings.
    Ends with 1 where an error was found.
    """
    import os

    from landline.cli.settings import written
    from landline.clients.doctor.gathering import Where
    from landline.clients.remote_gateway import gateway_base
    from landline.config.sources import load_settings

    assert client in CLIENTS
    _check_options(client, fix=fix, assume_yes=assume_yes, server_log=server_log)
    loaded = load_settings(flags={"backend.url": backend}, environ=os.environ, cwd=Path.cwd())
    for text in loaded.notices:
        notice(text)
    if client == "cursor":
        sys.exit(_printed(_of_cursor(loaded.settings, gateway), as_json=as_json, fixable=False))
    where = Where(
        home=Path(os.environ.get("HOME") or Path.home()),
        cwd=Path.cwd(),
        environ=dict(os.environ),
        gateway=gateway_base(gateway) if gateway else "",
        backend=backend or "",
        quick=quick,
        timeout_s=timeout,
        server_log=server_log,
    )
    try:
        diagnosis, edits = _diagnosed(where, loaded.settings)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    if fix and written(edits, assume_yes=assume_yes):  # the difference goes to standard error: --json stays JSON
        diagnosis, _ = _diagnosed(where, loaded.settings)
    sys.exit(_printed(diagnosis, as_json=as_json, fixable=bool(edits) and not fix))


def _check_options(client: str, *, fix: bool, assume_yes: bool, server_log: Path | None) -> None:
    if assume_yes and not fix:
        raise SettingsError("--yes is for --fix.", hint="Leave it out, or add --fix.")
    if client == "cursor" and (fix or server_log):
        raise SettingsError(
            "--fix and --server-log are not for cursor: it keeps its settings in its own application.",
            hint="Leave them out; what to change is said, and docs/guides/cursor.md shows where.",
        )


def _of_cursor(settings: Settings, gateway: str | None) -> Diagnosis:
    from landline.clients.doctor.cursor import diagnose
    from landline.clients.remote_gateway import gateway_base

    return diagnose(settings, url=gateway_base(gateway) if gateway else "")


def _diagnosed(where: Where, settings: Settings) -> tuple[Diagnosis, tuple[Edit, ...]]:
    import asyncio

    from landline.clients.doctor.diagnosing import diagnose
    from landline.clients.doctor.gathering import gather

    with _progress(shown=not where.quick) as begin:
        return diagnose(asyncio.run(gather(where, settings, begin=begin)))


def _printed(diagnosis: Diagnosis, *, as_json: bool, fixable: bool) -> int:
    """Prints it; the exit code."""
    import shutil

    import msgspec

    from landline.clients.doctor.diagnosing import worst
    from landline.clients.doctor.finding import Severity
    from landline.clients.doctor.report import lines

    width = min(max(shutil.get_terminal_size().columns - 1, NARROWEST), WIDEST)
    shown = msgspec.to_builtins(diagnosis) if as_json else "\n".join(lines(diagnosis, width=width))
    emit(shown, as_json=as_json)
    if fixable and not as_json:
        notice("`landline doctor --fix` shows what it would change in settings files, and asks")
    return EXIT_FOUND if worst(diagnosis) is Severity.ERROR else 0


@contextmanager
def _progress(*, shown: bool) -> Generator[Callable[[str], None]]:
    """What hears of each step before it is done. Nothing is shown where nobody looks."""
    if not shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    try:
        yield lambda step: click.echo(f"{_LINE}looking at: {step}", err=True, nl=False)
    finally:
        click.echo(_LINE, err=True, nl=False)
