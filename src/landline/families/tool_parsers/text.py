"""Finds calls in the text of an answer, cut anywhere, and keeps the text around them.

An opener counts at the top level of the text only: not in a code fence, not in `inline code`. Syntaxes may share an
opener; their readers then read side by side until one of them is sure, in the order of the list. What all of them
refuse is text again, from its first character on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from landline.core.marks import Marks
from landline.families.tool_parsers.syntax import Called, Piece, Reader, Said, State, Syntax, Toolbox

_FENCE = re.compile(r"`{3,}|~{3,}")
_FENCES = ("```", "~~~")
_BLANK = " \t"
_LONGEST_RUN = 128  # marks of one fence that are waited for
_LONGEST_SPACE = 4096  # before an answer that is nothing but a call
_PIECE = 4096  # characters that are looked at together, so that many openers in a long text cost no copies of it
_GIVEN_BACK = 1024 * 1024  # characters read twice because they looked like a call; after so many nothing does any more


class Openers:
    """The openers of some syntaxes, ready to be searched for. Made once for a list of syntaxes."""

    def __init__(self, syntaxes: Sequence[Syntax]) -> None:
        self.ordinary = sorted({o for s in syntaxes if not s.sole for o in s.openers}, key=len, reverse=True)
        self.sole = sorted({o for s in syntaxes if s.sole for o in s.openers}, key=len, reverse=True)
        self.search = re.compile("|".join(map(re.escape, [*_FENCES, *self.ordinary]))).search
        self._syntaxes = {
            (opener, sole): [s for s in syntaxes if opener in s.openers and s.sole == sole]
            for sole, openers in ((False, self.ordinary), (True, self.sole))
            for opener in openers
        }
        self._marks = Marks([*_FENCES, *self.ordinary])
        self._near = Marks(["`", "~", *self.ordinary]).near
        self.starts = frozenset(opener[0] for opener in self.sole)

    def of(self, opener: str, *, sole: bool) -> list[Syntax]:
        return self._syntaxes[opener, sole]

    def begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of an opener or of a fence."""
        return self._marks.begun(text)

    def suspicious(self, text: str) -> bool:
        """Whether the text may hold a call or change a code fence, where nothing is held."""
        return self._near(text)

    def may_grow(self, text: str) -> bool:
        """Whether `text`, which ends the input, may become a longer opener than the one it begins with."""
        return self._marks.begun(text) == len(text)


_NO_OPENERS = Openers(())


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
        self._info = False  # on the line of those marks
        self._closing = False  # behind marks that close it, if nothing else stands on their line
        self._blank_line = True  # only white space on the current line so far
        self._in_code = False  # an odd number of backticks on the current line
        self._readers: list[Reader] = []
        self._sole = False  # they are those of sole syntaxes
        self._given_back = 0  # characters that were no call after all
        self._won = False  # one reader is left, and has begun a call
        self._raw: list[str] = []  # since the opener, while no reader has won
        self._behind = False  # nothing but white space came since the last call
        self._blanks: list[str] = []  # that white space: said only if text follows

    def passes(self, text: str) -> bool:
        """Whether `text` holds nothing that matters here and may leave without being fed. Asked for every delta."""
        if not self._idle or self._openers.suspicious(text):
            return False
        line = text.rfind("\n")
        if line >= 0:
            self._blank_line = not text[line + 1 :].strip(_BLANK)
        elif self._blank_line and not text.isspace():
            self._blank_line = False
        return True

    def feed(self, text: str) -> list[Piece]:
        out: list[Piece] = []
        self._take(text, out)
        waits = self._held or self._readers or self._behind or self._closing or self._info
        self._idle = not (waits or self._in_code or self._alone)
        return out

    def close(self) -> list[Piece]:
        """The text has ended."""
        out: list[Piece] = []
        while self._readers:
            self._close_readers(out)
        held, self._held = self._held, ""
        self._say(held, out)
        self._blanks = []
        return out

    # ------------------------------------------------------------------------------------------------ readers

    def _take(self, text: str, out: list[Piece]) -> None:
        waiting = [text]
        while waiting:
            text = waiting.pop()
            if len(text) > _PIECE:
                waiting += [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)][::-1]
            elif text:
                waiting.append(self._read(text, out) if self._readers else self._scan(text, out))

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
                return self._over(reader, len(text))
            if self._won:
                return ""
        return "" if self._readers else self._no_call(out)

    def _wins(self, reader: Reader, pieces: list[Piece]) -> bool:
        if not self._won and any(type(piece) is Called for piece in pieces):
            self._readers, self._raw = [reader], []
            self._won = self.called = True
            self._blanks = []
        return self._won

    def _over(self, reader: Reader, fed: int) -> str:
        self._give_back(len(reader.rest) - fed)
        self._behind = self._behind or self._won
        self._readers, self._raw, self._won, self._sole = [], [], False, False
        self._blank_line, self._in_code = True, False
        return reader.rest

    def _no_call(self, out: list[Piece]) -> str:
        raw = "".join(self._raw)
        self._readers, self._raw = [], []
        if self._sole:  # it began where ordinary text begins, perhaps with a code fence
            self._sole = False
            return raw
        self._give_back(len(raw))
        self._say(raw[0], out)
        return raw[1:]

    def _give_back(self, characters: int) -> None:
        self._given_back += max(0, characters)
        if self._given_back > _GIVEN_BACK:
            self._openers = _NO_OPENERS

    def _close_readers(self, out: list[Piece]) -> None:
        for reader in list(self._readers):
            pieces = reader.close()
            if self._wins(reader, pieces):
                out += pieces
            if reader.state is State.DONE:
                self._take(self._over(reader, 0), out)
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
            inside = self._fence and not self._closing and not self._info and text[-1] not in "`~"
            keep = 0 if inside else self._openers.begun(text)
            self._held = text[len(text) - keep :]
            self._say(text[: len(text) - keep], out)
            return ""
        if found[0] in _FENCES:
            return self._mark(text, found.start(), out)
        self._say(text[: found.start()], out)
        behind = text[found.start() :]
        if self._openers.may_grow(behind):
            self._held = behind
            return ""
        if self._closing:  # a model that calls right behind the marks has ended its code
            self._end_fence()
        if self._fence or self._in_code:
            self._say(behind[0], out)
            return behind[1:]
        return self._begin(found[0], behind[len(found[0]) :], out)

    def _beginning(self, text: str) -> str | None:
        """At the beginning of an answer: a sole syntax, perhaps. None: go on as everywhere."""
        bare = text.lstrip()
        openers = self._openers
        if len(text) - len(bare) > _LONGEST_SPACE:
            self._alone = False
            return None
        if not bare or any(o.startswith(bare) and o != bare for o in (*openers.sole, *openers.ordinary)):
            self._held = text
            return ""
        self._alone = False
        opener = next((opener for opener in openers.sole if bare.startswith(opener)), None)
        if opener is None or any(map(bare.startswith, openers.ordinary)):
            return None
        self._sole = True
        self._readers = [s.reader(opener, self._toolbox) for s in openers.of(opener, sole=True)]
        self._raw = [text[: len(text) - len(bare)] + opener]
        return bare[len(opener) :]

    def _begin(self, opener: str, behind: str, out: list[Piece]) -> str:
        self._readers = [s.reader(opener, self._toolbox) for s in self._openers.of(opener, sole=False)]
        self._raw = [opener]
        return behind

    def _mark(self, text: str, at: int, out: list[Piece]) -> str:
        """Three or more marks of a code fence, which counts where only white space stands before it on its line."""
        marks = _FENCE.match(text, at)
        assert marks is not None
        if marks.end() == len(text) and len(marks[0]) < _LONGEST_RUN:  # it may go on
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
                self._fence, self._info = run, True
            elif run[0] == self._fence[0] and len(run) >= len(self._fence):
                self._closing = True
        return text[marks.end() :]

    def _end_fence(self) -> None:
        self._fence, self._closing, self._info = "", False, False

    def _judge_marks(self, line: str, *, ended: bool) -> None:
        """What else stands on the line of a fence's marks: behind closing ones nothing, behind opening ones no mark."""
        if self._closing and line.strip():
            self._closing = False
        if self._info and self._fence[0] == "`" and "`" in line:  # ```code``` within a line
            self._end_fence()
            self._in_code = True
        if ended and self._closing:
            self._end_fence()
        self._info = self._info and not ended

    def _say(self, text: str, out: list[Piece]) -> None:
        if not text:
            return
        if self._closing or self._info:
            first, end, _ = text.partition("\n")
            self._judge_marks(first, ended=bool(end))
        line, newline, last = text.rpartition("\n")
        if newline:
            self._blank_line, self._in_code = True, False
        else:
            last = line + last
        self._blank_line = self._blank_line and not last.strip(_BLANK)
        self._in_code ^= bool(last.count("`") % 2)
        if self._behind and text.isspace():
            self._blanks.append(text)
            return
        out.append(Said("".join([*self._blanks, text])))
        self._behind, self._blanks = False, []
