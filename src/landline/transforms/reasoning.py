"""Thinking that the backend handed back as text becomes thinking again: no reasoning parser, or the wrong one.

An opening mark counts at the beginning of a block of text. Where the chat template writes it, the answer begins in
thinking without one; whether this backend takes the thinking out by itself is learnt from its answers, and until one
has shown it, the first text of a family that thinks is held for thinking. If no closing mark ever comes, all of it is
said once more as text: an answer is never lost as thinking.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import ClassVar

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
from landline.core.marks import Marks
from landline.core.model import StopReason
from landline.families.reasoning_parsers.delimiters import Delimiters
from landline.transforms.blocks import BlockSink

SPLIT = "thinking taken out of the answer's text"
STRAY = "a closing mark of thinking left out of the text"
SAID_AGAIN = "an answer that was all thinking said as text"
ADVICE = (
    "the backend hands thinking back as text: its reasoning parser is off, or of another model family; landline "
    "takes it out, but better start the server with the right parser ({flags})"
)
NEVER_CLOSED = "the thinking was never closed: max_tokens was used up in it, or the model lost itself"


class Learned(Enum):
    """What one answer shows about its backend."""

    NOTHING = "nothing"
    PARSES = "parses"  # thinking comes in its own field
    LEAVES = "leaves"  # thinking comes as text
    PLAIN = "plain"  # text came without thinking


class _In(Enum):
    BEGINNING = "beginning"  # of a block, or behind thinking: only white space so far
    THOUGHT = "thought"
    TEXT = "text"


@cache  # of constants: patterns are compiled once, not with each answer that begins in thinking
def _marks(closers: tuple[str, ...]) -> Marks:
    return Marks(closers)


class SplitThinking:
    """`implied`: text of this answer begins in thinking, without a mark. `tools`: the client offers some."""

    reads_text: ClassVar[bool] = True

    def __init__(self, marks: Delimiters, notes: Notes, *, implied: bool, tools: bool, flags: str) -> None:
        self.learned = Learned.NOTHING
        self._openers = {opener: closer for opener, closer in marks.pairs}
        self._closers = tuple(dict.fromkeys(closer for _, closer in marks.pairs))
        self._marks = _marks(self._closers)
        self._ends = {closer: _marks((closer,)) for closer in self._closers}
        self._notes = notes
        self._implied = implied and bool(marks.pairs)
        self._tools = tools
        self._flags = flags
        self._reset()

    def _reset(self) -> None:
        self._sink = BlockSink()
        self._in = _In.TEXT
        self._words = False  # the open block is text of the backend's
        self._alike = False  # and the one that leaves is the same, under the same number
        self._held = ""
        self._closer = ""
        self._guessed: list[str] = []  # thinking that was only supposed to be some
        self._thought: list[str] = []  # the backend's own, as long as nothing else was said
        self._spoke = False
        self._first = True  # no block of text before this one
        self._guess = False  # the thinking that is open may be none
        self._fresh = False  # nothing was said behind the opening mark
        self._behind = False  # the text that begins follows a closing mark

    @property
    def in_text(self) -> bool | None:
        """Whether the backend leaves thinking in the text; None where this answer did not show it."""
        return None if self.learned is Learned.NOTHING else self.learned is Learned.LEAVES

    def passes(self, text: str) -> bool:
        if not self._alike:
            return False
        if self._words:
            return self._in is _In.TEXT and not self._held and not (self._implied and self._marks.near(text))
        if not self._spoke and not self._tools:
            self._thought.append(text)
        return True

    def push(self, events: list[Event]) -> list[Event]:
        self._sink.out = []
        for event in events:
            self._event(event)
        return self._sink.out

    def _event(self, event: Event) -> None:
        sink = self._sink
        match event:
            case BlockDelta(text=text):
                self._delta(text)
                kind = BlockKind.TEXT if self._words else BlockKind.THINKING
                self._alike = sink.index == event.index and sink.kind is kind
            case BlockStart():
                self._start(event)
            case BlockStop():
                self._alike = False
                if self._words:
                    self._end_text()
                sink.close()
            case ResponseStart():
                self._reset()
                self._sink.out = [event]
            case ResponseEnd():
                self._end(event)
            case _:
                sink.out.append(event)

    # ------------------------------------------------------------------------------------------------ blocks

    def _start(self, event: BlockStart) -> None:
        self._words, self._alike = event.kind is BlockKind.TEXT, False
        if event.kind is BlockKind.THINKING:
            self.learned = Learned.PARSES
        elif event.kind is BlockKind.TOOL_USE:
            self._spoke = True
            self._sink.call(event.id, event.name)
        else:
            self._in, self._held, self._behind = _In.BEGINNING, "", False
            self._guess = self._first and self._implied and self.learned is not Learned.PARSES
            self._first = False

    def _delta(self, text: str) -> None:
        if self._words:
            self._text(text)
        elif self._sink.kind is BlockKind.TOOL_USE:
            self._sink.argue(text)
        else:
            if not self._spoke and not self._tools:
                self._thought.append(text)
            self._sink.say(BlockKind.THINKING, text)

    def _text(self, text: str) -> None:
        text, self._held = self._held + text, ""
        while text:
            match self._in:
                case _In.BEGINNING:
                    text = self._beginning(text)
                case _In.THOUGHT:
                    text = self._think(text)
                case _In.TEXT:
                    text = self._say(text)

    def _beginning(self, text: str) -> str:
        bare = text.lstrip()
        if not bare or any(opener.startswith(bare) and opener != bare for opener in self._openers):
            self._held = text
            return ""
        opener = max((o for o in self._openers if bare.startswith(o)), key=len, default="")
        if opener:
            self._in, self._closer, self._fresh = _In.THOUGHT, self._openers[opener], True
            self._guess = False
            self._told()
            return bare[len(opener) :]
        if self._guess:
            self._in, self._closer, self._fresh = _In.THOUGHT, self._closers[0], False
            return text
        self._in = _In.TEXT
        return text.lstrip("\n") if self._behind else text

    def _think(self, text: str) -> str:
        at = text.find(self._closer)
        if at < 0:
            keep = self._ends[self._closer].begun(text)
            self._held = text[len(text) - keep :]
            self._thinks(text[: len(text) - keep])
            return ""
        self._thinks(text[:at])
        self._guessed, self._guess = [], False
        self._told()
        self._sink.close()
        self._in, self._behind = _In.BEGINNING, True
        return text[at + len(self._closer) :]

    def _thinks(self, text: str) -> None:
        if self._fresh:
            text = text.lstrip("\n")
            self._fresh = not text
        if self._guess:
            self._guessed.append(text)
        self._sink.say(BlockKind.THINKING, text)

    def _say(self, text: str) -> str:
        found = min(((at, c) for c in self._closers if (at := text.find(c)) >= 0), default=None)
        if found is not None and self.learned is not Learned.PARSES and self._implied:
            at, closer = found
            self._speak(text[:at])
            self._notes.repaired(STRAY)
            return text[at + len(closer) :]
        keep = self._marks.begun(text)
        self._held = text[len(text) - keep :]
        self._speak(text[: len(text) - keep])
        return ""

    def _speak(self, text: str) -> None:
        self._spoke = self._spoke or bool(text)
        self._sink.say(BlockKind.TEXT, text)

    def _told(self) -> None:
        self.learned = Learned.LEAVES
        self._notes.repaired(SPLIT)
        self._notes.alert(ADVICE.format(flags=self._flags))

    # ------------------------------------------------------------------------------------------------ ends

    def _end_text(self) -> None:
        held, self._held = self._held, ""
        if self._in is _In.THOUGHT or self._guess:
            self._thinks(held)
        elif self._in is _In.BEGINNING and self._behind:
            self._speak(held.lstrip("\n"))
        else:
            self._speak(held)
        self._words = False

    def _end(self, event: ResponseEnd) -> None:
        """An answer that ends well and was all thinking is said as text, where the client has nothing to go on with."""
        if self._guessed and event.stop_reason is not StopReason.MAX_TOKENS:
            self.learned = Learned.PLAIN
        thought = "".join(self._guessed) or ("" if self._tools else "".join(self._thought))
        if thought.strip() and not self._spoke and event.stop_reason is StopReason.END_TURN:
            self._notes.repaired(SAID_AGAIN)
            self._speak(thought)
            self._sink.close()
        elif self._in is _In.THOUGHT and not self._spoke:
            self._notes.alert(NEVER_CLOSED)
        self._sink.out.append(event)
