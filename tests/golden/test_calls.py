"""Every golden case of a tool-call syntax gives its calls and its text, whole and in pieces; the record says so."""

from __future__ import annotations

import pytest

from tests.golden.call_results import measured, recorded
from tests.golden.calls import FOLDER, SYNTAXES, Case, golden, troubles

CASES = [pytest.param(name, case, id=f"{name}-{key}") for name in SYNTAXES for key, case in golden(name).cases.items()]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_the_calls_and_the_text(name: str, case: Case) -> None:
    assert troubles(name, case) == []


def test_every_syntax_has_cases() -> None:
    assert {file.stem for file in FOLDER.glob("*.toml")} == set(SYNTAXES)
    for name in SYNTAXES:
        told = golden(name)
        assert len(told.cases) >= 10, name
        assert told.parser in SYNTAXES[name].parsers, name


def test_the_record_is_true() -> None:
    told = recorded().syntaxes
    for name, result in measured().items():
        result.compared = told[name].compared  # with the class, which vLLM's run checks
        assert told[name] == result, f"{name}: run `uv run python -m tests.vllm.parsers`"
        assert told[name].compared.partition(" ")[0] == golden(name).parser
    assert list(told) == list(SYNTAXES)


def test_a_wrong_case_is_found() -> None:
    case = golden("hermes").cases["two_calls"]
    wrong = Case(raw=case.raw, text=case.text, calls=(*case.calls[:1], 'read {"file": "c.txt"}'))
    assert len(troubles("hermes", wrong)) == 3
    assert len(troubles("hermes", Case(raw=case.raw, text="other", calls=case.calls))) == 3
    assert len(troubles("hermes", Case(raw=case.raw, text=case.text, calls=case.calls[:1]))) == 3
