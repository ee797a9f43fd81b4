"""Work that is begun before it is awaited."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Begun(Generic[Result]):
    """A coroutine that has run up to its first wait; the same task awaits the rest of it, once, and nothing before.

    A task of its own would begin only when this one waits (`eager_start` came with Python 3.12). What the work raises
    is raised where it is awaited.
    """

    def __init__(self, work: Coroutine[Any, Any, Result]) -> None:
        self._work = work
        self._waits_for: object = None
        self._error: BaseException | None = None
        self._results: list[Result] = []
        try:
            self._go(work.send, None)
        except Exception as error:  # noqa: BLE001 - it is raised, only later
            self._error = error

    def __await__(self) -> Generator[Any, Any, Result]:
        if self._error is not None:
            raise self._error
        while not self._results:
            try:
                yield self._waits_for
            except BaseException as error:  # noqa: BLE001 - cancelling, above all, is for the work to know
                self._go(self._work.throw, error)
            else:
                self._go(self._work.send, None)
        return self._results[0]

    def _go(self, resume: Callable[[Any], object], value: object) -> None:
        try:
            self._waits_for = resume(value)
        except StopIteration as end:
            self._results.append(end.value)
