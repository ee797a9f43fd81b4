"""How a pattern of a family fits what a server tells of a model. Linear in the text; `*` is the only wildcard."""

from __future__ import annotations

from enum import StrEnum

Evidence = tuple[str, ...]  # one glob, or all the markers that a template must have

_CACHED = "models--"  # a checkpoint's folder in the cache of the Hugging Face hub: models--ORG--NAME


class MatchedOn(StrEnum):
    ID = "id"  # as it is served
    ROOT = "root"  # the checkpoint behind the name
    TEMPLATE = "template"
    ARCHITECTURE = "architecture"


def fits(pattern: Evidence, name: str, on: MatchedOn) -> bool:
    if on is MatchedOn.TEMPLATE:
        return all(marker in name for marker in pattern)
    glob = pattern[0]
    # A glob without a slash is for one part of a path: "*hermes*" must not fit a folder far above the file.
    return ("/" in glob) == ("/" in name) and glob_fits(glob, name)


def glob_fits(glob: str, name: str) -> bool:
    first, *rest = glob.split("*")
    if not rest:
        return glob == name
    last = rest.pop()
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in rest:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def names_of(path: str) -> tuple[str, ...]:
    """What patterns are tried on, the nearest first: the last part, the folder or organisation it is in, all of it."""
    parts = [part for part in path.lower().replace("\\", "/").split("/") if part]
    if not parts:
        return ()
    cached = [part for part in parts if part.startswith(_CACHED)]
    whole = path.lower().replace("\\", "/")
    return tuple(dict.fromkeys((parts[-1], *cached, *parts[-2:-1], whole)))
