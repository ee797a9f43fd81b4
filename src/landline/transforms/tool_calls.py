"""Calls that the backend handed back as text become calls: no parser, the wrong one, or one that missed them.

What the model says is read by the syntaxes of `families/tool_parsers`, at the top level of its answer only. A call in
its thinking counts if the thinking ends with it and nothing else was said: models that forget to close their thinking
do that, and prose about calls does not. Where the backend parses calls itself in an answer, its text is left alone.

A call that the end of the output cut is handed on unfinished, and the answer is told as cut: it must not be run.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from landline.core.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Event,
    ResponseEnd,
    ResponseStart,
)
from landline.core.exchange import Notes
from landline.core.model import StopReason
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Piece, Said, Toolbox
from landline.families.tool_parsers.text import Openers, TextReader
from landline.transforms.blocks import BlockSink

RECOVERED = "tool call read out of the answer's text"
FROM_THINKING = "tool call read out of the end of the thinking"
TWICE = "a tool call that the backend gave out as text and as a call"
ADVICE = (
    "the backend hands tool calls back as text: its tool parser is off, or of another model family; landline reads "
    "them, but better start the server with the right parser ({flags})"
)
LONGEST_TAIL = 256 * 1024  # characters of thinking that are kept to be read at its end


class RecoverCalls:
    """`flags`: what to start the server with, in words."""

    reads_text: ClassVar[bool] = True

    def __init__(self, openers: Openers, toolbox: Toolbox, notes: Notes, *, flags: str) -> None:
        self._openers = openers
        self._toolbox = toolbox
        self._notes = notes
        self._flags = flags
        self._reset()

    def _reset(self) -> None:
        self._sink = BlockSink()
        self._reader: TextReader | None = None  # of the open text block
        self._alike = False  # the open block of words is the one that comes in, under the same number
        self._thinking = False  # the open block
        self._tail: list[str] = []  # of the thinking, from its first suspicious character on
        self._tail_size = 0
        self._spoke = False  # said anything but thinking
        self._structured = False  # the backend parses calls itself
        self._recovered: list[tuple[str, list[str]]] = []
        self._cut = False  # the last recovered call
        self._owed: list[Piece] = []

    def passes(self, text: str) -> bool:
        if not self._alike:
            return False
        if self._reader is not None:
            return self._reader.passes(text)
        if self._thinking and (self._tail or self._openers.suspicious(text)):
            self._keep(text)
        return True

    def push(self, events: list[Event]) -> list[Event]:
        self._sink.out = []
        for event in events:
            self._event(event)
        return self._sink.out

    def _event(self, event: Event) -> None:
        match event:
            case BlockDelta():
                self._delta(event)
            case BlockStart():
                self._start(event)
            case BlockStop():
                self._stop()
            case ResponseStart():
                self._reset()
                self._sink.out = [event]
            case ResponseEnd():
                self._sink.out.append(self._end(event))
            case _:
                self._sink.out.append(event)

    # ------------------------------------------------------------------------------------------------ blocks

    def _start(self, event: BlockStart) -> None:
        self._alike = False
        self._pay(cut=False)
        self._thinking = event.kind is BlockKind.THINKING
        if event.kind is BlockKind.TOOL_USE:
            self._structured = self._spoke = True
            self._sink.call(event.id, event.name)
        elif event.kind is BlockKind.TEXT and not self._structured:
            self._reader = TextReader(self._openers, self._toolbox, alone=not self._spoke)

    def _delta(self, event: BlockDelta) -> None:
        sink = self._sink
        if self._thinking:
            if self._tail or self._openers.suspicious(event.text):
                self._keep(event.text)
            sink.say(BlockKind.THINKING, event.text)
        elif sink.kind is BlockKind.TOOL_USE and self._reader is None:
            sink.argue(event.text)
        elif self._reader is None or self._reader.passes(event.text):
            self._say(event.text)
        else:
            self._take(self._reader.feed(event.text), RECOVERED)
        self._alike = sink.index == event.index and sink.kind is (
            BlockKind.THINKING if self._thinking else BlockKind.TEXT
        )

    def _stop(self) -> None:
        self._alike = False
        if self._reader is not None:
            self._owe(self._reader.close())
            self._reader = None
        self._thinking = False
        if not self._cut and not self._owed:  # open until the end says how it ended: what is closed counts as whole
            self._sink.close()

    def _owe(self, pieces: list[Piece]) -> None:
        """What ends a call only because the text ends waits until it is known why that ended."""
        if pieces and isinstance(pieces[0], Argued | Ended):
            self._owed = pieces
        else:
            self._take(pieces, RECOVERED)

    def _pay(self, *, cut: bool) -> None:
        pieces, self._owed = self._owed, []
        self._take([Ended(whole=False)] if pieces and cut else pieces, RECOVERED)

    def _say(self, text: str) -> None:
        self._spoke = True
        self._sink.say(BlockKind.TEXT, text)

    def _take(self, pieces: list[Piece], how: str) -> None:
        for piece in pieces:
            match piece:
                case Said(text=text):
                    self._say(text)
                case Called(name=name, id=ident):
                    self._call(name, ident, how)
                case Argued(text=text):
                    self._recovered[-1][1].append(text)
                    self._sink.argue(text)
                case Ended(whole=whole):
                    self._cut = not whole
                    if whole:
                        self._sink.close()

    def _call(self, name: str, ident: str, how: str) -> None:
        self._spoke = True
        self._notes.repaired(how)
        self._notes.alert(ADVICE.format(flags=self._flags))
        self._recovered.append((name, []))
        self._sink.call(ident, name)

    # ------------------------------------------------------------------------------------------------ the end

    def _keep(self, text: str) -> None:
        self._tail_size += len(text)
        if self._tail_size <= LONGEST_TAIL:
            self._tail.append(text)

    def _end(self, event: ResponseEnd) -> ResponseEnd:
        self._pay(cut=event.stop_reason is StopReason.MAX_TOKENS)
        if self._tail and not self._spoke and event.stop_reason is not StopReason.MAX_TOKENS:
            self._read_thinking()
        if not self._recovered:
            return event
        self._sink.close()
        reason = event.stop_reason
        if self._cut:
            self._notes.repaired("a call that the end of the output cut told as max_tokens")
            reason = StopReason.MAX_TOKENS
        elif reason is not StopReason.MAX_TOKENS:
            reason = StopReason.TOOL_USE
        return msgspec.structs.replace(event, stop_reason=reason, stop_sequence=None)

    def _read_thinking(self) -> None:
        """Whole calls at the very end of the thinking, nothing behind them but white space."""
        if self._tail_size > LONGEST_TAIL:
            return
        reader = TextReader(self._openers, self._toolbox, alone=False)
        pieces = reader.feed("".join(self._tail)) + reader.close()
        last = max((at for at, piece in enumerate(pieces) if isinstance(piece, Said)), default=-1)
        calls = pieces[last + 1 :]
        if calls and all(piece.whole for piece in calls if isinstance(piece, Ended)):
            self._take(calls, FROM_THINKING)
