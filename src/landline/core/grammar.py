"""Which event may follow which.

    start -> (block-start block-delta* block-stop)* -> end
    an error may take the place of any event; nothing follows an end or an error

Tests hold every decoder and transform to it; the hot path does not check itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from landline.core.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Event,
    ResponseEnd,
    ResponseError,
    ResponseStart,
)

# state -> event class -> next state
TRANSITIONS: dict[str, dict[type, str]] = {
    "before": {ResponseStart: "between", ResponseError: "over"},
    "between": {BlockStart: "inside", ResponseEnd: "over", ResponseError: "over"},
    "inside": {BlockDelta: "inside", BlockStop: "between", ResponseError: "over"},
    "over": {},
}


class Grammar:
    """Walks a stream of events and raises ValueError at the first one that is out of place."""

    def __init__(self) -> None:
        self.state = "before"
        self._index = -1

    @property
    def over(self) -> bool:
        return self.state == "over"

    def check(self, events: Iterable[Event]) -> None:
        for event in events:
            following = TRANSITIONS[self.state].get(type(event))
            if following is None:
                raise ValueError(f"{type(event).__name__} while {self.state}")
            if isinstance(event, BlockStart):
                self._index += 1
            if isinstance(event, BlockStart | BlockDelta | BlockStop) and event.index != self._index:
                raise ValueError(f"{type(event).__name__} with index {event.index}, expected {self._index}")
            self.state = following
