"""Changes settings files of the user's: shows the difference first, keeps what was there, and can put it back.

Every byte that is not meant stays. A link is followed, so that it stays one. Secrets are in no difference, and what is
kept of them lies in landline's own data folder, for the user alone.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
import platformdirs
from msgspec import Struct

from landline.clients.claude_settings import read_small
from landline.clients.doctor.commented_json import decoded, plain, secret_spans
from landline.clients.doctor.finding import Edit
from landline.clients.doctor.json_places import Keys, changed_document, members, with_value, without
from landline.config.display import hide_logins, printable
from landline.errors import SettingsError

SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL|HEADERS|COOKIE|AUTH", re.IGNORECASE)
SECRET_ENTRY = re.compile(rf"^(?!.*TOKENS\"$).*({SECRET_NAME.pattern})", re.IGNORECASE)  # a name in its marks
NO_SECRETS = re.compile(r"TOKENS$")  # numbers of tokens
SET, CHANGED = '"[set]"', '"[set to another value]"'
_SECRET_LINE = re.compile(
    r'"(?P<name>[^"]*(?:TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL|HEADERS|COOKIE|AUTH)[^"]*)"(?P<colon>\s*:\s*)'
    r'(?P<value>"[^"\\]*(?:\\.[^"\\]*)*")',
    re.IGNORECASE,
)
_SECRET_ENTRY = re.compile(
    r'"name"\s*:\s*"(?P<name>[^"\n]*(?:TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL|HEADERS|COOKIE|AUTH)[^"\n]*)"'
    r'(?P<colon>[^{}]*?"value"\s*:\s*)(?P<value>"[^"\\\n]*(?:\\.[^"\\\n]*)*")',
    re.IGNORECASE,
)
_TOML_SECRET = re.compile(
    r"(?P<name>[\w\".-]*(?:TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL|HEADERS|COOKIE|AUTH)[\w\".-]*)(?P<equals>\s*=\s*)"
    r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\{.*\}|\[.*\])",
    re.IGNORECASE,
)
_NO_TOML_SECRET = "env_key"  # noqa: S105 - the name of a variable
MANIFEST = "manifest.json"
BOM = "\ufeff"
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


class Change(Struct, frozen=True):
    """`before` None: the file is not there yet. `file` is where it really lies, at the end of all links."""

    file: Path
    before: bytes | None
    after: bytes


class Kept(Struct, frozen=True):
    """A file of a backup: its content is in `content`, None where there was none; `written` digests what we wrote."""

    file: str
    content: str | None
    written: str


class Backup(Struct, frozen=True):
    made_at: str
    files: tuple[Kept, ...]
    client: str = ""  # whose files they are; empty: Claude Code's


def backups_folder() -> Path:
    return platformdirs.user_data_path("landline") / "settings-backups"


def changes_of(edits: Iterable[Edit]) -> tuple[Change, ...]:
    """What the edits make of each file; files that they leave as they are are not in it. Raises SettingsError."""
    by_file: dict[Path, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(real_path(edit.file), []).append(edit)
    changes: list[Change] = []
    for file, wanted in by_file.items():
        before = content_of(file)
        after = _edited(file, before, wanted)
        if after != before and not (before is None and not after.strip()):
            changes.append(Change(file, before, after))
    return tuple(changes)


def difference(before: bytes | None, after: bytes | None, name: str) -> list[str]:
    """The lines of a unified difference, without values of keys and tokens."""
    old, new = _without_secrets(before, None), _without_secrets(after, before)
    if name.endswith(".toml"):
        old, new = ([_TOML_SECRET.sub(_toml_masked, line) for line in lines] for lines in (old, new))
    lines = difflib.unified_diff(old, new, f"{name} (now)", f"{name} (changed)", n=1, lineterm="")
    return [printable(line) for line in lines]


def apply(changes: tuple[Change, ...], folder: Path, *, client: str = "") -> Path:
    """Keeps what is there under `folder`, then writes each file; the backup's own folder. Raises SettingsError."""
    for change in changes:
        if content_of(change.file) != change.before:
            raise SettingsError(f"{change.file} was changed meanwhile.", hint="Run the same once more.")
    kept = _keep(changes, folder, client)
    for change in changes:
        _write(change.file, change.after)
    return kept


def backups(folder: Path, *, client: str | None = None) -> list[Path]:
    """The newest last; with `client` those of its files. A folder that is no backup is passed over."""
    found = [(path.parent, _manifest(path.parent)) for path in sorted(folder.glob(f"*/{MANIFEST}"))]
    return [path for path, one in found if one is not None and client in {None, one.client}]


def manifest_of(backup: Path) -> Backup:
    found = _manifest(backup)
    if found is None:
        raise SettingsError(f"{backup} is no backup.", hint="`landline settings restore --list` shows those there are.")
    return found


def restoring(backup: Path) -> tuple[tuple[Change, ...], tuple[Path, ...]]:
    """What puts the files back (`after` empty: the file goes), and those of them that were changed since.

    Raises SettingsError.
    """
    changes: list[Change] = []
    changed_since: list[Path] = []
    for kept in manifest_of(backup).files:
        file = Path(kept.file)
        now = content_of(file)
        before = None if kept.content is None else _stored(backup, kept.content)
        if now == before:
            continue
        if now is None or _digest(now) != kept.written:
            changed_since.append(file)
        changes.append(Change(file, now, before or b""))
    return tuple(changes), tuple(changed_since)


def restore(backup: Path, changes: tuple[Change, ...]) -> None:
    """Puts the files back as they were, and forgets the backup. Raises SettingsError."""
    absent = {kept.file for kept in manifest_of(backup).files if kept.content is None}
    for change in changes:
        if str(change.file) in absent:
            change.file.unlink(missing_ok=True)
        else:
            _write(change.file, change.after)
    shutil.rmtree(backup, ignore_errors=True)


# ------------------------------------------------------------------------------------------------ text


def _edited(file: Path, before: bytes | None, edits: list[Edit]) -> bytes:
    try:
        text = (before or b"").decode("utf-8")
        mark, text = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
        empty = not text.strip()
        text = "{}\n" if empty else text
        read: object = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_json(file) from None
    if not isinstance(read, dict):
        raise _no_json(file)
    document = wanted = cast("dict[str, object]", read)
    for edit in edits:
        wanted = changed_document(wanted, edit.keys, edit.value, remove=edit.remove)
        text = without(text, edit.keys) if edit.remove else with_value(text, edit.keys, edit.value)
    if wanted == document:
        return before if before is not None else b""
    if json.loads(text) != wanted:  # a document that is laid out in a way that was not foreseen: its layout is lost
        text = json.dumps(wanted, indent=2, ensure_ascii=False) + "\n"
    return (mark + text).encode()


def _without_secrets(content: bytes | None, earlier: bytes | None) -> list[str]:
    """Lines with secret values masked; one that was another value earlier is marked so."""
    text = (content or b"").decode("utf-8", "replace")
    theirs = _secrets((earlier or b"").decode("utf-8", "replace"))
    for keys, (start, end) in sorted(_spans(text).items(), key=lambda item: item[1], reverse=True):
        if text[start:end] == '""':
            continue
        changed = keys in theirs and theirs[keys] not in ('""', text[start:end])
        text = text[:start] + (CHANGED if changed else SET) + text[end:]
    text = _SECRET_ENTRY.sub(_masked, text)  # in comments too
    return [str(hide_logins(_SECRET_LINE.sub(_masked, line))) for line in text.splitlines()]


def _masked(found: re.Match[str]) -> str:
    """Deeper in a document and in comments, where no key is looked for, the name that stands there counts."""
    if NO_SECRETS.search(found["name"]) or found["value"] in ('""', SET, CHANGED):
        return found.group()
    return found.group()[: found.start("value") - found.start()] + SET


def _toml_masked(found: re.Match[str]) -> str:
    if found["name"].strip('"') == _NO_TOML_SECRET:
        return found.group()
    return f"{found['name']}{found['equals']}{SET}"


def _secrets(text: str) -> dict[Keys, str]:
    return {keys: text[start:end] for keys, (start, end) in _spans(text).items()}


def _spans(text: str) -> dict[Keys, tuple[int, int]]:
    """By keys; a value of a list of names and values has its place in the document behind them."""
    try:
        decoded(text.removeprefix(BOM))
    except (ValueError, RecursionError):
        return {}
    found = {
        keys: (place.value_start, place.value_end)
        for keys, place in members(plain(text)).items()
        if SECRET_NAME.search(keys[-1]) and not NO_SECRETS.search(keys[-1])
    }
    outer = list(found.values())
    listed = [span for span in secret_spans(text, SECRET_ENTRY) if not any(a <= span[0] < b for a, b in outer)]
    return found | {(str(number), "listed"): span for number, span in enumerate(listed)}


def _no_json(file: Path) -> SettingsError:
    return SettingsError(
        f"{file} is not a JSON object.", hint="Correct it by hand, or move it away; then run this again."
    )


# ------------------------------------------------------------------------------------------------ files


def real_path(file: Path) -> Path:
    try:
        return file.resolve()
    except (OSError, RuntimeError) as error:
        raise SettingsError(f"{file} cannot be followed.", hint="Is it a link to itself?") from error


def content_of(file: Path) -> bytes | None:
    try:
        return read_small(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.", hint="Correct that by hand.") from None


def _write(file: Path, content: bytes) -> None:
    """Atomic, with the mode that the file had; a new one is the user's alone. Raises SettingsError."""
    try:
        mode = file.stat().st_mode & 0o777 if file.exists() else PRIVATE_FILE
        file.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".landline-")
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
            Path(temporary).chmod(mode)
            Path(temporary).replace(file)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}.", hint="Check its folder.") from None


def _keep(changes: tuple[Change, ...], folder: Path, client: str) -> Path:
    """The manifest is written last: without it a folder is no backup."""
    now = datetime.now(UTC)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        backup = Path(tempfile.mkdtemp(dir=folder, prefix=now.strftime("%Y%m%dT%H%M%S%fZ-")))
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror}.", hint="Check its folder.") from None
    kept: list[Kept] = []
    for number, change in enumerate(changes):
        name = None if change.before is None else f"{number}.json"
        if name is not None:
            _write(backup / name, change.before or b"")
        kept.append(Kept(str(change.file), name, _digest(change.after)))
    manifest = Backup(now.isoformat(timespec="seconds"), tuple(kept), client)
    _write(backup / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return backup


def _manifest(backup: Path) -> Backup | None:
    try:
        return msgspec.json.decode(read_small(backup / MANIFEST), type=Backup)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _stored(backup: Path, name: str) -> bytes:
    content = content_of(backup / Path(name).name)
    if content is None:
        raise SettingsError(f"{backup} has lost a file.", hint="Nothing was changed.")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
