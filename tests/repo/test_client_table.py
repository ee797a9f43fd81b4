"""The table of clients must itself be able to fail: sessions of its own on a small folder of marked tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.scenarios import CLIENTS, SCENARIOS
from tests.clients.table import CANNOT, PASSED, Cell, Table, differences, read_table

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parents[1]
CONFTEST = """
from pathlib import Path
from tests.clients.plugin import ClientTable
from tests.clients.scenarios import Client

CLIENTS = {"one": Client("One", "1.0", "chat", {"b": "has no b"}), "two 2.0": Client("Two", "2.0", "Messages", {})}

def pytest_addoption(parser):
    parser.addoption("--write-results", action="store_true")

def pytest_configure(config):
    here = Path(__file__).parent
    scenarios = {"a": "A", "b": "B"}
    table = ClientTable(config, (here,), here / "results.toml", clients=CLIENTS, scenarios=scenarios)
    config.pluginmanager.register(table)
"""
SETTINGS = """
[pytest]
markers =
    scenario(client, *names): x
"""
CELLS = """
import pytest

@pytest.mark.scenario("one", "a", "b")
def test_of_one(record_property):
    record_property("figure: calls", 20)

@pytest.mark.parametrize("claude", ["2.0"])
@pytest.mark.scenario("two", "a", "b")
def test_of_two(claude):
    {body}
"""


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent))
    pytester.makeconftest(CONFTEST)
    pytester.makeini(SETTINGS)
    return pytester


def run(folder: pytest.Pytester, body: str, *arguments: str, source: str = CELLS) -> pytest.RunResult:
    folder.makepyfile(test_cells=source.replace("{body}", body))
    return folder.runpytest_subprocess("-p", "no:cacheprovider", "-m", "scenario", *arguments)


def test_what_passed_is_written_and_holds(folder: pytest.Pytester) -> None:
    assert run(folder, "assert True", "--write-results").ret == 0
    table = read_table(folder.path / "results.toml")
    assert {client: {name: cell.result for name, cell in cells.items()} for client, cells in table.cells.items()} == {
        "one": {"a": PASSED, "b": CANNOT},
        "two 2.0": {"a": PASSED, "b": PASSED},
    }
    assert table.figures == {"calls": 20}
    assert run(folder, "assert True").ret == 0


def test_a_test_that_fails_is_never_written_as_passed(folder: pytest.Pytester) -> None:
    done = run(folder, "assert False", "--write-results")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["no results were written: some cells have no test that ran and passed"])
    assert not (folder.path / "results.toml").exists()


def test_a_test_that_was_skipped_is_not_written_and_says_nothing(folder: pytest.Pytester) -> None:
    assert run(folder, "assert True", "--write-results").ret == 0
    assert run(folder, "pytest.skip('no npm')").ret == 0
    assert run(folder, "pytest.skip('no npm')", "--write-results").ret == 1


def test_a_run_that_finds_something_else_fails(folder: pytest.Pytester) -> None:
    assert run(folder, "assert True", "--write-results").ret == 0
    done = run(folder, "assert True", source=CELLS.replace("20)", "21)"))
    assert done.ret == 1
    done.stdout.fnmatch_lines(["results.toml is stale, calls: was 20, is 21"])


def test_a_cell_without_a_test_fails(folder: pytest.Pytester) -> None:
    done = run(folder, "assert True", source=CELLS.replace('"two", "a", "b"', '"two", "a"'))
    assert done.ret == 1
    done.stdout.fnmatch_lines(["two 2.0, b: no test fills this cell"])


def test_a_client_or_scenario_that_nobody_knows_fails(folder: pytest.Pytester) -> None:
    done = run(folder, "assert True", source=CELLS.replace('"two", "a", "b"', '"three", "a", "c"'))
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*there is no scenario 'c' in*", "*there is no client 'three 2.0' in*"])


def test_a_part_of_the_tests_writes_nothing(folder: pytest.Pytester) -> None:
    done = run(folder, "assert True", "--write-results", "-k", "test_of_one")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["no results were written: only a part of the tests ran"])


def test_differences_name_the_cell() -> None:
    before = Table({"one": {"a": Cell(PASSED, ["x"])}})
    [told] = differences(before, Table({"one": {"a": Cell(PASSED, ["y"])}}))
    assert told.startswith("one, a: was ")


def test_the_recorded_table_is_whole_and_its_tests_exist() -> None:
    table = read_table(TESTS / "clients" / "results.toml")
    assert {client: list(cells) for client, cells in table.cells.items()} == {name: list(SCENARIOS) for name in CLIENTS}
    for client, cells in table.cells.items():
        for scenario, cell in cells.items():
            assert cell.result == (CANNOT if scenario in CLIENTS[client].cannot else PASSED), (client, scenario)
            assert cell.tests, (client, scenario)
            for test in cell.tests:
                file, _, name = test.partition("::")
                assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"), test
