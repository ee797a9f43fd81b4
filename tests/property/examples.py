"""How many examples a law has, and what makes one cheap: draws of hypothesis cost more than most of what is tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st


def shared_by(parameters: int) -> settings:
    """For a law with so many parameters: they share the examples of a long run, and each has those of the default."""
    default = settings.get_profile("default").max_examples
    return settings(max_examples=max(default, settings().max_examples // parameters))


ROOM = 2**24  # as far as hypothesis draws integers evenly
NUMBERS = st.integers(0, ROOM - 1)
INTEGERS = st.integers(-(2**53), 2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


class Dice:
    """Small choices, many from one number that is drawn; and JSON made with them."""

    def __init__(self, draw: Callable[..., Any], texts: st.SearchStrategy[str] = TEXT) -> None:
        self.draw = draw
        self._texts = texts
        self._said: list[str] = []
        self._room = self._left = 0

    def __call__(self, sides: int) -> int:
        if self._room < sides:
            self._room, self._left = ROOM, self.draw(NUMBERS)
        self._room //= sides
        self._left, side = divmod(self._left, sides)
        return side

    def one(self, options: Sequence[Any]) -> Any:
        return options[self(len(options))]

    def text(self) -> str:
        """Now and then one that was there before: equal keys, names and values are worth having."""
        if not self._said or self(4):
            self._said.append(self.draw(self._texts))
            return self._said[-1]
        return self.one(self._said)

    def json(self, depth: int = 3) -> Any:
        match self(6 if depth else 4):
            case 0:
                return self.text()
            case 1:
                return self.one((None, False, True))
            case 2 | 3:
                return self.text() if self(2) else self.draw(FLOATS if self(4) == 3 else INTEGERS)
            case 4:
                return [self.json(depth - 1) for _ in range(self(4))]
            case _:
                return self.object(depth - 1)

    def object(self, depth: int = 3) -> dict[str, Any]:
        return {self.text(): self.json(depth) for _ in range(self(4))}
