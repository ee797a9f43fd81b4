"""What the tests found of each client: `results.toml`, written by a run and shown by docs/generate.py."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.scenarios import Client

PASSED, FAILED, NO_TEST, CANNOT, NOT_RUN = "pass", "FAILED", "no test", "cannot", "not run"
HEAD = """\
# What the clients did in the last recorded run. Written by `uv run pytest -m scenario --write-results`; do not edit.
"""


@dataclass
class Cell:
    """`tests` are "folder/file::function"."""

    result: str = NO_TEST
    tests: list[str] = field(default_factory=list)


@dataclass
class Table:
    """Cells by client and scenario; `figures` are numbers that tests told, by their names."""

    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)


def empty_table(clients: Mapping[str, Client], scenarios: Mapping[str, str]) -> Table:
    return Table({client: {scenario: Cell() for scenario in scenarios} for client in clients})


def read_table(path: Path) -> Table:
    told = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    cells = {
        name: {scenario: Cell(cell["result"], cell["tests"]) for scenario, cell in client["cells"].items()}
        for name, client in told.get("clients", {}).items()
    }
    return Table(cells, told.get("figures", {}))


def write_table(path: Path, table: Table, clients: Mapping[str, Client], scenarios: Mapping[str, str]) -> None:
    lines = [HEAD, "[scenarios]", *(f"{name} = {_quoted(title)}" for name, title in scenarios.items())]
    lines += ["", "[figures]", *(f"{_quoted(name)} = {number}" for name, number in sorted(table.figures.items()))]
    for name, cells in table.cells.items():
        client = clients[name]
        lines += ["", f"[clients.{_quoted(name)}]", f"name = {_quoted(client.name)}"]
        lines += [f"version = {_quoted(client.version)}", f"protocol = {_quoted(client.protocol)}"]
        for scenario, cell in cells.items():
            tests = ", ".join(map(_quoted, cell.tests))
            reason = f", reason = {_quoted(client.cannot[scenario])}" if cell.result == CANNOT else ""
            lines.append(f"cells.{scenario} = {{ result = {_quoted(cell.result)}, tests = [{tests}]{reason} }}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    return json.dumps(text, ensure_ascii=False)


def differences(recorded: Table, found: Table) -> list[str]:
    """What a run found that is not as recorded. What could not run here (no npm) says nothing."""
    told: list[str] = []
    for client in sorted(recorded.cells.keys() | found.cells.keys()):
        before, now = recorded.cells.get(client, {}), found.cells.get(client, {})
        for scenario in sorted(before.keys() | now.keys()):
            old, new = before.get(scenario, Cell()), now.get(scenario, Cell())
            if new.result != NOT_RUN and old != new:
                told.append(f"{client}, {scenario}: was {old}, is {new}")
    told += [
        f"{name}: was {recorded.figures.get(name)}, is {number}"
        for name, number in found.figures.items()
        if recorded.figures.get(name) != number
    ]
    return told
