"""Editors whose extension runs Claude Code: where each keeps its settings, and what must stand there.

The extension starts the client itself: of a shell's variables it sees what its editor was started with, and without an
address of its own it may ask for a login first. `claudeCode.environmentVariables` is a list of name and value;
`claudeCode.disableLoginPrompt` keeps it from asking (the vendor's page on VS Code; not measured here).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from landline.clients.claude_code import DEFEATING
from landline.clients.doctor.commented_json import decoded, plain, with_member, with_variables
from landline.clients.doctor.fixes import BOM, Change, content_of, real_path
from landline.clients.doctor.json_places import members
from landline.clients.doctor.state import Editor
from landline.errors import SettingsError

VARIABLES = "claudeCode.environmentVariables"
NO_LOGIN = "claudeCode.disableLoginPrompt"
# Where the editor's window is elsewhere (WSL, SSH, a container), the extension runs here and reads these.
SERVERS = (".vscode-server", ".vscode-server-insiders", ".vscodium-server", ".cursor-server")
MOST_READ = 4 * 1024 * 1024  # characters
EXTENSION = "anthropic.claude-code-*"
EXTENSIONS = (".vscode", ".vscode-insiders", ".vscode-oss", ".cursor", *SERVERS)
NAMES = ("Code", "Code - Insiders", "VSCodium", "Cursor")


def editor_files(*, home: Path, environ: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, ...]:
    """The settings file of each editor that was used here; the file itself need not exist."""
    configured = environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else home / ".config"
    if platform == "darwin":
        base = home / "Library" / "Application Support"
    folders = [base / name / "User" for name in NAMES] + [home / server / "data" / "Machine" for server in SERVERS]
    return tuple(folder / "settings.json" for folder in folders if folder.is_dir())


def read_editors(*, home: Path, environ: Mapping[str, str], platform: str = sys.platform) -> tuple[Editor, ...]:
    """Editors with the extension, or with settings for it. Never fails."""
    installed = _extension_is_here(home)
    found: list[Editor] = []
    for file in editor_files(home=home, environ=environ, platform=platform):
        try:
            text = (content_of(file) or b"{}").decode("utf-8-sig")
            document = decoded(text) if len(text) <= MOST_READ else {}
            place = members(plain(text)).get((VARIABLES,))
        except (ValueError, RecursionError, IndexError, SettingsError):
            found += [Editor(str(file), unreadable=True)] if installed else []
            continue
        if installed or VARIABLES in document:
            found.append(Editor(str(file), place.line if place else 0, told_variables(document)))
    return tuple(found)


def _extension_is_here(home: Path) -> bool:
    try:
        return any(next((home / place / "extensions").glob(EXTENSION), None) for place in EXTENSIONS)
    except OSError:
        return False


def editor_changes(files: tuple[Path, ...], wanted: Mapping[str, str]) -> tuple[Change, ...]:
    """What gives the extension these variables; files that have them stay as they are. Raises SettingsError."""
    changes: list[Change] = []
    for file in dict.fromkeys(real_path(file) for file in files):
        before = content_of(file)
        after = _edited(file, before, wanted)
        if after != before:
            changes.append(Change(file, before, after))
    return tuple(changes)


def _edited(file: Path, before: bytes | None, wanted: Mapping[str, str]) -> bytes:
    try:
        text = (before or b"").decode("utf-8")
        mark, text = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
        text = text if text.strip() else "{\n}\n"
        document = decoded(text)
    except (ValueError, RecursionError):
        raise _cannot(file, "is no JSON object with comments") from None
    try:
        edited = with_variables(text, VARIABLES, wanted, frozenset(DEFEATING))
        edited = edited if document.get(NO_LOGIN) is True else with_member(edited, (NO_LOGIN,), value=True)
        found = decoded(edited)
    except (ValueError, RecursionError, IndexError):
        raise _cannot(file, f"has a {VARIABLES} that is no list of names and values") from None
    if _others(found) != _others(document) or wanted.items() - told_variables(found).items():
        raise _cannot(file, "is laid out in a way that was not foreseen")
    return (mark + edited).encode()


def told_variables(document: Mapping[str, Any]) -> dict[str, str]:
    """The variables that the extension hands to the client; of a name that stands twice the last one counts."""
    entries = document.get(VARIABLES)
    told: dict[str, str] = {}
    for entry in cast("list[object]", entries) if isinstance(entries, list) else []:
        pair = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        name, value = pair.get("name"), pair.get("value")
        if isinstance(name, str) and isinstance(value, str):
            told[name] = value
    return told


def _others(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in (VARIABLES, NO_LOGIN)}


def _cannot(file: Path, why: str) -> SettingsError:
    return SettingsError(f"{file} {why}.", hint=f"Correct it by hand, or set {VARIABLES} there yourself.")
