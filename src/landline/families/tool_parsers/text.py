"""Finds calls in the text of an answer, cut anywhere, and keeps the text around them.

An opener counts at the top level of the text only: not in a code fence, not in `inline code`. Syntaxes may share an
opener; their readers then read side by side until one of them is sure, in the order of the list. What all of them
refuse is text again, from its first character on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from landline.families.tool_parsers.syntax import Called, Piece, Reader, Said, State, Syntax, Toolbox

_FENCE = re.compile(r"`{3,}|~{3,}")
_BLANK = " \t"
_AT_ONCE = 2048  # characters: each refused opener costs a copy of what is left of them


class Openers:
    """The openers of some syntaxes, ready to be searched for. Made once for a list of syntaxes."""

    def __init__(self, syntaxes: Sequence[Syntax]) -> None:
        self.syntaxes = tuple(syntaxes)
        ordinary = sorted({o for s in syntaxes if not s.sole for o in s.openers}, key=len, reverse=True)
        self.search = re.compile("|".join(map(re.escape, ["```", "~~~", *ordinary]))).search
        self.sole = sorted({o for s in syntaxes if s.sole for o in s.openers}, key=len, reverse=True)
        self.ordinary = ordinary
        self._longest = max(map(len, [*ordinary, "~~~"]))
        starts = "".join(sorted({opener[0] for opener in ordinary}))
        # A text without any of these, where nothing is held, can hold no call and change no fence.
        self.suspicious = re.compile(f"[{re.escape(starts)}`~\n]").search

    def of(self, opener: str) -> list[Syntax]:
        return [syntax for syntax in self.syntaxes if opener in syntax.openers]

    def begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of an opener or of a fence."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-size:]
            if any(opener.startswith(tail) for opener in (*self.ordinary, "```", "~~~")):
                return size
        return 0

    def may_grow(self, text: str) -> bool:
        """Whether `text`, which ends the input, may become a longer opener than the one it begins with."""
        return any(len(opener) > len(text) and opener.startswith(text) for opener in self.ordinary)


class TextReader:
    """Reads the text of one block. `alone`: nothing stands before it in the answer, so a sole syntax may count."""

    def __init__(self, openers: Openers, toolbox: Toolbox, *, alone: bool) -> None:
        self.called = False  # a call was found
        self._openers = openers
        self._toolbox = toolbox
        self._alone = alone
        self._idle = False
        self._held = ""  # what may become an opener
        self._fence = ""  # the marks that opened the code block we are in
        self._blank_line = True  # only white space on the current line so far
        self._in_code = False  # an odd number of backticks on the current line
        self._readers: list[Reader] = []
        self._won = False  # one reader is left, and has begun a call
        self._raw: list[str] = []  # since the opener, while no reader has won
        self._behind = False  # nothing but white space came since the last call
        self._blanks: str = ""  # that white space: said only if text follows

    def passes(self, text: str) -> bool:
        """Whether `text` holds nothing that matters here and may leave without being fed. Asked for every delta."""
        if not self._idle or self._openers.suspicious(text):
            return False
        if self._blank_line and not text.isspace():
            self._blank_line = False
        return True

    def feed(self, text: str) -> list[Piece]:
        out: list[Piece] = []
        for at in range(0, len(text), _AT_ONCE):
            self._take(text[at : at + _AT_ONCE], out)
        self._idle = not (self._held or self._readers or self._behind or self._in_code or self._alone)
        return out

    def close(self) -> list[Piece]:
        """The text has ended."""
        out: list[Piece] = []
        while self._readers:
            self._close_readers(out)
        held, self._held = self._held, ""
        self._say(held, out)
        self._blanks = ""
        return out

    # ------------------------------------------------------------------------------------------------ readers

    def _take(self, text: str, out: list[Piece]) -> None:
        while text:
            text = self._read(text, out) if self._readers else self._scan(text, out)

    def _read(self, text: str, out: list[Piece]) -> str:
        """Feeds the readers; what is left behind a call, or all that was no call."""
        if not self._won:
            self._raw.append(text)
        for reader in list(self._readers):
            pieces = reader.feed(text)
            if reader.state is State.REFUSED and not self._won:
                self._readers.remove(reader)
                continue
            if self._wins(reader, pieces):
                out += pieces
            if reader.state is State.DONE:
                return self._over(reader)
            if self._won:
                return ""
        return "" if self._readers else self._no_call(out)

    def _wins(self, reader: Reader, pieces: list[Piece]) -> bool:
        if not self._won and any(type(piece) is Called for piece in pieces):
            self._readers, self._raw = [reader], []
            self._won = self.called = True
            self._blanks = ""
        return self._won

    def _over(self, reader: Reader) -> str:
        self._readers, self._raw, self._won = [], [], False
        self._alone = False
        self._behind = self.called
        self._blank_line, self._in_code = True, False
        return reader.rest

    def _no_call(self, out: list[Piece]) -> str:
        raw = "".join(self._raw)
        self._readers, self._raw = [], []
        self._alone = False
        self._say(raw[0], out)
        return raw[1:]

    def _close_readers(self, out: list[Piece]) -> None:
        for reader in list(self._readers):
            pieces = reader.close()
            if self._wins(reader, pieces):
                out += pieces
                self._over(reader)
                return
        self._take(self._no_call(out), out)

    # ------------------------------------------------------------------------------------------------ outside

    def _scan(self, text: str, out: list[Piece]) -> str:
        """Says text up to the next opener; what is left behind it."""
        text, self._held = self._held + text, ""
        if self._alone and (left := self._beginning(text)) is not None:
            return left
        found = self._openers.search(text)
        if found is None:
            keep = 0 if self._fence and text[-1] not in "`~" else self._openers.begun(text)
            self._held = text[len(text) - keep :]
            self._say(text[: len(text) - keep], out)
            return ""
        if found[0] in ("```", "~~~"):
            return self._mark(text, found.start(), out)
        self._say(text[: found.start()], out)
        behind = text[found.start() :]
        if self._openers.may_grow(behind):
            self._held = behind
            return ""
        if self._fence or self._in_code:
            self._say(behind[0], out)
            return behind[1:]
        return self._begin(found[0], behind[len(found[0]) :], out)

    def _beginning(self, text: str) -> str | None:
        """At the beginning of an answer: a sole syntax, perhaps. None: go on as everywhere."""
        bare = text.lstrip()
        openers = self._openers
        if not bare or any(o.startswith(bare) and o != bare for o in (*openers.sole, *openers.ordinary)):
            self._held = text
            return ""
        self._alone = False
        opener = next((opener for opener in openers.sole if bare.startswith(opener)), None)
        if opener is None or any(map(bare.startswith, openers.ordinary)):
            return None
        self._readers = [s.reader(opener, self._toolbox) for s in openers.of(opener) if s.sole]
        self._raw = [text[: len(text) - len(bare)] + opener]
        return bare[len(opener) :]

    def _begin(self, opener: str, behind: str, out: list[Piece]) -> str:
        syntaxes = [syntax for syntax in self._openers.of(opener) if not syntax.sole]
        self._readers = [syntax.reader(opener, self._toolbox) for syntax in syntaxes]
        self._raw = [opener]
        return behind

    def _mark(self, text: str, at: int, out: list[Piece]) -> str:
        """Three or more marks of a code fence, which counts where only white space stands before it on its line."""
        marks = _FENCE.match(text, at)
        assert marks is not None
        if marks.end() == len(text):  # it may go on
            self._say(text[:at], out)
            self._held = text[at:]
            return ""
        before, run = text[:at], marks[0]
        self._say(before, out)
        at_line_start = self._blank_line
        self._say(run, out)
        if at_line_start:
            self._in_code = False
            if not self._fence:
                self._fence = run
            elif run[0] == self._fence[0] and len(run) >= len(self._fence):
                self._fence = ""
        return text[marks.end() :]

    def _say(self, text: str, out: list[Piece]) -> None:
        if not text:
            return
        line, newline, last = text.rpartition("\n")
        if newline:
            self._blank_line, self._in_code = True, False
        else:
            last = line + last
        self._blank_line = self._blank_line and not last.strip(_BLANK)
        self._in_code ^= bool(last.count("`") % 2)
        if self._behind:
            text, self._blanks = self._blanks + text, ""
            if text.isspace():
                self._blanks = text
                return
            self._behind = False
        out.append(Said(text))
