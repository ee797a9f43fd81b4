"""The page of symptoms, the doctor's table of checks, and the errors that name one: all name the same checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from landline.clients.doctor.catalogue import CHECKS as OF_CLAUDE
from landline.clients.doctor.catalogue import CURSOR_CHECKS
from landline.errors import MATCHED, POINTER, ErrorKind, LandlineError, without_pointer

CHECKS = OF_CLAUDE | CURSOR_CHECKS
REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "guides" / "troubleshooting.md"
ERRORS = ("LandlineError", "failed")  # what takes `check=`: the error, and a backend's own note of one


def cells() -> list[str]:
    """The last cell of each row that is neither a head nor a rule."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    last = [row.rstrip(" |").rpartition("|")[2].strip() for row in rows]
    return [cell for cell in last if cell != "Check"]


def named() -> set[str]:
    return {cell.rpartition("</a>")[2].strip("`") for cell in cells()}


def pointed() -> Iterator[tuple[str, str]]:
    """Where each check is named by an error of the source, and its id."""
    for path in sorted((REPOSITORY / "src" / "landline").rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        for call in calls:
            called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            value = next((word.value for word in call.keywords if word.arg == "check" and called in ERRORS), None)
            if isinstance(value, ast.Constant):
                yield f"{path.name}:{value.lineno}", str(value.value)


def test_every_check_that_is_named_exists() -> None:
    assert all(re.fullmatch(r'(<a id="(\w+)"></a>)?`\w+`', cell) for cell in cells()), cells()
    assert named() - set(CHECKS) == set()


def test_every_check_has_a_row() -> None:
    assert set(CHECKS) - named() == set()


def test_every_row_s_check_has_one_anchor() -> None:
    anchors = re.findall(r'<a id="(\w+)"></a>`(\w+)`', PAGE.read_text(encoding="utf-8"))
    assert all(anchor == check for anchor, check in anchors)
    assert sorted(anchor for anchor, _ in anchors) == sorted(CHECKS)


def test_every_check_that_an_error_names_exists() -> None:
    found = list(pointed())
    assert {place: check for place, check in found if check not in CHECKS} == {}
    assert {check for _, check in found} == {
        "backend",
        "backend_key",
        "backend_loading",
        "tool_parser",
        "token_refused",
    }


def test_the_page_shows_the_form_in_which_errors_name_a_check() -> None:
    assert f"`{POINTER.format(check='backend')}`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_words_that_clients_act_on_stand_alone(kind: ErrorKind) -> None:
    error = LandlineError(kind, "prompt is too long: 9 tokens > 8 maximum", hint="Mend it.", check="window")
    if kind in MATCHED:
        assert error.for_client == error.text
    else:
        assert error.for_client == f"{error.text} (landline doctor: window)"
    assert without_pointer(error.for_client) == error.text
