"""The pytest side of the table of clients: reads the marks, and fills the cells. Registered by tests/conftest.py.

`uv run pytest -m scenario` prints the table; `--write-results` records it, and docs/generate.py makes the page.
A cell says "pass" only where a test ran and passed; a run that finds something else than is recorded fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.clients.scenarios import CLIENTS, SCENARIOS, Client
from tests.clients.table import (
    CANNOT,
    FAILED,
    NO_TEST,
    NOT_RUN,
    PASSED,
    differences,
    empty_table,
    read_table,
    write_table,
)

TESTS = Path(__file__).resolve().parents[1]
FOLDERS = (TESTS / "clients", TESTS / "conformance")
RESULTS = TESTS / "clients" / "results.toml"
MARK = "scenario"
FIGURE = "figure: "  # how the properties begin by which a test tells a number


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ClientTable(config, FOLDERS, RESULTS), "landline-client-table")


class ClientTable:
    """The marked tests of some folders, in one session."""

    def __init__(
        self,
        config: pytest.Config,
        folders: Sequence[Path],
        results: Path,
        *,
        clients: Mapping[str, Client] = CLIENTS,
        scenarios: Mapping[str, str] = SCENARIOS,
    ) -> None:
        self.config = config
        self.folders = folders
        self.results = results
        self.clients = clients
        self.scenarios = scenarios
        self.found = empty_table(clients, scenarios)
        self.tests: dict[str, tuple[pytest.Item, list[tuple[str, str]]]] = {}
        self.files: set[Path] = set()
        self.outcomes: dict[str, set[str]] = {}
        self.troubles: list[str] = []
        self.whole = False
        self._deselected = False

    # -------------------------------------------------------------------------------------------- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.files.add(item.path)
            cells = [cell for mark in item.iter_markers(MARK) for cell in self._cells(item, mark)]
            if cells:
                self.tests[item.nodeid] = (item, cells)

    def _cells(self, item: pytest.Item, mark: pytest.Mark) -> list[tuple[str, str]]:
        client, *scenarios = mark.args
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        name = client if client in self.clients else f"{client} {parameters.get('claude', '')}"
        wrong = [f"scenario {one!r}" for one in scenarios if one not in self.scenarios]
        wrong += [] if name in self.clients else [f"client {name!r}"]
        self.troubles += [f"{item.nodeid}: there is no {one} in tests/clients/scenarios.py" for one in wrong]
        return [] if wrong else [(name, scenario) for scenario in scenarios]

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        if any(item.nodeid in self.tests for item in items):
            self._deselected = True

    def _is_whole(self, session: pytest.Session) -> bool:
        files = {path for folder in self.folders for path in folder.rglob("test_*.py")}
        parts = any("::" in argument for argument in self.config.args)
        return (
            files <= self.files
            and not self._deselected
            and not parts
            and not (session.shouldfail or session.shouldstop)
        )

    # -------------------------------------------------------------------------------------------- running

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid not in self.tests:
            return
        self.outcomes.setdefault(report.nodeid, set()).add(report.outcome)
        if report.when == "call":
            told = {
                name.removeprefix(FIGURE): value for name, value in report.user_properties if name.startswith(FIGURE)
            }
            self.found.figures |= {name: int(value) for name, value in told.items()}  # type: ignore[call-overload]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        done = yield
        if session.config.option.collectonly or not self.tests:
            return done
        self.whole = self._is_whole(session)
        chosen = {item.nodeid for item in session.items}
        for nodeid, (item, cells) in self.tests.items():
            if nodeid in chosen:
                self._fill(nodeid, item, cells)
        if self.whole:
            self._compare()
        elif self._writing():
            self.troubles.append("no results were written: only a part of the tests ran")
        session.testsfailed += len(self.troubles)
        return done

    def _fill(self, nodeid: str, item: pytest.Item, cells: Sequence[tuple[str, str]]) -> None:
        seen = self.outcomes.get(nodeid, {"skipped"})
        where = item.path.relative_to(self.folders[0].parent).as_posix()
        name = f"{where}::{getattr(item, 'originalname', item.name)}"
        for client, scenario in cells:
            cell = self.found.cells[client][scenario]
            cell.tests = sorted({*cell.tests, name})
            good = CANNOT if scenario in self.clients[client].cannot else PASSED
            now = FAILED if "failed" in seen else NOT_RUN if "skipped" in seen else good
            cell.result = max(cell.result, now, key=[NO_TEST, good, NOT_RUN, FAILED].index)

    def _compare(self) -> None:
        by_result: dict[str, list[str]] = {}
        for client, cells in self.found.cells.items():
            for scenario, cell in cells.items():
                by_result.setdefault(cell.result, []).append(f"{client}, {scenario}")
        self.troubles += [f"{cell}: no test fills this cell" for cell in by_result.get(NO_TEST, [])]
        if not self._writing():
            told = differences(read_table(self.results), self.found)
            self.troubles += [f"{self.results.name} is stale, {one}" for one in told]
        elif by_result.keys() <= {PASSED, CANNOT}:
            write_table(self.results, self.found, self.clients, self.scenarios)
        else:
            self.troubles.append("no results were written: some cells have no test that ran and passed")

    def _writing(self) -> bool:
        return bool(self.config.getoption("write_results")) and self.config.getoption("markexpr") == MARK

    # -------------------------------------------------------------------------------------------- report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.config.getoption("markexpr") == MARK and not self.config.option.collectonly:
            terminalreporter.section("clients")
            for name, cells in self.found.cells.items():
                told = "  ".join(f"{scenario}: {cell.result}" for scenario, cell in cells.items())
                terminalreporter.write_line(f"{name:28}  {told}")
            for name, number in sorted(self.found.figures.items()):
                terminalreporter.write_line(f"{name}: {number}")
        for trouble in self.troubles:
            terminalreporter.write_line(trouble, red=True)
