"""`landline config`: the settings in force, where each came from, which files are read, and the file's schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, notice, reports_errors
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.config.files import SettingsFiles

_config_file = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Read this file instead of the user file (also: LANDLINE_CONFIG).",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    epilog="\b\nExamples:\n  landline config show\n  landline config path\n"
    "  landline config schema > landline.schema.json"
)
def config() -> None:
    """Show the settings in force and where each came from.

    Flags win over LANDLINE_<TABLE>_<KEY> variables, these over the project's landline.toml, this over the user file.
    """


@config.command(
    epilog="\b\nExamples:\n  landline config show\n  landline config show --json\n"
    "  LANDLINE_GATEWAY_PORT=5000 landline config show"
)
@_as_json
@_config_file
@reports_errors
def show(*, as_json: bool, config_file: Path | None) -> None:
    """Every key, its value here and now, and where it came from. Secrets are masked."""
    import os

    import msgspec

    from landline.config.display import printable, shown, shown_text
    from landline.config.keys import known_keys
    from landline.config.sources import load_settings

    loaded = load_settings(environ=os.environ, cwd=Path.cwd(), explicit_file=config_file)
    values = msgspec.to_builtins(loaded.settings)
    rows: list[dict[str, object]] = []
    facts: list[dict[str, object]] = []
    for name, key in known_keys().items():
        value, origin = values[key.table][key.name], loaded.origins[name]
        came_from = f"{origin.source} {printable(origin.detail)}".strip()
        rows.append({"key": name, "value": shown_text(key, value), "from": came_from})
        facts.append({"key": name, "value": shown(key, value), "source": origin.source, "detail": origin.detail})
    for text in loaded.notices:
        notice(text)
    emit({"settings": facts, "notices": loaded.notices}, as_json=as_json, rows=rows)


@config.command(epilog="\b\nExample:\n  landline config schema > landline.schema.json")
@reports_errors
def schema() -> None:
    """The JSON schema of landline.toml (draft 2020-12), for editors and checks."""
    from landline.config.schema import settings_schema

    emit(settings_schema(), as_json=True)


@config.command(epilog="\b\nExamples:\n  landline config path\n  landline config path --config other.toml --json")
@_as_json
@_config_file
@reports_errors
def path(*, as_json: bool, config_file: Path | None) -> None:
    """Which settings files are read here, later ones over earlier ones, and which of them exist."""
    import os

    from landline.config.display import printable
    from landline.config.files import settings_files

    files = settings_files(environ=os.environ, cwd=Path.cwd(), explicit_file=config_file)
    rows = [
        {"file": files.base_source, "path": str(files.base), "state": "read" if files.base.exists() else "missing"},
        {"file": "project file", **_project_row(files)},
    ]
    shown = [{name: printable(text) for name, text in row.items()} for row in rows]
    emit(rows, as_json=as_json, rows=shown)


def _project_row(files: SettingsFiles) -> dict[str, str]:
    from landline.config.files import FILE_NAME, read_document
    from landline.config.trust import restricted_entries, trust_state, trust_store

    if files.project is None:
        return {"path": FILE_NAME, "state": "none here or above, up to the git root or the home folder"}
    try:
        document = read_document(files.project)
    except SettingsError as error:
        return {"path": str(files.project), "state": error.message}
    state = "read"
    if restricted_entries(document.data):
        state += f", {trust_state(files.project, trust_store(), content=document.content)}"
    return {"path": str(files.project), "state": state}
