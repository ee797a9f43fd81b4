"""What vLLM's parsers make of the golden cases of tool calls, and where that is not what must come out.

`uv run python -m tests.vllm.parsers` compares all of them and writes the record, unless a difference is not explained.

White space around words is not compared, arguments are by their values. A call that the output's end cut counts as
cut where its arguments are no whole JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tests.golden.call_results import Results, measured, write
from tests.golden.calls import SYNTAXES, TOOLS, Case, Golden, Half, golden, same
from tests.vllm.installed import harmony_ranks, packages_beside, vllm_python

ENGINE = Path(__file__).with_name("parser_engine.py")
COHERE = "cohere-melody==0.15.3"  # what its two parsers are made of
HALVES: tuple[Half, Half] = ("whole", "streamed")


class Answer(Struct, frozen=True):
    content: str
    calls: tuple[tuple[str, str], ...]
    failed: bool = False


class Both(Struct, frozen=True):
    whole: Answer
    streamed: Answer


class Told(Struct, frozen=True):
    version: str
    classes: dict[str, str]
    answers: tuple[Both, ...]


class Compared(Struct, frozen=True):
    """`parsers` and `troubles` by the names of the syntaxes."""

    version: str
    parsers: dict[str, str]
    troubles: dict[str, list[str]]


def compared(folder: Path) -> Compared:
    """All golden cases against vLLM. The folder is for what the two processes tell each other."""
    goldens = {name: golden(name) for name in SYNTAXES}
    told = _ask(list(goldens.values()), folder)
    answers = iter(told.answers)
    troubles = {name: _troubles(one, answers) for name, one in goldens.items()}
    parsers = {name: f"{one.parser} ({told.classes[one.parser]})" for name, one in goldens.items()}
    return Compared(told.version, parsers, troubles)


def _troubles(told: Golden, answers: Iterator[Both]) -> list[str]:
    given = {name: next(answers) for name in told.cases}
    found = [trouble for name, case in told.cases.items() for trouble in unexplained(told, name, case, given[name])]
    if told.streams_differ and not any("streamed" in differing(case, given[name]) for name, case in told.cases.items()):
        found.append(f"explained, but no stream differs: {told.streams_differ}")
    return found


def _ask(goldens: Sequence[Golden], folder: Path) -> Told:
    """One process for all cases of all files, in their order."""
    asked = [
        {"parser": golden.parser, "text": case.raw, "tools": TOOLS, "atoms": golden.atoms}
        for golden in goldens
        for case in golden.cases.values()
    ]
    cases, answers = folder / "cases.json", folder / "answers.json"
    cases.write_text(json.dumps(asked), encoding="utf-8")
    python = vllm_python()
    environment = os.environ | {
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TIKTOKEN_ENCODINGS_BASE": str(harmony_ranks()),
        "PYTHONPATH": str(packages_beside(python, COHERE)),
    }
    command = [str(python), str(ENGINE), str(cases), str(answers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return msgspec.json.decode(answers.read_bytes(), type=Told)


def differing(case: Case, answers: Both) -> dict[Half, str]:
    """The halves that are not as the case says, and what came instead."""
    return {half: said for half in HALVES if (said := _difference(case, getattr(answers, half)))}


def _difference(case: Case, answer: Answer) -> str:
    wanted: list[Any] = [(name, same(arguments)) for name, _, arguments in (call.partition(" ") for call in case.calls)]
    if case.cut:
        wanted.append((case.cut.partition(" ")[0], "cut"))
    found = [
        (name, _arguments(text, cut=bool(case.cut) and number == len(wanted)))
        for number, (name, text) in enumerate(answer.calls, 1)
    ]
    if not answer.failed and found == wanted and answer.content.split() == case.text.split():
        return ""
    return f"{answer.content!r} and {list(answer.calls)}"


def _arguments(text: str, *, cut: bool) -> str:
    told = same(text)
    return "cut" if cut and not told.startswith("{") else told


def unexplained(golden: Golden, name: str, case: Case, answers: Both) -> list[str]:
    """Differences without an explanation, and explanations without a difference."""
    found = differing(case, answers)
    halves = HALVES[:1] if golden.streams_differ else HALVES
    told = [
        f"{name}, {half}: no explanation for {found[half]}"
        for half in halves
        if half in found and not case.vllm_differs.why(half)
    ]
    told += [
        f"{name}, {half}: explained, but there is no difference: {case.vllm_differs.why(half)}"
        for half in HALVES
        if case.vllm_differs.why(half) and (half not in found or half not in halves)
    ]
    return told


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = compared(Path(folder))
    troubles = [f"{name}: {trouble}" for name, told in found.troubles.items() for trouble in told]
    print("\n".join(troubles) or f"vLLM {found.version}: every difference is explained.")
    if troubles:
        return 1
    syntaxes = measured()
    for name, parser in found.parsers.items():
        syntaxes[name].compared = parser
    write(Results(found.version, syntaxes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
