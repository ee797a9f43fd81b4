"""The last result for each model on each kind of server, in landline's own data folder; nothing else is written."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

import msgspec
import platformdirs

from landline.clients.checking.report import Report
from landline.errors import SettingsError

LARGEST_FILE = 1024 * 1024  # bytes


def profile_folder() -> Path:
    return platformdirs.user_data_path("landline") / "profiles"


def profile_path(folder: Path, kind: str, model: str) -> Path:
    """A name that can be read, and a digest that keeps apart what reads alike; a served name may hold anything."""
    digest = hashlib.sha256(f"{kind}\0{model}".encode("utf-8", "replace")).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", model)[-60:].strip(".-") or "model"
    return folder / f"{kind}-{readable}-{digest}.json"


def keep_profile(report: Report, folder: Path) -> Path:
    """Atomic: a reader sees the old profile or the new one. Raises SettingsError."""
    path = profile_path(folder, report.kind, report.model)
    text = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".profile-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.", hint="Check its folder.") from None
    return path


def last_profile(folder: Path, *, model: str = "") -> Report:
    """The newest profile, or the newest of one model. Files that are none are passed over. Raises SettingsError."""
    reports = [report for path in folder.glob("*.json") if (report := _read(path)) is not None]
    reports = [report for report in reports if not model or report.model == model]
    if not reports:
        of = f" of {model}" if model else ""
        raise SettingsError(f"No check{of} is kept yet.", hint="Run `landline check --backend URL` first.")
    return max(reports, key=lambda report: report.checked_at)


def _read(path: Path) -> Report | None:
    try:
        with path.open("rb") as opened:
            return msgspec.json.decode(opened.read(LARGEST_FILE), type=Report)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
