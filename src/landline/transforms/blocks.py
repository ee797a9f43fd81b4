"""The blocks of an answer, written anew by a transform that takes some apart: numbered from 0, one open at a time."""

from __future__ import annotations

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event


class BlockSink:
    """Appends events to `out`, which its owner sets. Blocks of words open with their first text."""

    def __init__(self) -> None:
        self.out: list[Event] = []
        self.index = -1
        self.kind: BlockKind | None = None  # of the open block

    def say(self, kind: BlockKind, text: str) -> None:
        """Text or thinking; joins the open block of its kind."""
        if not text:
            return
        if self.kind is not kind:
            self._begin(BlockStart(self.index + 1, kind))
        self.out.append(BlockDelta(self.index, text))

    def call(self, ident: str, name: str) -> None:
        self._begin(BlockStart(self.index + 1, BlockKind.TOOL_USE, ident, name))

    def argue(self, text: str) -> None:
        """A piece of the open call's arguments."""
        if text:
            self.out.append(BlockDelta(self.index, text))

    def close(self) -> None:
        """The open block, if one is open."""
        if self.kind is not None:
            self.out.append(BlockStop(self.index))
            self.kind = None

    def _begin(self, start: BlockStart) -> None:
        self.close()
        self.index, self.kind = start.index, start.kind
        self.out.append(start)
