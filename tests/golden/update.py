"""Writes the golden files and prints what changed: `uv run python -m tests.golden.update [CASE...]`.

With names only those cases are written; without, files of cases that are gone are removed. Read the difference before
you commit it: a golden file is what clients get.
"""

from __future__ import annotations

import sys
from difflib import unified_diff
from pathlib import Path

from tests.fakes.streams import CASES
from tests.golden.translate import translate

FOLDER = Path(__file__).parent / "streams"
# Of the protocols of OpenAI's clients, the cases that show each form once; the catalogue as a whole is checked without.
OPENAI = ("text", "reasoning_then_call", "text_then_call", "two_parallel_tools", "empty_arguments", "nothing_said")
OPENAI += ("finish_length_in_text", "error_first", "error_in_the_middle", "no_finish")


def golden_file(name: str, protocol: str = "messages") -> Path:
    return FOLDER / f"{name}.sse" if protocol == "messages" else FOLDER.with_name("openai") / f"{name}.{protocol}"


def golden_files() -> dict[Path, tuple[str, bytes]]:
    """Each file with its case and what belongs into it."""
    wanted = [(name, "messages") for name in CASES] + [(name, one) for name in OPENAI for one in ("chat", "responses")]
    return {
        golden_file(name, protocol): (name, translate(CASES[name].upstream, protocol=protocol))
        for name, protocol in wanted
    }


def stored() -> list[Path]:
    return sorted([*FOLDER.glob("*.sse"), *FOLDER.with_name("openai").iterdir()])


def difference(name: str, before: bytes, after: bytes) -> str:
    lines = unified_diff(
        before.decode().splitlines(), after.decode().splitlines(), f"{name} (golden)", f"{name} (now)", lineterm="", n=1
    )
    return "\n".join(lines)


def update(names: list[str]) -> int:
    """Returns the number of files that changed."""
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise SystemExit(f"No such case: {', '.join(unknown)}. The cases are in tests/fakes/streams.py.")
    every = golden_files()
    wanted = {file: told for file, told in every.items() if not names or told[0] in names}
    gone = [] if names else [file for file in stored() if file not in every]
    changed = 0
    for file, (name, after) in wanted.items():
        file.parent.mkdir(exist_ok=True)
        before = file.read_bytes() if file.exists() else b""
        if before == after and file.exists():
            continue
        print(difference(name, before, after))
        file.write_bytes(after)
        changed += 1
    for file in gone:
        print(f"{file.stem}: removed, there is no such case")
        file.unlink()
    print(f"{changed} of {len(wanted)} golden files written, {len(gone)} removed.")
    return changed + len(gone)


if __name__ == "__main__":
    update(sys.argv[1:])
