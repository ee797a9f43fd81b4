"""Without these, the client is not found, is another one than it seems, or does not hear of the gateway."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.failure_modes.ablation import Ablation


def _false(*args: Any) -> bool:
    return False


def _no_words(client: Any) -> str:
    return ""


def _first_only(names: tuple[str, ...], search_path: str | None) -> Iterator[Path]:
    found = shutil.which(names[0], path=search_path if search_path is None else search_path.split(os.pathsep)[0])
    yield from [Path(found)] if found else []


def _on_the_line(args: Any) -> tuple[list[str], str | None]:
    return list(args), None


def _nowhere(**kwargs: Any) -> Any:
    from landline.clients.claude_settings import SettingsFiles

    return SettingsFiles(())


def _nothing_kept(backup: Any, changes: Any) -> None:
    return None


def _rewritten(file: Any, before: Any, edits: Any) -> bytes:
    return b"{}"


ABLATIONS = (
    Ablation("programs_of_path", "every folder of PATH is searched", "landline.clients.install:_on_path", _first_only),
    Ablation("windows_programs", "Windows' programs are known", "landline.clients.install:_of_windows", _false),
    Ablation(
        "settings_in_a_file",
        "settings go into a file, not on the command line",
        "landline.clients.claude_code:split_settings_argument",
        _on_the_line,
    ),
    Ablation(
        "running_version",
        "the running gateway's version counts",
        "landline.clients.doctor.address:__version__",
        "0.0.1",
    ),
    Ablation("without_network", "what to copy", "landline.clients.install:without_network", _no_words),
    Ablation("put_back", "backups are put back", "landline.clients.doctor.fixes:restore", _nothing_kept),
    Ablation("edited_text", "single keys are edited", "landline.clients.doctor.fixes:_edited", _rewritten),
    Ablation(
        "desktop_settings",
        "the desktop application's settings are read",
        "landline.clients.claude_settings:read_desktop_settings",
        _nowhere,
    ),
)
