"""How many examples a law has, and values in values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st


def shared_by(parameters: int) -> settings:
    """For a law with so many parameters: they share the examples of a long run, and each has those of the default."""
    default = settings.get_profile("default").max_examples
    return settings(max_examples=max(default, settings().max_examples // parameters))


def nested(
    leaves: st.SearchStrategy[Any],
    around: Callable[[st.SearchStrategy[Any]], st.SearchStrategy[Any]],
    *,
    depth: int = 3,
) -> st.SearchStrategy[Any]:
    """As `st.recursive`, which counts leaves and draws anew what has too many, at several times the cost."""
    values = leaves
    for _ in range(depth):
        values = leaves | around(values)
    return values
