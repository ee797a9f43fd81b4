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


def golden_file(name: str) -> Path:
    return FOLDER / f"{name}.sse"


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
    FOLDER.mkdir(exist_ok=True)
    wanted = {name: translate(CASES[name].upstream) for name in names or CASES}
    gone = [] if names else [file for file in sorted(FOLDER.glob("*.sse")) if file.stem not in CASES]
    changed = 0
    for name, after in wanted.items():
        file = golden_file(name)
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
