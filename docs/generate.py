"""Writes the pages that are made from the code: `uv run python docs/generate.py`, or `--check` to see if one is stale.

To add one, write a function that returns the text of a page and put it into GENERATORS.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from landline.clients.doctor.catalogue import CHECKS, CURSOR_CHECKS
from landline.clients.doctor.finding import Diagnosis
from landline.config.display import literal
from landline.config.keys import FLAGS, Key, known_keys, table_descriptions
from landline.config.schema import DIALECT, settings_schema
from landline.config.trust import RESTRICTED, is_restricted
from landline.families.registry import Family, read_families
from landline.planner.outcome import PlanDocument
from landline.server.model_facts import quirks_in_words
from landline.transforms.sampling import in_words

DOCS = Path(__file__).resolve().parent
FAILURE_MODES = DOCS.parent / "tests" / "failure_modes"

SETTINGS_HEAD = """\
# Settings

<!-- Written by docs/generate.py from src/landline/config/; do not edit. -->

Settings come from these places; a later one wins, key by key (a list or a table of names is replaced whole):

1. the defaults below;
2. your own file: `landline.toml` in the platform's configuration folder (`landline config path` names it).
   `--config FILE` or `LANDLINE_CONFIG=FILE` reads another file in its place;
3. the project's file: the nearest `landline.toml` from the current folder up to the root of its git repository, or
   up to your home folder. Outside of both, only the current folder counts;
4. the environment: `LANDLINE_<TABLE>_<KEY>`. Lists are written `a,b`, tables `name=value,name=value`;
5. flags.

`landline config show` prints every value in force and where it came from, with secrets masked. An unknown key, a
wrong type and a broken file stop the program with the file, the line and what was expected. The JSON schema of the
file, for editors, is [landline.schema.json](landline.schema.json); `landline config schema` prints the same.

## What a project's file may not decide alone

{restricted}

These tables and keys are ignored in a project's file, with a notice, until you ran `landline trust` there. It shows
what they are set to and asks. The trust is for the file as it is: when the file changes, landline asks again.
`landline trust --revoke` takes it back, `landline trust --list` shows what is trusted. In the tables below these keys
say "after `landline trust`".
"""


def settings_page() -> str:
    """One section per table, one row per key."""
    restricted = "\n".join(f"- `{name}`" for name in RESTRICTED)
    parts = [SETTINGS_HEAD.format(restricted=restricted)]
    for table, description in table_descriptions().items():
        keys = [key for key in known_keys().values() if key.table == table]
        rows = "\n".join(_settings_row(key) for key in keys)
        parts.append(
            f"## `[{table}]`\n\n{description}\n\n"
            f"| Key | Default | What it is for | Must be | Variable | Flag | In a project's file |\n"
            f"|---|---|---|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _settings_row(key: Key) -> str:
    flag = f"`{FLAGS[key.dotted]}`" if key.dotted in FLAGS else ""
    project = "after `landline trust`" if is_restricted((key.table, key.name)) else "yes"
    cells = [
        f"`{key.name}`",
        f"`{literal(key.default)}`",
        key.description,
        key.expected,
        f"`{key.variable}`",
        flag,
        project,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def schema_file() -> str:
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


def doctor_schema_file() -> str:
    """The shape of `landline doctor --json`."""
    _, definitions = msgspec.json.schema_components([Diagnosis])
    root = definitions.pop("Diagnosis")
    for name in ("Finding", "Untried"):
        definitions[name]["properties"]["id"]["enum"] = [*CHECKS, *CURSOR_CHECKS]
    schema = {"$schema": DIALECT, **root, "title": "landline doctor --json", "$defs": definitions}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def plan_schema_file() -> str:
    schema = {"title": "landline plan --json", **msgspec.json.schema(PlanDocument)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


FAILURE_MODES_HEAD = """\
# Failure modes

<!-- Written by docs/generate.py from tests/failure_modes/*.toml; do not edit. -->

The known ways in which the line between a coding client and a model server breaks, and the test that holds each of
them shut. The results are those of `uv run pytest -m failure_modes --ablate --write-results`: every test ran, and then
again with one repair of landline switched off at a time. The last column names the ablations that turn the row red; a
row that none turns red, and a result that is not what a later run finds, fail the tests.

{counts}
"""

FAILURE_MODE_GROUPS = {
    "1": "Client configuration and model names",
    "2": "Request translation",
    "3": "Streaming translation",
    "4": "Tool calls in text, unparsed or malformed",
    "5": "Context, counting, compaction, output limits",
    "6": "Prefix caching",
    "8": "Time, cancellation, retries",
    "9": "Records and reports",
    "10": "Privacy and egress",
    "11": "Installation and model servers",
}


def failure_modes_page() -> str:
    """One table of rows per group, then the table of the ablations."""
    catalogue, results = _toml("catalogue.toml"), _toml("results.toml")
    found: dict[str, Any] = results.get("rows", {})
    outcomes = [found.get(row, {}).get("result", "no test") for row in catalogue["rows"]]
    strangers = {row.partition(".")[0] for row in catalogue["rows"]} - FAILURE_MODE_GROUPS.keys()
    if strangers:
        raise SystemExit(
            f"FAILURE_MODE_GROUPS has no title for {', '.join(sorted(strangers))}: its rows would not be shown"
        )
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
    parts = [FAILURE_MODES_HEAD.format(counts=f"{len(outcomes)} rows: {counts}.")]
    for group, title in FAILURE_MODE_GROUPS.items():
        rows = [row for row in catalogue["rows"] if row.partition(".")[0] == group]
        lines = [_failure_mode_row(row, catalogue, found.get(row, {})) for row in rows]
        parts.append(_table(f"## {group}. {title}", ("Id", "Failure", "Result", "Test", "Red without"), lines))
    ablations = [
        (f"`{name}`", what, ", ".join(row for row in catalogue["rows"] if name in _ablations_of(found, row)))
        for name, what in results.get("ablations", {}).items()
    ]
    parts.append(_table("## What is switched off", ("Ablation", "Repair", "Rows that turn red without it"), ablations))
    return "\n".join(parts)


def _toml(name: str) -> dict[str, Any]:
    path = FAILURE_MODES / name
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _ablations_of(found: dict[str, Any], row: str) -> list[str]:
    return found.get(row, {}).get("ablations", [])


def _failure_mode_row(row: str, catalogue: dict[str, Any], found: dict[str, Any]) -> tuple[str, ...]:
    outcome = found.get("result", "no test")
    evidence = catalogue["cannot_apply"].get(row)
    told = f"{outcome}: {evidence}" if evidence else outcome
    tests = [test.partition("::") for test in found.get("tests", [])]
    links = [f"[`{name}`](../../tests/failure_modes/{file})" for file, _, name in tests]
    ablations = [f"`{name}`" for name in found.get("ablations", [])]
    return row, catalogue["rows"][row], told, "<br>".join(links), ", ".join(ablations)


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in [head, *rows]]
    rule = "|" + "---|" * len(head)
    return "\n".join([title, "", lines[0], rule, *lines[1:], ""])


CLIENTS_HEAD = """\
# Clients

<!-- Written by docs/generate.py from tests/clients/results.toml; do not edit. -->

What each client did on landline, with a scripted model behind it. The clients are the real ones, from npm and PyPI, in
these versions. Written by `uv run pytest -m scenario --write-results`: a cell says "pass" only where its tests ran and
passed, a later run that finds something else fails, and so does a cell that no test fills.

- **Tool loop**: tools write a file and run a command, one request a turn, and each request extends the one before. For
  an SDK that is its tool runner, or a loop of the test's own where it has none.
- **Parallel calls**: several calls of one answer come back in one request, each result with its call.
- **Error**: what the server refuses is told in its words, after one request (Claude Code 2.1.329 tries six at once).
- **Overflow**: a prompt that does not fit ends in words that say so, or in one summary, and is not repeated.
- **Cut stream**: an answer whose server died is asked for again, or told as an error, never taken for a whole one.
- **Hang-up**: the model server is free at once when the client goes.
- **Not streamed**: the same without a stream.

Cursor is not in the table: it is a desktop application that talks through its own servers. What is known of its
requests is from documentation only: [guides/cursor.md](../guides/cursor.md).
"""


def clients_page() -> str:
    """One table: a row per client and version, a column per scenario."""
    path = DOCS.parent / "tests" / "clients" / "results.toml"
    results = tomllib.loads(path.read_text(encoding="utf-8"))
    scenarios: dict[str, str] = results["scenarios"]
    rows = [
        (client["name"], client["version"], client["protocol"], *(_cell(client["cells"].get(one)) for one in scenarios))
        for client in results["clients"].values()
    ]
    tests = [
        (f"{client['name']} {client['version']}, {client['protocol']}", *(_cell_tests(client["cells"], scenarios)))
        for client in results["clients"].values()
    ]
    figures = [(name, str(number)) for name, number in results["figures"].items()]
    return "\n".join(
        [
            CLIENTS_HEAD,
            _table("## The table", ("Client", "Version", "Protocol", *scenarios.values()), rows),
            _table("## Counted", ("What", "Number"), figures),
            _table("## The tests", ("Client", "Tests"), tests),
        ]
    )


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "no test"
    return cell["reason"] if cell["result"] == "cannot" else cell["result"]


def _cell_tests(cells: dict[str, Any], scenarios: Mapping[str, str]) -> tuple[str]:
    names = dict.fromkeys(test for one in scenarios for test in cells.get(one, {"tests": []})["tests"])
    parts = [test.partition("::") for test in names]
    return ("<br>".join(f"[`{name}`](../../tests/{file})" for file, _, name in parts),)


FAMILIES_HEAD = """\
# Model families

<!-- Written by docs/generate.py from src/landline/families/families.toml; do not edit. -->

What landline knows of {count} families of models. The first row that fits is taken; how one is found, and how a file of
your own comes before this table: [models](../models.md). `landline models` shows it for what you serve.

Parsers are the names of vLLM {version} (`--tool-call-parser`, `--reasoning-parser`); other servers have other names.
Sampling is sent only where its status is `recipe` or `card`, and nobody else says anything. *From* is the lowest
version of vLLM that the source names.
"""


def families_page() -> str:
    """One row per family for what it is, and another table for where that is known from."""
    folder = resources.files("landline.families")
    families = read_families(folder.joinpath("families.toml").read_bytes()).families
    version = tomllib.loads(folder.joinpath("vllm_parsers.toml").read_text(encoding="utf-8"))["version"]
    head = ("Family", "Found by", "Tool parser", "Reasoning parser", "From", "Window", "Sampling", "Quirks")
    evidence = [(family.name, "<br>".join(_plain(text) for text in family.evidence)) for family in families]
    parts = [
        FAMILIES_HEAD.format(count=len(families), version=version),
        _table("## Families", head, [_family_row(family) for family in families]),
        _table("## Evidence", ("Family", "Where this can be read, or how it was seen"), evidence),
        '"recipe X" is `models/X.yaml` of vllm-project/recipes at 8959cf6 (2026-08-21).\n',
    ]
    return "\n".join(parts)


def _family_row(family: Family) -> tuple[str, ...]:
    found = [f"`{glob}`" for glob in family.match]
    if family.template_has:
        found.append("template with " + " and ".join(f"`{text}`" for text in family.template_has))
    found += [f"architecture `{glob}`" for glob in family.architectures]
    further = [f"also writes `{name}`" for name in family.also_writes]
    sampling = ""
    if family.sampling is not None:
        told = family.sampling
        sampling = f"{in_words(told.values)}<br>{told.status.value}: {_plain(told.source)}"
    return (
        family.name,
        "<br>".join(found),
        "<br>".join([f"`{family.tool_parser}`" if family.tool_parser else "", *further]),
        f"`{family.reasoning_parser}`" if family.reasoning_parser else "",
        family.min_version,
        f"{family.context:,}" if family.context else "",
        sampling,
        "<br>".join(quirks_in_words(family)),
    )


def _plain(text: str) -> str:
    """Marks of models are no HTML."""
    return text.replace("<", "&lt;").replace(">", "&gt;")


TOOL_CALLS_HEAD = """\
# Tool calls

<!-- Written by docs/generate.py from tests/golden/call_results.toml; do not edit. -->

The {count} syntaxes in which landline finds calls that a server left in the text. Each has golden cases, written from
its grammar: `tests/golden/tool_calls/`. A case passes if its calls and its text come out exactly, with all syntaxes
read side by side, whole, character by character and in pieces of three: {passed} of {cases} pass.

The same cases go to the parsers of vLLM {version} themselves (`uv run pytest -m vllm -k parsers`), as whole answers and
as streams of one token at a time. *Same* counts the cases in which both give what the case says: the same calls by the
values of their arguments, the same words (white space aside), and a call that the end of the output cut not as a whole
one. Where vLLM does something else, the second table says what; nothing there is left unexplained. Where it says "every
stream", whole answers alone are counted. *Parsers* are vLLM's names, and only the one under *Compared with* was asked.
"""


def tool_calls_page() -> str:
    """One row per syntax, then what vLLM does otherwise."""
    path = DOCS.parent / "tests" / "golden" / "call_results.toml"
    record = tomllib.loads(path.read_text(encoding="utf-8"))
    syntaxes: dict[str, Any] = record["syntaxes"]
    cases, passed = (sum(one[key] for one in syntaxes.values()) for key in ("cases", "passed"))
    head = TOOL_CALLS_HEAD.format(count=len(syntaxes), passed=passed, cases=cases, version=record["vllm"])
    differences = [
        (f"`{name}`", _plain(why), ", ".join(f"`{case}`" for case in where))
        for name, one in syntaxes.items()
        for why, where in one["differences"].items()
    ]
    titles = ("Syntax", "Parsers", "Cases", "Passed", "Compared with", "Same", "Differences")
    rows = [_syntax_row(name, one) for name, one in syntaxes.items()]
    return "\n".join(
        [
            head,
            _table("## Syntaxes", titles, rows),
            _table("## What vLLM does instead", ("Syntax", "In vLLM", "Cases"), differences),
        ]
    )


def _syntax_row(name: str, told: dict[str, Any]) -> tuple[str, ...]:
    parsers = ", ".join(f"`{parser}`" for parser in told["parsers"])
    cases, passed, same, differences = map(str, (told["cases"], told["passed"], told["same"], len(told["differences"])))
    return f"`{name}`", parsers, cases, passed, told["compared"], same, differences


# Path below docs/ -> what writes it.
GENERATORS: Mapping[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/landline.schema.json": schema_file,
    "reference/doctor.schema.json": doctor_schema_file,
    "reference/plan.schema.json": plan_schema_file,
    "reference/failure-modes.md": failure_modes_page,
    "reference/clients.md": clients_page,
    "reference/families.md": families_page,
    "reference/tool-calls.md": tool_calls_page,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write the pages that are made from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name what is stale")
    parser.add_argument("--into", type=Path, default=DOCS, help="the folder to write to or check (default: docs)")
    options = parser.parse_args(arguments)
    stale = 0
    for name, generate in GENERATORS.items():
        page, text = options.into / name, generate()
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if options.check:
            sys.stderr.write(f"{name} is stale; run `uv run python docs/generate.py`\n")
            continue
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
