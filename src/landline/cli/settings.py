"""`landline settings`: points a client at a gateway for good, and puts back what landline changed in its files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, notice, reports_errors
from landline.clients.known import CLIENTS
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.clients.doctor.finding import Edit
    from landline.clients.doctor.fixes import Change
    from landline.clients.doctor.settings_in_force import SettingsInForce
    from landline.clients.launching import Target
    from landline.clients.permanent_files import Places

EXIT_REFUSED = 1
CLAUDE = "claude"


@click.group(
    epilog="\b\nExamples:\n  landline settings write claude\n  landline settings restore --list\n"
    "  landline settings restore"
)
def settings() -> None:
    """Change settings files of clients, and put them back."""


@settings.command(
    epilog="\b\nExamples:\n  landline settings write claude\n"
    "  landline settings write claude --gateway http://127.0.0.1:4000 --project\n"
    "  landline settings write claude --vscode\n  landline settings write codex\n\n"
    "\b\nWhat is set, and why: docs/reference/claude-code-settings.md"
)
@click.argument("client", type=click.Choice(sorted(CLIENTS)))
@click.option("--gateway", metavar="URL", help="A gateway that runs; its key: LANDLINE_GATEWAY_KEYS.  [default: ours]")
@click.option("--model", metavar="NAME", help="Served model to use.  [default: the first served]")
@click.option("--status-line", is_flag=True, help="claude: show window, cache hits and speed on its screen.")
@click.option("--project", is_flag=True, help="For this project alone; not for codex.")
@click.option("--vscode", is_flag=True, help="claude: for its extension in VS Code, Insiders, VSCodium, Cursor.")
@click.option("--yes", "assume_yes", is_flag=True, help="Do not ask.")
@reports_errors
def write(
    *,
    client: str,
    gateway: str | None,
    model: str | None,
    status_line: bool,
    project: bool,
    vscode: bool,
    assume_yes: bool,
) -> None:
    """Point a client at a running gateway for good.

    Writes what `landline launch` sets for one run into the client's settings file; with --vscode into those of the
    editors found here, whose extension starts the client itself. Shows the difference and asks; `landline settings
    restore` undoes it.
    """
    if client != CLAUDE:
        if vscode or status_line:
            raise click.UsageError("--vscode and --status-line are for claude")
        changes = _of_others(client, _target(gateway, model), project=project)
    else:
        changes = _of_claude(gateway, model, status_line=status_line, project=project, vscode=vscode)
    if not _written(changes, assume_yes=assume_yes, client="" if client == CLAUDE else client):
        sys.exit(EXIT_REFUSED)


def _of_claude(
    gateway: str | None, model: str | None, *, status_line: bool, project: bool, vscode: bool
) -> tuple[Change, ...]:
    import os

    from landline.clients.claude_settings import user_settings_paths
    from landline.clients.doctor.fixes import changes_of
    from landline.clients.doctor.permanent import permanent_edits
    from landline.clients.doctor.settings_in_force import read_settings

    if vscode and (project or status_line):
        raise click.UsageError("--vscode writes an editor's own settings: leave out --project and --status-line")
    home, cwd = Path(os.environ.get("HOME") or Path.home()), Path.cwd()
    target = _target(gateway, model)
    in_force = read_settings(home=home, cwd=cwd, environ=os.environ)
    _, user_file, _, local_file = user_settings_paths(home=home, cwd=cwd, environ=os.environ)
    if vscode:
        return _for_editors(in_force, target, home)
    file = local_file if project else user_file
    edits = permanent_edits(in_force, target, file)
    if status_line:
        edits += _status_line_edits(file, target)
    return changes_of(edits)


def _of_others(client: str, target: Target, *, project: bool) -> tuple[Change, ...]:
    """Raises SettingsError."""
    import os

    from landline.clients import permanent_files
    from landline.clients.openai_launch import KEY_VARIABLE

    places = permanent_files.Places(Path(os.environ.get("HOME") or Path.home()), Path.cwd(), os.environ)
    if client == "codex":
        if project:
            raise SettingsError(
                "Codex takes no provider from a project's config.toml.", hint="Leave --project out, or use `launch`."
            )
        changes = permanent_files.codex_changes(target, places, instructions=_codex_instructions(places))
    elif client == "opencode":
        changes = permanent_files.opencode_changes(target, places, project=project)
    else:
        changes = permanent_files.qwen_changes(target, places, project=project)
    if target.token:
        notice(f"the gateway wants a key: the client reads it from {KEY_VARIABLE}, which your shell must export")
    return changes


def _codex_instructions(places: Places) -> str:
    """What the installed client tells a model that it does not know; the catalogue needs it."""
    import tempfile

    from landline.clients.codex_launch import own_instructions
    from landline.clients.install import default_cache, find_client
    from landline.clients.launching import Request

    program = find_client(CLIENTS["codex"], default_cache())
    if program is None:
        notice("Codex was not found: without it no catalogue of models is written, and it will warn that it has none")
        return ""
    with tempfile.TemporaryDirectory(prefix="landline-") as folder:
        request = Request(args=(), environ=places.environ, home=places.home, cwd=places.cwd, folder=Path(folder))
        return own_instructions(program, request)


def _for_editors(in_force: SettingsInForce, target: Target, home: Path) -> tuple[Change, ...]:
    """Raises SettingsError, where no editor was used here too."""
    import os

    from landline.clients.doctor.editors import NAMES, editor_changes, editor_files
    from landline.clients.doctor.permanent import permanent_environment

    files = editor_files(home=home, environ=os.environ)
    if not files:
        raise SettingsError(
            f"None of {', '.join(NAMES)} was ever started here: they have no settings folder.",
            hint="Start the editor once, or leave out --vscode: the extension reads the client's settings file too.",
        )
    return editor_changes(files, permanent_environment(in_force, target))


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
    from landline.clients.doctor.fixes import changes_of

    return _written(changes_of(edits), assume_yes=assume_yes)


def _written(changes: tuple[Change, ...], *, assume_yes: bool, client: str = "") -> bool:
    from landline.clients.doctor.fixes import apply, backups_folder

    if not changes:
        notice("there is nothing in a settings file to change")
        return True
    show_changes([(change.before, change.after, change.file) for change in changes])
    if not assume_yes and not agreed("Write this?"):
        notice("nothing was changed")
        return False
    kept = apply(changes, backups_folder(), client=client)
    notice(f"changed {', '.join(str(change.file) for change in changes)}; what was there is kept in {kept}")
    notice(f"`landline settings restore{client and f' {client}'}` puts it back")
    return True


@settings.command(
    epilog="\b\nExamples:\n  landline settings restore\n  landline settings restore --yes\n"
    "  landline settings restore --list\n  landline settings restore codex"
)
@click.argument("client", type=click.Choice(sorted(CLIENTS)), required=False)
@click.option("--list", "listing", is_flag=True, help="List what is kept, the newest last; change nothing.")
@click.option("--yes", "assume_yes", is_flag=True, help="Do not ask.")
@reports_errors
def restore(*, client: str | None, listing: bool, assume_yes: bool) -> None:
    """Put the files of the newest backup back, byte by byte; once more for the one before it.

    With CLIENT the newest backup of that client's files.

    Shows the difference and asks. A file that was changed since is never put back with --yes.
    """
    from landline.clients.doctor import fixes

    folder = fixes.backups_folder()
    kept = fixes.backups(folder, client="" if client == CLAUDE else client)
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
