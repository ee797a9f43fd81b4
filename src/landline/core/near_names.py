"""Which of the known names is meant by one that a model wrote a little wrong.

A name is never guessed: it is the only one with that spelling (case, separators, prefixes and what models hang behind
it aside), or the only one within a slip of the pen. Such a slip leaves the first letter alone: `uninstall` is no
`install`, `head_file` no `read_file`.
"""

from __future__ import annotations

import re
from collections.abc import Collection

LONGEST = 128  # characters of a name that is looked at
_TRIED = 200  # names that are compared letter by letter; of more, only spellings count
_LONG = 12  # letters from which on two slips are one too few to be another word
_SHORTEST = 3
# A namespace before it, and the number of the call behind it (Kimi's `functions.Read:0`).
_AROUND = re.compile(
    r"(?:functions?[.:]|tools?[.:]|default_api[.:]|multi_tool_use\.)*+(.*?)(?::[0-9]+|\(\))?", re.DOTALL
)


def meant(written: str, names: Collection[str]) -> str | None:
    """The one name that is meant; None where none is, or where it could be several. Exact names are themselves."""
    if written in names:
        return written
    bare = _bare(written[: 2 * LONGEST])
    if bare in names:
        return bare
    if not bare or len(bare) > LONGEST:
        return None
    spelled = plain(bare)
    alike = [name for name in names if plain(name) == spelled]
    alike = alike or [name for name in names if "__" in name and plain(name.rpartition("__")[2]) == spelled]
    if not alike and len(names) <= _TRIED and len(spelled) >= _SHORTEST:
        most = 1 if len(spelled) < _LONG else 2
        alike = [name for name in names if _slips(spelled, plain(name), most) <= most]
    return alike[0] if len(alike) == 1 else None


def plain(name: str) -> str:
    """Case and separators aside; Claude Code's `Grep` is `GrepTool` to some models."""
    bare = name.lower().replace("_", "").replace("-", "")
    return bare.removesuffix("tool") or bare


def _bare(written: str) -> str:
    """Without what models put around a name: a channel of Harmony's behind it, a namespace before it, quotes."""
    found = _AROUND.fullmatch(written.partition("<|")[0].strip().strip("\"'`"))
    assert found is not None
    return found[1]


def _slips(one: str, other: str, most: int) -> int:
    """How many letters are missing, too much, wrong, or swapped with the next; `most` + 1 for any more."""
    if one[:1] != other[:1] or abs(len(one) - len(other)) > most:
        return most + 1
    before, row = [0], list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        last, before, row = before, row, [at]
        for to, wanted in enumerate(other, 1):
            cost = min(before[to] + 1, row[-1] + 1, before[to - 1] + (letter != wanted))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == wanted:
                cost = min(cost, last[to - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
