"""Every upstream stream of the catalogue gives the client what its case says, byte for byte as in the golden file."""

from __future__ import annotations

import pytest

from tests.fakes.stream_invariant import check_stream
from tests.fakes.streams import CASES, differences
from tests.golden.translate import ASKED_MODEL, translate
from tests.golden.update import FOLDER, difference, golden_file

# Each case carries the id of its row, so that the rows without a test can be told.
PARAMETERS = [
    pytest.param(name, marks=[pytest.mark.row(case.row)] if case.row else [], id=name) for name, case in CASES.items()
]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_client_gets_what_the_case_says(name: str) -> None:
    case = CASES[name]
    raw = translate(case.upstream)
    folded = check_stream(raw, asked_model=ASKED_MODEL, tools=case.tools, backend_finish=case.finish)
    assert differences(case, folded) == []


@pytest.mark.parametrize("name", CASES)
def test_the_golden_file(name: str) -> None:
    file = golden_file(name)
    assert file.exists(), "no golden file; write it with: uv run python -m tests.golden.update"
    changed = difference(name, file.read_bytes(), translate(CASES[name].upstream))
    assert not changed, f"if this is meant: uv run python -m tests.golden.update {name}\n{changed}"


def test_no_golden_file_without_a_case() -> None:
    assert {file.stem for file in FOLDER.glob("*.sse")} <= CASES.keys()
