"""Which of the known names is meant by one that a model wrote a little wrong."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_PREFIXES = ("functions.", "function.", "tools.", "tool.", "default_api.", "functions:")
_CLOSE = 0.82  # of difflib's ratio
_TRIED = 200  # names that are compared letter by letter; of more, only spellings count


def meant(written: str, names: Collection[str]) -> str | None:
    """The one name that is meant; None where none is, or where it could be several. Exact names are themselves."""
    if written in names:
        return written
    bare = _bare(written)
    if bare in names:
        return bare
    alike = [name for name in names if _plain(name) == _plain(bare)]
    if alike or not bare:
        return alike[0] if len(alike) == 1 else None
    if len(names) > _TRIED:
        return None
    plain = {_plain(name): name for name in names}
    close = difflib.get_close_matches(_plain(bare), plain, n=2, cutoff=_CLOSE)
    return plain[close[0]] if len(close) == 1 else None


def _bare(written: str) -> str:
    """Without what models put around a name: a channel of Harmony's behind it, a namespace before it, quotes."""
    bare = written.partition("<|")[0].strip().strip("\"'`")
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    return bare


def _plain(name: str) -> str:
    """Case and separators aside; Claude Code's `Grep` is `GrepTool` to some models."""
    plain = name.lower().replace("_", "").replace("-", "")
    return plain.removesuffix("tool") or plain
