"""The page of symptoms and the doctor's table of checks name the same checks."""

from __future__ import annotations

import re
from pathlib import Path

from landline.clients.doctor.catalogue import CHECKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "troubleshooting.md"


def named() -> list[str]:
    """The last cell of each row that is neither a head nor a rule."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [row.rstrip(" |").rpartition("|")[2].strip() for row in rows]
    return [cell for cell in cells if cell != "Check"]


def test_every_check_that_is_named_exists() -> None:
    assert all(re.fullmatch(r"`\w+`", cell) for cell in named()), named()
    assert {cell.strip("`") for cell in named()} - set(CHECKS) == set()


def test_every_check_has_a_row() -> None:
    assert set(CHECKS) - {cell.strip("`") for cell in named()} == set()
