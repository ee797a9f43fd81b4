"""What the doctor says: one finding for each thing that is wrong, and one for each check in which nothing is."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from msgspec import Struct


class Severity(StrEnum):
    ERROR = "error"  # the loop fails on the installed version
    WARNING = "warning"  # it works, and is fragile
    OK = "ok"


class Source(Struct, frozen=True):
    """A settings file and a line of it, the shell's environment, or the address of a server. `line` 0: none."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Edit(Struct, frozen=True):
    """One key of one settings file. `remove`: it leaves; else it gets `value`."""

    file: Path
    keys: tuple[str, ...]
    value: str | list[str] = ""
    remove: bool = False


class Finding(Struct, frozen=True, kw_only=True):
    """`finding` is what was seen here, `cause` why it breaks in one sentence, `fix` what to change."""

    id: str
    title: str
    finding: str
    cause: str = ""
    fix: str = ""
    severity: Severity
    source: Source = Source()


class Untried(Struct, frozen=True):
    """A check that could not be made, or was left out."""

    id: str
    title: str
    reason: str


class Diagnosis(Struct, frozen=True):
    """All of one run, in the order of the path from the client to the model. This is what `--json` prints."""

    checks: tuple[Finding, ...]
    not_tried: tuple[Untried, ...] = ()


class Problem(Struct, frozen=True, kw_only=True):
    """A finding as a check makes it: the table of checks has the rest. `severity` None: the table's."""

    finding: str
    fix: str
    source: Source = Source()
    severity: Severity | None = None
    edits: tuple[Edit, ...] = ()


class Passed(Struct, frozen=True):
    """Nothing is wrong; `text` is what was seen."""

    text: str


class Skipped(Struct, frozen=True):
    reason: str


Outcome = list[Problem] | Passed | Skipped
