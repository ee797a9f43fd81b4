"""Syntaxes so ordinary that they only count where nothing else stands in the answer."""

from __future__ import annotations

from landline.families.tool_parsers.stepwise import StepReader
from landline.families.tool_parsers.syntax import Ended, Piece, State


class SoleReader:
    """A Reader that holds everything that another one reads, until the answer has ended and was nothing but calls."""

    def __init__(self, inner: StepReader) -> None:
        inner.limit = None
        self.state = State.READING
        self.rest = ""
        self._inner = inner
        self._pieces: list[Piece] = []

    def feed(self, text: str) -> list[Piece]:
        if self._inner.state is State.READING:
            self._pieces += self._inner.feed(text)
            text = self._inner.rest
        self._judge(text)
        return []

    def close(self) -> list[Piece]:
        if self._inner.state is State.READING:
            self._pieces += self._inner.close()
            self._judge(self._inner.rest)
        ends = [piece.whole for piece in self._pieces if isinstance(piece, Ended)]
        if self.state is State.REFUSED or not ends or not all(ends):
            self.state = State.REFUSED
            return []
        self.state = State.DONE
        return self._pieces

    def _judge(self, behind: str) -> None:
        """What stands behind the calls must be nothing."""
        if self._inner.state is State.REFUSED or (self._inner.state is State.DONE and behind.strip()):
            self.state = State.REFUSED
