"""`landline trust`: shows what a project's landline.toml wants to decide, and records the user's consent to it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, reports_errors
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.config.files import Document

EXIT_REFUSED = 1


@click.command(
    epilog="\b\nExamples:\n  landline trust\n  landline trust --yes\n  landline trust --revoke\n  landline trust --list"
)
@click.option("--revoke", "revoking", is_flag=True, help="Take the trust back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--list", "listing", is_flag=True, help="List the trusted files and whether they changed.")
@reports_errors
def trust(*, revoking: bool, yes: bool, listing: bool) -> None:
    """Let this project's landline.toml set backend, keys and address.

    It shows what the file sets and asks before recording. The trust is for the file as it is now: when it changes,
    these keys are ignored again until you run this once more.
    """
    if revoking and listing:
        raise click.UsageError("--revoke and --list exclude each other.")
    if listing:
        _list()
    elif revoking:
        _revoke()
    else:
        _ask_and_record(yes=yes)


def _list() -> None:
    from landline.config.display import printable
    from landline.config.trust import trust_store, trusted_files

    rows = [
        {"file": printable(str(path)), "state": str(state) if path.exists() else "missing"}
        for path, state in trusted_files(trust_store()).items()
    ]
    if rows:
        emit(None, as_json=False, rows=rows)
    else:
        click.echo("No project's file is trusted.")


def _revoke() -> None:
    from landline.config.display import printable
    from landline.config.files import FILE_NAME
    from landline.config.trust import revoke, trust_store

    # A file that is gone can still be forgotten, from the folder where it was.
    file = _project_file() or Path.cwd() / FILE_NAME
    done = revoke(file, trust_store())
    click.echo(f"{printable(str(file))} {'is no longer trusted' if done else 'was not trusted'}.")


def _ask_and_record(*, yes: bool) -> None:
    from landline.config.display import printable
    from landline.config.files import read_document
    from landline.config.trust import is_trusted, restricted_entries, trust_store
    from landline.config.trust import trust as record

    file = _project_file()
    if file is None:
        raise SettingsError(
            "There is no landline.toml here or above, up to the git root or the home folder.",
            hint="Run `landline trust` in the project whose file you want to trust.",
        )
    document = read_document(file)
    name, store = printable(str(file)), trust_store()
    if not restricted_entries(document.data):
        click.echo(f"{name} sets nothing that needs trust.")
    elif is_trusted(file, store, content=document.content):
        click.echo(f"{name} is trusted already.")
    else:
        _show(document)
        if not yes and not _confirmed():
            click.echo("Not trusted; these keys stay ignored.")
            sys.exit(EXIT_REFUSED)
        record(file, store, content=document.content)
        click.echo(f"Trusted {name} as it is now.")


def _show(document: Document) -> None:
    from landline.config.display import key_name, printable, shown_entry
    from landline.config.trust import restricted_entries

    click.echo(f"{printable(str(document.path))} wants to set:")
    for path, value in restricted_entries(document.data).items():
        click.echo(f"  {key_name(path)} = {shown_entry(path, value)}")
    click.echo("These decide where your prompts go, who may connect and what runs.")


def _confirmed() -> bool:
    try:
        return click.confirm("Trust this file as it is now?", default=False)
    except click.Abort:
        raise SettingsError("Not trusted: there was no answer.", hint="Use --yes where nobody can answer.") from None


def _project_file() -> Path | None:
    from landline.config.files import settings_files

    return settings_files(environ=os.environ, cwd=Path.cwd()).project
