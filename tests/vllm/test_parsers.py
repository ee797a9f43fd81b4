"""vLLM's own parsers on the golden cases of tool calls: each difference has an explanation, each explanation is needed.

No server and no model: `uv run pytest -m vllm -k parsers` takes half a minute once vLLM is there.
"""

from __future__ import annotations

import pytest

from tests.golden.call_results import recorded
from tests.golden.calls import SYNTAXES, Case, Golden, golden
from tests.vllm.parsers import Answer, Both, Compared, compared, unexplained

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    return compared(tmp_path_factory.mktemp("parsers"))


@pytest.mark.parametrize("name", SYNTAXES)
def test_it_agrees_but_for_what_is_explained(name: str, answered: Compared) -> None:
    assert answered.troubles[name] == []


def test_the_record_names_the_version_and_the_classes(answered: Compared) -> None:
    told = recorded()
    assert told.vllm == answered.version
    assert {name: told.syntaxes[name].compared for name in SYNTAXES} == answered.parsers


def test_a_difference_is_found() -> None:
    case = golden("hermes").cases["no_arguments"]
    right, wrong = Answer(case.text, (("status", "{}"),)), Answer(case.text, (("status", '{"a": 1}'),))
    told = Golden(cases={"one": case}, parser="hermes")
    assert unexplained(told, "one", case, Both(right, right)) == []
    assert len(unexplained(told, "one", case, Both(right, wrong))) == 1
    cut = Case(raw="", cut='status {"a": "')
    assert (
        unexplained(told, "one", cut, Both(Answer("", (("status", '{"a": "'),)), Answer("", (("status", '{"'),)))) == []
    )
    assert len(unexplained(told, "one", cut, Both(right, right))) == 2
