"""`landline watch`: what a running gateway does now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import notice, reports_errors
from landline.errors import LandlineError, SettingsError

if TYPE_CHECKING:
    from landline.config.settings import Settings

_HOME_AND_CLEAR = "\x1b[H\x1b[J"


@click.command(
    epilog="\b\nExamples:\n  landline watch\n"
    "  landline watch --gateway http://127.0.0.1:40123\n"
    "  landline watch --once --json | jq .running\n"
    "  landline watch --json --interval 5 >> gateway.jsonl\n\n"
    "\b\nWhat the columns mean: docs/watch.md"
)
@click.option("--gateway", metavar="URL", help="The gateway to watch; its key: LANDLINE_GATEWAY_KEYS.  [default: ours]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per look, each on a line.")
@click.option("--once", is_flag=True, help="Look once and end, as into a pipe.")
@click.option("--interval", type=click.FloatRange(0.2, 3600), default=1.0, show_default=True, help="Seconds.")
@reports_errors
def watch(*, gateway: str | None, as_json: bool, once: bool, interval: float) -> None:
    """Show what a running gateway does: calls and their phase, cache hits, waits, repairs, alerts.

    On a terminal the view renews itself until Ctrl-C; into a pipe, one is printed. A gateway that goes away is waited
    for; one that was never there is an error.
    """
    import os

    from landline.config.sources import load_settings

    settings = load_settings(flags={}, environ=os.environ, cwd=Path.cwd()).settings
    base_url = gateway_address(gateway, settings)
    live = not once and (as_json or sys.stdout.isatty())
    try:
        for text in _looks(base_url, settings, as_json=as_json, interval_s=interval if live else 0):
            if live and not as_json:
                click.echo(_HOME_AND_CLEAR + text, nl=False)
            else:
                click.echo(text)
            sys.stdout.flush()
    except KeyboardInterrupt:
        click.echo("", err=True)  # the shell's prompt begins on a line of its own
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has read enough


def _looks(base_url: str, settings: Settings, *, as_json: bool, interval_s: float) -> Iterator[str]:
    """One text per look; just one where the interval is 0. Raises LandlineError only if the first look fails."""
    import time

    from landline.clients.live_gateway import live_answer, read_snapshot

    key = settings.gateway.keys[0] if settings.gateway.keys else ""
    seen = away = False
    while True:
        try:
            answer = live_answer(base_url, key=key)
            shown = read_snapshot(answer, base_url)
            text = _json_line(answer) if as_json else _view(shown, base_url, whole=not interval_s)
        except LandlineError as error:
            if not seen:
                raise
            if as_json and not away:
                notice(error.message)
            elif not as_json:
                yield f"{error.message}\nTrying again every {interval_s:g} s; Ctrl-C ends.\n"
            away = True
        else:
            seen, away = True, False
            yield text
        if not interval_s:
            return
        time.sleep(interval_s)


def _json_line(answer: bytes) -> str:
    """What the gateway said, on one line and in ASCII: escaped, the text of others can do nothing to a terminal."""
    import json

    return json.dumps(json.loads(answer), separators=(",", ":"))


def _view(shown: object, base_url: str, *, whole: bool) -> str:
    import shutil

    from landline.cli.watch_view import fitted, view
    from landline.clients.live_gateway import Snapshot

    assert isinstance(shown, Snapshot)
    lines = view(shown, base_url)
    if whole:
        return "\n".join(lines)
    columns, rows = shutil.get_terminal_size()
    return "\n".join(fitted(lines, columns=columns, rows=rows)) + "\n"


def gateway_address(gateway: str | None, settings: Settings) -> str:
    """The gateway that was named, or the one that these settings would start. Raises SettingsError."""
    from landline.clients.remote_gateway import gateway_base, own_address

    if gateway is not None:
        return gateway_base(gateway)
    if settings.gateway.port == 0:
        raise SettingsError("gateway.port is 0, so the port is not known.", hint="Name the gateway with --gateway URL.")
    return own_address(settings)
