"""The marks that some families write around every message. They call nothing and are no text: they are left out.

Only for models of the family, and outside of code, as everything here. What looks like a header and is none stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from landline.families.tool_parsers.kimi_k3 import KIMI_K3
from landline.families.tool_parsers.muse import MUSE
from landline.families.tool_parsers.syntax import LONGEST_NAME, Piece, State, Syntax, Toolbox
from landline.families.tool_parsers.tagged_json import COHERE, HERMES, TOOL_CALLS

_MESSAGE = "<|message|>"
_NAME = rf"[\w.:-]{{0,{LONGEST_NAME}}}"
_HEADER = re.compile(rf"(?:assistant to=)?{_NAME}{re.escape(_MESSAGE)}")
_BEGUN = re.compile(rf"(?:assistant(?: (?:to?)?)?|(?:assistant to=)?{_NAME}(?:<\|?[a-z]{{0,7}}\|?)?)\Z")


class _Mark:
    """A Reader of nothing: the opener was the mark. With `header`, the mark goes on to the next `<|message|>`."""

    def __init__(self, headers: Sequence[str], opener: str, toolbox: Toolbox) -> None:
        self.state = State.READING
        self.rest = ""
        self._header = opener in headers
        self._held = ""

    def feed(self, text: str) -> list[Piece]:
        self._held += text
        if not self._header:
            self.state, self.rest = State.DONE, self._held
        elif found := _HEADER.match(self._held):
            self.state, self.rest = State.DONE, self._held[found.end() :]
        elif not _BEGUN.match(self._held):
            self.state = State.REFUSED
        return []

    def close(self) -> list[Piece]:
        self.state = State.REFUSED if self._header else State.DONE
        return []


def _marks(syntax: Syntax, *openers: str, headers: Sequence[str] = (), parser: str = "") -> Syntax:
    """Of the families that write `syntax`; with `parser`, of those among them that it reads."""
    return Syntax(
        name=f"{parser or syntax.name}_messages",
        parsers=(parser,) if parser else syntax.parsers,
        openers=(*openers, *headers),
        reader=partial(_Mark, headers),
        write=syntax.write,
    )


SYNTAXES = (
    _marks(KIMI_K3, "<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>"),
    _marks(MUSE, _MESSAGE, "<|eom|>", "<|eot|>", headers=("<|start|>", "to=")),
    _marks(COHERE, "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"),
    # Ordinary XML too: only with the line ends that stand around a whole answer behind its thinking.
    _marks(TOOL_CALLS, "<answer>\n", "\n</answer>", parser="hunyuan_a13b"),
    _marks(HERMES, "<response>\n", "\n</response>", parser="ernie45"),
)
