"""What every tool-call syntax consists of: how its calls begin, a reader for what follows, and how they are written.

A reader is fed the text behind an opener, in any pieces. It gives out the pieces of calls as they become certain, and
says at the latest with the first one that it is a call at all: until then it may refuse, and all of it is text again.
Readers know nothing of prose, code fences or other syntaxes (`text.py` does), and never raise on what a model wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct

LONGEST_NAME = 256  # characters of a tool's name; what goes on longer is no name
LONGEST_HELD = 64 * 1024  # characters that a reader may hold before it must call or refuse; a sole one has no limit


class Said(Struct, frozen=True, gc=False):
    """Text of the answer outside of calls, as it was written."""

    text: str


class Called(Struct, frozen=True, gc=False):
    """A call begins. `name` is one of the tools', `id` the model's own where its syntax has one."""

    name: str
    id: str = ""


class Argued(Struct, frozen=True, gc=False):
    """The next piece of the call's arguments: all pieces together are one JSON object, if the call is whole."""

    text: str


class Ended(Struct, frozen=True, gc=False):
    """The call is over. Not `whole`: the output ended in it, and it must not be run."""

    whole: bool


Piece = Said | Called | Argued | Ended


class Toolbox(Protocol):
    """The tools of the request, as far as readers need them (`toolbox.py`)."""

    def find(self, written: str) -> str | None:
        """The name of the tool that is meant by what the model wrote; None where no tool is, or several may be."""
        ...

    def split(self, written: str) -> tuple[str, str] | None:
        """A tool's name and what stands behind it, where a model wrote both as one word; the longest name counts."""
        ...

    def properties(self, name: str) -> Mapping[str, Any]:
        """The JSON Schemas of the tool's arguments by their names; empty where the tool declares none."""
        ...

    def fitting(self, arguments: Collection[str]) -> str | None:
        """The only tool that takes arguments of these names and needs no others; None if none does, or several."""
        ...


class State(Enum):
    READING = "reading"
    DONE = "done"  # the calls are over; `rest` is the text behind them
    REFUSED = "refused"  # it was no call


class Reader(Protocol):
    """Reads from behind an opener to behind the last call that belongs to it. `rest`: see State.DONE."""

    state: State
    rest: str

    def feed(self, text: str) -> list[Piece]:
        """The pieces (never Said) that are certain now. Not called once the state is no more READING."""
        ...

    def close(self) -> list[Piece]:
        """The output has ended. Owes Ended for a call that has begun; refuses where none has."""
        ...


class WrittenCall(Struct, frozen=True):
    """A call as it stands in a history: `arguments` is JSON text of an object."""

    name: str
    arguments: str
    id: str = ""


class Syntax(Struct, frozen=True, kw_only=True):
    """`parsers` are vLLM's names of the parsers that read this syntax.

    An opener is literal text; a reader is made for the one that was met. `sole`: so ordinary that it only counts where
    nothing else stands in the answer (bare JSON). Such a reader refuses when anything but white space follows.
    `write` gives calls as the model writes them, openers and all: what `history` without tools needs, and the reverse
    of reading.
    """

    name: str
    parsers: tuple[str, ...]
    openers: tuple[str, ...]
    reader: Callable[[str, Toolbox], Reader]
    write: Callable[[Sequence[WrittenCall]], str]
    sole: bool = False
