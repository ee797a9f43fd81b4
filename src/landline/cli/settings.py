"""`landline settings`: puts back what `landline doctor --fix` changed in settings files of clients."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from landline.cli.output import emit, notice, reports_errors
from landline.errors import SettingsError

EXIT_REFUSED = 1


@click.group(epilog="\b\nExamples:\n  landline settings restore --list\n  landline settings restore")
def settings() -> None:
    """Put back settings files of clients that landline changed."""


@settings.command(
    epilog="\b\nExamples:\n  landline settings restore\n  landline settings restore --yes\n"
    "  landline settings restore --list"
)
@click.option("--list", "listing", is_flag=True, help="List what is kept, the newest last; change nothing.")
@click.option("--yes", "assume_yes", is_flag=True, help="Do not ask.")
@reports_errors
def restore(*, listing: bool, assume_yes: bool) -> None:
    """Put the files of the newest backup back, byte by byte; once more for the one before it.

    Shows the difference and asks. A file that was changed since is never put back with --yes.
    """
    from landline.clients.doctor import fixes

    folder = fixes.backups_folder()
    kept = fixes.backups(folder)
    if listing:
        _list(kept)
        return
    if not kept:
        raise SettingsError(
            f"Nothing is kept in {folder}.", hint="`landline doctor --fix` keeps what it changes there."
        )
    changes, changed_since = fixes.restoring(kept[-1])
    if changed_since and assume_yes:
        names = ", ".join(map(str, changed_since))
        raise SettingsError(f"{names} was changed since.", hint="Run this without --yes to see the difference.")
    show_changes([(change.before, change.after, change.file) for change in changes])
    for path in changed_since:
        notice(f"{path} was changed since landline wrote it: that is lost too")
    if changes and not assume_yes and not agreed("Put this back?"):
        notice("nothing was changed")
        sys.exit(EXIT_REFUSED)
    fixes.restore(kept[-1], changes)
    notice(f"put back {', '.join(str(change.file) for change in changes) or 'nothing: all is as it was'}")


def show_changes(changes: Sequence[tuple[bytes | None, bytes | None, Path]]) -> None:
    """The difference of each file, on standard error."""
    from landline.clients.doctor.fixes import difference

    for before, after, path in changes:
        for line in difference(before, after, str(path)):
            click.echo(line, err=True)


def agreed(question: str) -> bool:
    """Whether the user said yes. Where nobody can answer that is a no, with a word on how to go on."""
    if not sys.stdin.isatty():
        notice("nobody can answer here; --yes writes without asking")
        return False
    return click.confirm(question, default=False, err=True)


def _list(kept: Sequence[Path]) -> None:
    from landline.clients.doctor.fixes import manifest_of
    from landline.config.display import printable

    rows: list[dict[str, object]] = [
        {"kept": manifest.made_at, "file": printable(one.file), "was": "there" if one.content else "not there"}
        for manifest in map(manifest_of, kept)
        for one in manifest.files
    ]
    if rows:
        emit(None, as_json=False, rows=rows)
    else:
        click.echo("Nothing is kept.")
