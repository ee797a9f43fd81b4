"""Takes calls of a tool that runs on this side out of an answer: its client does not know that tool."""

from __future__ import annotations

from typing import ClassVar

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event


class TakeCalls:
    """`taken`: the arguments of the calls of `name`, in their order. `others`: the client has calls to run as well."""

    reads_text: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self.taken: list[str] = []
        self.others = False
        self._name = name
        self._open: list[str] | None = None  # pieces of the call that is being taken

    def push(self, events: list[Event]) -> list[Event]:
        return [event for event in events if not self._took(event)]

    def _took(self, event: Event) -> bool:
        if type(event) is BlockStart and event.kind is BlockKind.TOOL_USE:
            if event.name == self._name:
                self._open = []
                return True
            self.others = True
        if self._open is None:
            return False
        if type(event) is BlockDelta:
            self._open.append(event.text)
            return True
        if type(event) is BlockStop:
            self.taken.append("".join(self._open))
            self._open = None
            return True
        return False
