"""`landline store`: what is kept between requests, and `landline store clear`, which removes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, reports_errors
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.config.settings import Store
    from landline.server.response_file import ResponseFile

MIB = 2**20


@click.group(
    invoke_without_command=True,
    epilog="\b\nExamples:\n  landline store\n  landline store --json | jq .responses\n  landline store clear",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
@reports_errors
def store(context: click.Context, *, as_json: bool) -> None:
    """Show what is kept between requests: responses that a client asked to be kept (`store: true`).

    Nothing is, unless store.responses is on in your settings. They stay for 24 hours in a file that only you can read.
    """
    if context.invoked_subcommand is None:
        _show(as_json=as_json)


@store.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@reports_errors
def clear(*, as_json: bool) -> None:
    """Remove everything that is kept, and the file. A gateway that runs goes on, and begins anew."""
    from landline.config.display import printable
    from landline.server.response_file import Unkept

    _, file = _settled()
    there = file.path.exists()
    try:
        count = file.clear()
    except Unkept as problem:
        raise SettingsError(f"{file.path} {problem}.", hint="Remove it by hand.") from None
    if as_json:
        emit({"file": str(file.path), "removed": there, "responses": count}, as_json=True)
        return
    name = printable(str(file.path))
    if not there:
        click.echo(f"Nothing is kept: there is no {name}.")
    else:
        told = "it could not be read" if count is None else f"{count} response{'' if count == 1 else 's'}"
        click.echo(f"Removed {name} ({told}).")


def _show(*, as_json: bool) -> None:
    import msgspec

    from landline.config.display import printable
    from landline.server.response_file import Unkept

    settings, file = _settled()
    try:
        held = file.held()
    except Unkept as problem:
        raise SettingsError(
            f"{file.path} {problem}.", hint="`landline store clear` removes it, with what is kept in it."
        ) from None
    told = {"on": settings.responses, "file": str(file.path), "limit_bytes": settings.limit_mib * MIB}
    if as_json:
        emit(told | msgspec.to_builtins(held), as_json=True)
        return
    state = "on" if settings.responses else "off (store.responses = true in your landline.toml turns it on)"
    click.echo(f"Keeping responses is {state}.")
    if not held.responses:
        click.echo(f"Nothing is kept in {printable(str(file.path))}.")
        return
    kept = f"{held.responses} response{'' if held.responses == 1 else 's'} of {held.keys} key"
    click.echo(f"{kept}{'' if held.keys == 1 else 's'}, {held.bytes / MIB:.1f} of {settings.limit_mib} MiB")
    click.echo(f"oldest: {_ago(held.oldest)} ago\nfile: {printable(str(file.path))}")


def _ago(at: int) -> str:
    import time

    minutes = max(int(time.time()) - at, 0) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _settled() -> tuple[Store, ResponseFile]:
    import os

    from landline.config.files import responses_file
    from landline.config.sources import load_settings
    from landline.server.response_file import ResponseFile

    settings = load_settings(environ=os.environ, cwd=Path.cwd()).settings.store
    return settings, ResponseFile(responses_file(settings.file), limit=settings.limit_mib * MIB)
