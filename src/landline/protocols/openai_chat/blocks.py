"""Puts what a chat stream mixes into one block at a time, in the order of their beginnings.

While a tool call is unfinished, all that is not its own waits in a queue behind it: deltas of later calls, text,
thinking. The queue moves on when the call's arguments are complete JSON, at the latest at the end of the answer.
White space between and behind tool calls says nothing and is dropped.
"""

from __future__ import annotations

from collections import deque

from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event
from landline.core.exchange import Notes
from landline.protocols.openai_chat.calls import Call


class WaitingText:
    """Text or thinking that came behind an unfinished call."""

    __slots__ = ("kind", "text")

    def __init__(self, kind: BlockKind, text: str) -> None:
        self.kind = kind
        self.text = text


class BlockWriter:
    """Appends events to `out`, which the owner empties."""

    def __init__(self, notes: Notes) -> None:
        self.out: list[Event] = []
        self._notes = notes
        self._index = -1
        self._open: BlockKind | None = None
        self._queue: deque[Call | WaitingText] = deque()

    def text(self, kind: BlockKind, text: str) -> None:
        if self._queue:
            last = self._queue[-1]
            if isinstance(last, WaitingText) and last.kind is kind:
                last.text += text
            else:
                self._queue.append(WaitingText(kind, text))
            self._advance()
        else:
            self._write(kind, text)

    def more(self, kind: BlockKind, text: str) -> BlockDelta | None:
        """What `text` would append, where it is that alone: words of the open block."""
        return BlockDelta(self._index, text) if self._open is kind and not self._queue else None

    def call(self, call: Call, piece: str) -> None:
        """A piece (maybe empty) of the arguments of `call`."""
        if call.over:
            if piece.strip():
                self._notes.drop("arguments behind the end of a tool call")
            return
        if not call.queued:
            call.queued = True
            self._queue.append(call)
        if piece:
            call.held.append(piece)
        if self._queue[0] is call:
            self._let_out(call)
        if len(self._queue) > 1:
            self._advance()

    def finish(self) -> None:
        """The answer is complete: lets everything out, whole or not."""
        while self._queue:
            self._leave(self._queue.popleft())
        self._close()

    def _advance(self) -> None:
        """Lets out what waits, as far as what stands before it is whole."""
        while self._queue:
            head = self._queue[0]
            if isinstance(head, Call):
                self._let_out(head)
                if len(self._queue) == 1 or not head.whole:
                    return
            elif len(self._queue) == 1 and head.text.isspace():
                return  # says something only if more text follows
            self._leave(self._queue.popleft())

    def _leave(self, item: Call | WaitingText) -> None:
        if isinstance(item, WaitingText):
            if item.text.isspace():
                self._notes.drop("white space behind a tool call")
            else:
                self._write(item.kind, item.text)
            return
        item.over = True
        if not item.name:
            self._notes.drop("a tool call without a name")
            return
        self._let_out(item, even_empty=True)
        self._close()

    def _let_out(self, call: Call, *, even_empty: bool = False) -> None:
        """Gives out what the call at the head holds. Its block opens with the first argument, if its name is known."""
        if not call.name or not (call.held or (even_empty and not call.started)):
            return
        if not call.started:
            self._begin(BlockKind.TOOL_USE, call.id, call.name)
            call.started = True
        for piece in call.held:
            self.out.append(BlockDelta(self._index, piece))
        call.sent += call.held
        call.held = []

    def _write(self, kind: BlockKind, text: str) -> None:
        if self._open is not kind:
            self._begin(kind)
        self.out.append(BlockDelta(self._index, text))

    def _begin(self, kind: BlockKind, ident: str = "", name: str = "") -> None:
        self._close()
        self._index += 1
        self._open = kind
        self.out.append(BlockStart(self._index, kind, ident, name))

    def _close(self) -> None:
        if self._open is not None:
            self.out.append(BlockStop(self._index))
            self._open = None
