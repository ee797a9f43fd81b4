"""The record behind docs/reference/tool-calls.md: how many golden cases of each syntax pass, and what vLLM does.

Written by `uv run python -m tests.vllm.parsers`, because only a run of vLLM's parsers can say that they agree.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.golden.calls import SYNTAXES, golden, troubles

RESULTS = Path(__file__).with_name("call_results.toml")
HEAD = "# Written by `uv run python -m tests.vllm.parsers`; do not edit. docs/reference/tool-calls.md is made of it.\n"


class Result(Struct):
    """`compared`: vLLM's parser and its class. `differences`: what vLLM does instead, to the cases."""

    parsers: tuple[str, ...]
    cases: int
    passed: int
    same: int
    compared: str
    differences: dict[str, list[str]] = {}


class Results(Struct):
    vllm: str
    syntaxes: dict[str, Result]


def measured() -> dict[str, Result]:
    """All that the golden files and our own readers say: everything but the name of vLLM's class."""
    return {name: _measured(name) for name in SYNTAXES}


def _measured(name: str) -> Result:
    told = golden(name)
    differences: dict[str, list[str]] = {}
    for case, content in told.cases.items():
        for half in ("whole", "streamed", "both"):
            why = getattr(content.vllm_differs, half)
            if why:
                differences.setdefault(why, []).append(case if half == "both" else f"{case} ({half})")
    passed = sum(not troubles(name, case) for case in told.cases.values())
    explained = sum(any(msgspec.structs.astuple(case.vllm_differs)) for case in told.cases.values())
    if told.streams_differ:
        differences[told.streams_differ] = ["every stream"]
    return Result(
        parsers=SYNTAXES[name].parsers,
        cases=len(told.cases),
        passed=passed,
        same=len(told.cases) - explained,
        compared=told.parser,
        differences=differences,
    )


def recorded() -> Results:
    return msgspec.convert(tomllib.loads(RESULTS.read_text(encoding="utf-8")), Results)


def write(results: Results) -> None:
    lines = [HEAD, f"vllm = {_quoted(results.vllm)}"]
    for name, result in results.syntaxes.items():
        fields = msgspec.to_builtins(result)
        differences = fields.pop("differences")
        lines += ["", f"[syntaxes.{_quoted(name)}]", *(f"{key} = {_quoted(value)}" for key, value in fields.items())]
        lines.append(f"[syntaxes.{_quoted(name)}.differences]")
        lines += [f"{_quoted(why)} = {_quoted(cases)}" for why, cases in differences.items()]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _quoted(value: object) -> str:
    """Strings, whole numbers and lists of strings are written alike in TOML and JSON."""
    return json.dumps(value, ensure_ascii=False)
