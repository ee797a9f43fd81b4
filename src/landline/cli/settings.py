"""`landline settings`: points a client at a gateway for good, and puts back what landline changed in its files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, notice, reports_errors
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.clients.doctor.finding import Edit
    from landline.clients.launching import Target

EXIT_REFUSED = 1
CLIENTS = ("claude",)


@click.group(
    epilog="\b\nExamples:\n  landline settings write claude\n  landline settings restore --list\n"
    "  landline settings restore"
)
def settings() -> None:
    """Change settings files of clients, and put them back."""


@settings.command(
    epilog="\b\nExamples:\n  landline settings write claude\n"
    "  landline settings write claude --gateway http://127.0.0.1:4000 --project\n\n"
    "\b\nWhat is set, and why: docs/reference/claude-code-settings.md"
)
@click.argument("client", type=click.Choice(CLIENTS))
@click.option("--gateway", metavar="URL", help="A gateway that runs; its key: LANDLINE_GATEWAY_KEYS.  [default: ours]")
@click.option("--model", metavar="NAME", help="Served model to use.  [default: the first served]")
@click.option("--status-line", is_flag=True, help="Show window, cache hits and speed on the client's own screen.")
@click.option("--project", is_flag=True, help="For this project alone: .claude/settings.local.json.")
@click.option("--yes", "assume_yes", is_flag=True, help="Do not ask.")
@reports_errors
def write(
    *, client: str, gateway: str | None, model: str | None, status_line: bool, project: bool, assume_yes: bool
) -> None:
    """Point a client at a running gateway for good.

    Writes what `landline launch` sets for one run into the client's settings file, where its extension for an editor
    finds it too. Shows the difference and asks; `landline settings restore` undoes it.
    """
    import os

    from landline.clients.claude_settings import user_settings_paths
    from landline.clients.doctor.permanent import permanent_edits
    from landline.clients.doctor.settings_in_force import read_settings

    assert client in CLIENTS
    home, cwd = Path(os.environ.get("HOME") or Path.home()), Path.cwd()
    target = _target(gateway, model)
    in_force = read_settings(home=home, cwd=cwd, environ=os.environ)
    _, user_file, _, local_file = user_settings_paths(home=home, cwd=cwd, environ=os.environ)
    file = local_file if project else user_file
    edits = permanent_edits(in_force, target, file)
    if status_line:
        edits += _status_line_edits(file, target)
    if not written(edits, assume_yes=assume_yes):
        sys.exit(EXIT_REFUSED)


def _status_line_edits(file: Path, target: Target) -> tuple[Edit, ...]:
    """None where a file of the user's has a status line already: that is his."""
    import os

    from landline.clients.claude_settings import has_status_line, read_user_settings
    from landline.clients.doctor.finding import Edit
    from landline.clients.status_line import status_line_setting

    home, cwd = Path(os.environ.get("HOME") or Path.home()), Path.cwd()
    if has_status_line(read_user_settings(home=home, cwd=cwd, environ=os.environ).documents):
        notice("your settings have a status line already, which is kept; remove it first to have landline's")
        return ()
    setting = status_line_setting(target.base_url)
    return tuple(Edit(file, ("statusLine", name), value) for name, value in setting.items())


def _target(gateway: str | None, model: str | None) -> Target:
    """The gateway as it runs now. Raises LandlineError."""
    import os

    from landline.clients.launching import Target
    from landline.clients.remote_gateway import gateway_base, own_address, served_models
    from landline.config.sources import load_settings

    loaded = load_settings(flags={"models.default": model}, environ=os.environ, cwd=Path.cwd()).settings
    base = gateway_base(gateway) if gateway else own_address(loaded)
    key = loaded.gateway.keys[0] if loaded.gateway.keys else ""
    models = served_models(base, key=key)
    wanted = loaded.models.default
    chosen = next((one for one in models if one.id == wanted), None if wanted else models[0])
    if chosen is None:
        names = ", ".join(one.id for one in models)
        raise SettingsError(f"The gateway does not serve {wanted}.", hint=f"It serves: {names}")
    tiers = dict(loaded.models.tiers)
    return Target(base_url=base, token=key, model=chosen.id, window=chosen.window, tiers=tiers)


def written(edits: tuple[Edit, ...], *, assume_yes: bool) -> bool:
    """Whether files were changed, after the difference was shown and agreed to."""
    from landline.clients.doctor.fixes import apply, backups_folder, changes_of

    changes = changes_of(edits)
    if not changes:
        notice("there is nothing in a settings file to change")
        return True
    show_changes([(change.before, change.after, change.file) for change in changes])
    if not assume_yes and not agreed("Write this?"):
        notice("nothing was changed")
        return False
    kept = apply(changes, backups_folder())
    notice(f"changed {', '.join(str(change.file) for change in changes)}; what was there is kept in {kept}")
    notice("`landline settings restore` puts it back")
    return True


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
