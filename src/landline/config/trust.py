"""Which keys a project's own file may set only after `landline trust`, and the record of the files that may.

A file is trusted by its resolved path and the sha256 of its bytes: when it changes, it asks again. The record is the
user's own data, never part of a project. Knows nothing of what the keys mean.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import msgspec
import platformdirs

from landline.config.files import SIZE_LIMIT_BYTES
from landline.errors import SettingsError

# A whole table or one key. These decide where prompts and keys go, who may connect, what runs, which further file is
# read and what is kept: whoever wrote the project must not decide them for whoever opens it.
# `commands` is reserved for a table to come.
RESTRICTED: tuple[str, ...] = (
    *("backend", "commands", "egress", "gateway.host", "gateway.hosts", "gateway.keys"),
    *("gateway.tls_certificate", "gateway.tls_key"),
    *("models.families", "search.command", "search.url", "store"),
)


class TrustState(StrEnum):
    TRUSTED = "trusted"
    CHANGED = "changed since it was trusted"
    UNKNOWN = "not trusted"


class TrustRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The store as it is on disk: resolved path -> sha256 of the bytes that were trusted, in hex."""

    version: int = 1
    files: dict[str, str] = {}


def trust_store() -> Path:
    return platformdirs.user_data_path("landline") / "trusted.json"


def is_restricted(path: tuple[str, ...]) -> bool:
    """Whether the key at `path` needs trust. Parts are compared one by one: a quoted "gateway.host" is another key."""
    entries = (tuple(entry.split(".")) for entry in RESTRICTED)
    return any(path[: len(entry)] == entry for entry in entries)


def restricted_entries(data: Mapping[str, Any]) -> dict[tuple[str, ...], object]:
    """The restricted keys that a parsed file sets, with their values, two levels deep."""
    found: dict[tuple[str, ...], object] = {}
    for table, content in data.items():
        if isinstance(content, dict):
            keys = cast("dict[str, object]", content)
            found |= {(table, name): value for name, value in keys.items() if is_restricted((table, name))}
        elif is_restricted((table,)):
            found[table,] = content
    return found


def trust_state(file: Path, store: Path, *, content: bytes | None = None) -> TrustState:
    """State of `file`. Pass `content` when the bytes were read already, so that what is judged is what is used."""
    recorded = _read_record(store).files.get(os.path.realpath(file))
    if recorded is None:
        return TrustState.UNKNOWN
    return TrustState.TRUSTED if recorded == _digest(file, content) else TrustState.CHANGED


def is_trusted(file: Path, store: Path, *, content: bytes | None = None) -> bool:
    return trust_state(file, store, content=content) is TrustState.TRUSTED


def trust(file: Path, store: Path, *, content: bytes | None = None) -> None:
    """Record `file` with the bytes it has now, or with the `content` that was shown to the user."""
    digest = _digest(file, content)
    if digest is None:
        raise SettingsError(f"{file} cannot be read, so it cannot be trusted.")
    with _locked(store):
        files = _read_record(store).files | {os.path.realpath(file): digest}
        _write_record(TrustRecord(files=files), store)


def revoke(file: Path, store: Path) -> bool:
    """Forget `file`, which need not exist any more. False when it was not recorded."""
    resolved = os.path.realpath(file)
    if resolved not in _read_record(store).files:
        return False
    with _locked(store):
        files = {path: digest for path, digest in _read_record(store).files.items() if path != resolved}
        _write_record(TrustRecord(files=files), store)
    return True


def trusted_files(store: Path) -> dict[Path, TrustState]:
    """Every recorded file with its present state."""
    return {Path(path): trust_state(Path(path), store) for path in sorted(_read_record(store).files)}


def _digest(file: Path, content: bytes | None) -> str | None:
    if content is None:
        try:
            with file.open("rb") as opened:
                content = opened.read(SIZE_LIMIT_BYTES + 1)
        except OSError:
            return None
    return hashlib.sha256(content).hexdigest()


def _read_record(store: Path) -> TrustRecord:
    try:
        return msgspec.json.decode(store.read_bytes(), type=TrustRecord)
    except FileNotFoundError:
        return TrustRecord()
    except OSError as error:
        raise SettingsError(f"{store} cannot be read: {error.strerror}.", hint="Check its permissions.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SettingsError(
            f"{store} is damaged, so no project can be trusted.",
            hint="Remove it, then run `landline trust` again in the projects that you trust.",
        ) from None


def _write_record(record: TrustRecord, store: Path) -> None:
    """Atomic: a reader sees the old record or the new one, never half of it."""
    text = json.dumps(msgspec.to_builtins(record), indent=2) + "\n"
    try:
        # mkstemp creates the file with mode 0600.
        descriptor, temporary = tempfile.mkstemp(dir=store.parent, prefix=".trusted-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(store)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{store} cannot be written: {error.strerror}.", hint="Check its folder.") from None


@contextmanager
def _locked(store: Path) -> Generator[None]:
    """One writer at a time: two at once could bring back a file that was just revoked."""
    try:
        store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(store.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"{store} cannot be written: {error.strerror}.", hint="Check its folder.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
