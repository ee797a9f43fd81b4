"""Fetches one package into a folder, through the index that the user has configured, without its dependencies.

Used for data (model weights) and for programs (Node); nothing fetched here is ever imported. Knows uv and pip, and how
to watch a program that installs something; must not know what the package is for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from landline.errors import ErrorKind, LandlineError

REPORT_EVERY_S = 2.0
POLL_S = 0.1
INSTALL_TIMEOUT_S = 1800.0
LAST_WORDS = 400
_CREDENTIALS = re.compile(r"//[^/\s@]+@")


@dataclass(frozen=True)
class Installer:
    """A program that installs something: what to run, where, and the words for the user."""

    command: list[str]
    folder: Path
    """The folder that fills up: the program runs in it, and its size is the progress."""
    label: str
    hint: str
    """What the user can do when the program fails."""


def fetch_package(requirement: str, target: Path, *, report: Callable[[str], None]) -> None:
    """Install `requirement` (`name==version`) into the existing folder `target`, without dependencies."""
    command = [*_installer(), "--no-deps", "--target", str(target), requirement]
    hint = (
        f"Check that the package index can be reached (`{' '.join(_shown(command))}` shows the whole error), "
        "then run this again."
    )
    run_installer(Installer(command, target, requirement, hint), report=report)


def run_installer(installer: Installer, *, report: Callable[[str], None], timeout_s: float = INSTALL_TIMEOUT_S) -> None:
    """Run the program to its end, reporting every two seconds; raise LandlineError unless it succeeds.

    It runs inside the folder it fills, so that settings files of the project the user stands in (another index, say)
    have no say in what landline downloads.
    """
    # The output goes to a file: a pipe that nobody reads until the end could fill up and stall the program.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                installer.command,
                cwd=installer.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            message = f"{installer.command[0]} cannot be run: {error.strerror}."
            raise LandlineError(ErrorKind.INTERNAL, message, hint=installer.hint) from error
        try:
            finished = _watch(process, installer, report=report, timeout_s=timeout_s)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if finished and process.returncode == 0:
            return
        output.seek(0)
        _raise_failed(installer, output.read().decode(errors="replace"), timed_out=not finished)


def require_space(folder: Path, needed_bytes: int, *, purpose: str) -> None:
    """Refuse early where the disk cannot hold what is to be fetched. `folder` must exist."""
    free = shutil.disk_usage(folder).free
    if free >= needed_bytes:
        return
    message = f"{purpose} needs {megabytes(needed_bytes)} in {folder}, where {megabytes(free)} are free."
    raise LandlineError(ErrorKind.INTERNAL, message, hint="Free some space, then run this again.")


def megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def _installer() -> list[str]:
    """The front of the command line: uv from PATH, uv as a module, pip as a module."""
    uv = shutil.which("uv")
    uv_command = [uv] if uv else [sys.executable, "-m", "uv"] if find_spec("uv") else None
    if uv_command is not None:
        # Copies, because hard links into uv's own cache would let damage travel from one to the other.
        return [*uv_command, "pip", "install", "--python", sys.executable, "--link-mode", "copy"]
    if find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    raise LandlineError(
        ErrorKind.INTERNAL,
        "Neither uv nor pip can be found, so nothing can be fetched.",
        hint="Install uv (`pip install uv`), then run this again.",
    )


def _shown(command: list[str]) -> list[str]:
    """The command as a user would type it: names instead of whole paths, a folder of his own as the target."""
    target = command.index("--target") + 1
    return [Path(command[0]).name, *command[1:target], "somewhere", *command[target + 1 :]]


def _watch(
    process: subprocess.Popen[bytes], installer: Installer, *, report: Callable[[str], None], timeout_s: float
) -> bool:
    """Wait for the end; False when the time is over first."""
    start = time.monotonic()
    next_report = start + REPORT_EVERY_S
    while process.poll() is None:
        now = time.monotonic()
        if now - start > timeout_s:
            return False
        if now >= next_report:
            next_report = now + REPORT_EVERY_S
            # uv downloads into its own cache first: no bytes here does not mean that nothing happens.
            seen = _folder_bytes(installer.folder)
            progress = f", {megabytes(seen)} unpacked" if seen else ""
            report(f"{installer.label}: {now - start:.0f} s{progress}")
        time.sleep(POLL_S)
    return True


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue  # Moved or removed by the program since it was listed.
    return total


def _raise_failed(installer: Installer, output: str, *, timed_out: bool) -> None:
    program = Path(installer.command[0]).name
    words = " ".join(_CREDENTIALS.sub("//***@", output).split())[-LAST_WORDS:]
    cause = "did not finish in time" if timed_out else "failed"
    message = f"Fetching {installer.label} {cause}. {program} said: {words or '(nothing)'}"
    hint = installer.hint
    if shutil.disk_usage(installer.folder).free < 1_000_000:
        hint = f"The disk that holds {installer.folder.parent} is full: free some space, then run this again."
    raise LandlineError(ErrorKind.BACKEND_UNAVAILABLE, message, hint=hint)
