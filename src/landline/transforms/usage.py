"""Fills in the length of the prompt where a backend does not report it."""

from __future__ import annotations

import msgspec

from landline.core.events import Event, ResponseEnd


class FillUsage:
    """`estimate` (tokens of the prompt) stands in the end of an answer whose backend reported no usage."""

    def __init__(self, estimate: int) -> None:
        self._estimate = estimate

    def push(self, events: list[Event]) -> list[Event]:
        last = events[-1]
        if type(last) is ResponseEnd and not last.usage.prompt:
            usage = msgspec.structs.replace(last.usage, prompt=self._estimate, exact=False)
            events[-1] = msgspec.structs.replace(last, usage=usage)
        return events
