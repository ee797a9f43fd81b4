"""`landline clients`: which clients are here, which versions are known to work, and where each one points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, reports_errors

if TYPE_CHECKING:
    from landline.clients.inventory import Installed


@click.command(epilog="\b\nExamples:\n  landline clients\n  landline clients --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@reports_errors
def clients(*, as_json: bool) -> None:
    """List each client that landline knows: where it is, which version, where its own settings point it.

    "tested" are the versions that landline's own tests run. Nothing is connected to, and nothing is written.
    """
    import os

    import msgspec

    from landline.clients.inventory import inventory
    from landline.clients.permanent_files import Places
    from landline.clients.remote_gateway import own_address
    from landline.config.sources import load_settings

    settings = load_settings(flags={}, environ=os.environ, cwd=Path.cwd()).settings
    places = Places(Path(os.environ.get("HOME") or Path.home()), Path.cwd(), os.environ)
    found = inventory(places, own_address=own_address(settings))
    emit(msgspec.to_builtins(found), as_json=as_json, rows=[_row(one) for one in found])


def _row(one: Installed) -> dict[str, object]:
    from landline.config.display import printable

    version = one.version or "not installed"
    tested = ", ".join(one.tested)
    return {
        "client": one.client,
        "version": version,
        "tested": tested if one.works is None or one.works else f"{tested} (not this one)",
        "points at": printable(f"{one.state}: {one.points_at}" if one.points_at else str(one.state)),
        "where": "a copy of landline's own" if one.origin == "cache" else printable(one.path),
        "next": one.next,
    }
