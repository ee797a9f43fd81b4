"""The pytest side of this folder: marks its tests, holds their names to their rows, prints one line per row, and with
`--ablate` the table of what each ablation turns red. Registered by tests/conftest.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.failure_modes.ablated_runs import RowTest, ablate, never_red, rows_of
from tests.failure_modes.ablation import ABLATIONS_PACKAGE, Ablation, load_ablations
from tests.failure_modes.catalogue import (
    CANNOT_APPLY,
    FAILED,
    NO_TEST,
    PASSED,
    Results,
    RowResult,
    differences,
    read_catalogue,
    read_results,
    write_results,
)

FOLDER = Path(__file__).resolve().parent
MARK = "failure_modes"
COMPLETE = True  # True: a row without test, and a difference to results.toml, fail the session


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("failure modes")
    group.addoption("--ablate", action="store_true", help="with -m failure_modes: switch each repair off in turn")
    group.addoption(
        "--write-results",
        action="store_true",
        help="with --ablate: write tests/failure_modes/results.toml; with -m scenario: tests/clients/results.toml",
    )


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("markexpr") == MARK
    if config.getoption("ablate") and not chosen:
        raise pytest.UsageError(f"--ablate goes together with -m {MARK}")
    if (
        config.getoption("write_results")
        and not config.getoption("ablate")
        and config.getoption("markexpr") != "scenario"
    ):
        raise pytest.UsageError("--write-results goes together with --ablate, or with -m scenario")
    config.pluginmanager.register(FailureModes(config, FOLDER, complete=COMPLETE), "landline-failure-modes")


class FailureModes:
    """The tests below one folder, in one session."""

    def __init__(
        self, config: pytest.Config, folder: Path, *, complete: bool, ablations: str = ABLATIONS_PACKAGE
    ) -> None:
        self.config = config
        self.folder = folder
        self.complete = complete
        self.ablations = ablations  # the package that holds them
        self.catalogue = read_catalogue(folder / "catalogue.toml")
        self.found = Results({row: RowResult() for row in self.catalogue.rows})
        self.tests: dict[str, RowTest] = {}
        self.failed: set[str] = set()  # node ids
        self.skipped: set[str] = set()
        self.troubles: list[str] = []
        self.table: list[str] = []
        self.whole = False
        self._deselected = False

    # -------------------------------------------------------------------------------------------- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if not item.path.is_relative_to(self.folder):
                continue
            item.add_marker(MARK)
            rows = rows_of(item)
            self.troubles += self._misnamed(item, rows)
            self.tests[item.nodeid] = RowTest(item, tuple(row for row in rows if row in self.catalogue.rows))

    def _misnamed(self, item: pytest.Item, rows: Sequence[str]) -> list[str]:
        name = getattr(item, "originalname", item.name)
        said = name.removeprefix("test_row_")
        if not rows or said == name:
            return [f'{item.nodeid}: a test here is called test_row_2_05_... and marked row("2.05")']
        wrong = [f"{item.nodeid}: there is no row {row}" for row in rows if row not in self.catalogue.rows]
        missing = [row for row in rows if f"_{row.replace('.', '_')}_" not in f"_{said}_"]
        return wrong + [f"{item.nodeid}: the name does not carry the row {row}" for row in missing]

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        if any(item.nodeid in self.tests for item in items):
            self._deselected = True

    def _is_whole(self) -> bool:
        collected = {test.item.path for test in self.tests.values()}
        files = set(self.folder.rglob("test_*.py"))
        parts = any("::" in argument for argument in self.config.args)
        return files <= collected and not self._deselected and not parts

    # -------------------------------------------------------------------------------------------- running

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid in self.tests and report.failed:
            self.failed.add(report.nodeid)
        elif report.nodeid in self.tests and report.skipped:
            self.skipped.add(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        done = yield
        if session.config.option.collectonly or not self.tests:
            return done
        chosen = {item.nodeid for item in session.items}
        self.tests = {name: test for name, test in self.tests.items() if name in chosen}
        self.whole = self._is_whole() and not session.shouldfail and not session.shouldstop
        self._rows()
        if self.config.getoption("ablate"):
            self._ablate()
        if self.whole:
            self._compare()
        elif self.config.getoption("write_results") and self.config.getoption("ablate"):
            self.troubles.append("no results were written: only a part of the tests ran")
        session.testsfailed += len(self.troubles)
        return done

    def _rows(self) -> None:
        """A row holds where no test of it failed and one passed: with all of them skipped it is not shown to hold."""
        green = [test for name, test in self.tests.items() if name not in self.failed | self.skipped]
        held = {row for test in green for row in test.rows}
        for test in self.tests.values():
            where = test.item.path.relative_to(self.folder).as_posix()
            name = f"{where}::{getattr(test.item, 'originalname', test.item.name)}"
            for row in test.rows:
                found = self.found.rows[row]
                found.tests = sorted({*found.tests, name})
                good = CANNOT_APPLY if row in self.catalogue.cannot_apply else PASSED
                bad = test.item.nodeid in self.failed or row not in held or found.result == FAILED
                found.result = FAILED if bad else good
        if self.whole and self.complete:
            without = [row for row, found in self.found.rows.items() if found.result == NO_TEST]
            self.troubles += [f"row {row} has no test" for row in without]

    def _ablate(self) -> None:
        ablations = load_ablations(self.ablations, problems=self.troubles)
        green = [test for name, test in self.tests.items() if name not in self.failed | self.skipped]
        self._line("")
        outcome = ablate(green, ablations, told=self._told)
        self.troubles += outcome.troubles
        shown = [ablation for ablation in ablations if self.whole or outcome.red[ablation.name]]
        self.table = [self._line_of(ablation, outcome.red[ablation.name]) for ablation in shown]
        for name, rows in outcome.red.items():
            for row in rows:
                self.found.rows[row].ablations.append(name)
        for found in self.found.rows.values():
            found.ablations.sort()
        self.found.ablations = {ablation.name: ablation.what for ablation in ablations}
        tested = [row for row, found in self.found.rows.items() if found.result == PASSED]
        self.troubles += [f"row {row} never turned red: no test" for row in never_red(tested, outcome.red)]
        if self.whole:
            self.troubles += [f"ablation {name} turned nothing red" for name, rows in outcome.red.items() if not rows]

    def _told(self, ablation: Ablation, red: set[str], seconds: float) -> None:
        if red or self.whole:
            self._line(f"{seconds:6.1f} s  {self._line_of(ablation, red)}")

    def _line_of(self, ablation: Ablation, red: set[str]) -> str:
        rows = " ".join(row for row in self.catalogue.rows if row in red) or "nothing"
        return f"{ablation.name:32}  {ablation.what}: {rows}"

    def _line(self, text: str) -> None:
        self.config.get_terminal_writer().line(text)
        self.config.get_terminal_writer().flush()

    def _compare(self) -> None:
        ablated = bool(self.config.getoption("ablate"))
        path = self.folder / "results.toml"
        if ablated and self.config.getoption("write_results"):
            write_results(path, self.found)
        elif self.complete:
            told = differences(read_results(path), self.found, ablated=ablated)
            self.troubles += [f"{path.name} is stale, {one}" for one in told]

    # -------------------------------------------------------------------------------------------- report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.config.getoption("markexpr") == MARK and not self.config.option.collectonly:
            terminalreporter.section("failure modes")
            for row, found in self.found.rows.items():
                if self.whole or found.result != NO_TEST:
                    terminalreporter.write_line(f"{row}  {found.result:12}  {self.catalogue.rows[row]}")
        if self.table:
            terminalreporter.section("ablations: what, and the rows that turn red without it")
        for line in self.table:
            terminalreporter.write_line(line)
        if self.troubles:
            terminalreporter.section("failure modes: what is wrong")
        for trouble in self.troubles:
            terminalreporter.write_line(trouble, red=True)
