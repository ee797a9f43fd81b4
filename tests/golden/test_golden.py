"""Every upstream stream of the catalogue gives the client what its case says, byte for byte as in the golden file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.anthropic_events import Folded
from tests.fakes.openai_streams import check_chat, check_responses
from tests.fakes.stream_invariant import check_stream
from tests.fakes.streams import CASES, differences
from tests.golden.translate import ASKED_MODEL, translate
from tests.golden.update import difference, golden_files, stored

CHECKERS: dict[str, Callable[..., Folded]] = {"chat": check_chat, "responses": check_responses}
GOLDEN = golden_files()
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


@pytest.mark.parametrize("protocol", CHECKERS)
@pytest.mark.parametrize("name", CASES)
def test_clients_of_openai_get_the_same(name: str, protocol: str) -> None:
    """They are not told which string ended an answer."""
    told = CASES[name]
    case = replace(told, stop_sequence=None)
    if told.stop_reason == "stop_sequence":
        case = replace(case, stop_reason="end_turn")
    for cuts in ((), range(len(case.upstream))):
        raw = translate(case.upstream, cuts=cuts, protocol=protocol)
        assert differences(case, CHECKERS[protocol](raw, asked_model=ASKED_MODEL)) == []


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.name)
def test_the_golden_file(file: Path) -> None:
    name, now = GOLDEN[file]
    assert file.exists(), "no golden file; write it with: uv run python -m tests.golden.update"
    changed = difference(name, file.read_bytes(), now)
    assert not changed, f"if this is meant: uv run python -m tests.golden.update {name}\n{changed}"


def test_no_golden_file_without_a_case() -> None:
    assert set(stored()) <= GOLDEN.keys()
