"""The reader of text: fences, inline code, shared openers, refusals, sole syntaxes, and any cut of all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from landline.families.tool_parsers.syntax import Called, Ended, Piece, Said, State, Syntax, Toolbox, WrittenCall
from landline.families.tool_parsers.text import Openers, TextReader
from tests.fakes.tool_calls import read, read_in_every_cut, toolbox


class Word:
    """A call is a word and a dot: `go.` is one of `go`; `drop.` is none, but its mark is gone."""

    def __init__(self, words: Sequence[str]) -> None:
        self.state = State.READING
        self.rest = ""
        self._words = words
        self._text = ""

    def feed(self, text: str) -> list[Piece]:
        self._text += text
        word, dot, behind = self._text.partition(".")
        if not dot:
            if not any(one.startswith(word) for one in self._words):
                self.state = State.REFUSED
            return []
        if word not in self._words:
            self.state = State.REFUSED
            return []
        self.state, self.rest = State.DONE, behind
        return [] if word == "drop" else [Called(word), Ended(whole=True)]

    def close(self) -> list[Piece]:
        if self._text == "drop":
            self.state = State.DONE
        else:
            self.state = State.REFUSED
        return []


class Alone(Word):
    def feed(self, text: str) -> list[Piece]:
        self._text += text
        return []

    def close(self) -> list[Piece]:
        self.state = State.DONE if self._text.strip() == "go." else State.REFUSED
        return [Called("go"), Ended(whole=True)] if self.state is State.DONE else []


def syntax(opener: str, *words: str, sole: bool = False) -> Syntax:
    def reader(met: str, tools: Toolbox) -> Word:
        return Alone(words) if sole else Word(words)

    def write(calls: Sequence[WrittenCall]) -> str:
        return "".join(f"{opener}{call.name}." for call in calls)

    return Syntax(name=opener, parsers=(), openers=(opener,), reader=reader, write=write, sole=sole)


GO, STOP, LONG = syntax("<<", "go", "drop"), syntax("<<", "stop"), syntax("<<<", "far")
WORDY = syntax("call:", "go")
ALL = (GO, STOP, LONG, WORDY, syntax("{", sole=True), syntax("```", sole=True))


def found(name: str) -> list[Piece]:
    return [Called(name), Ended(whole=True)]


@pytest.mark.parametrize(
    "text",
    ["", "a", "a < b << c <", "<", "<<", "<<<", "<<go", "a\n\n", "call", "a call: it", "`", "``", "```", "~~~~x"],
)
def test_text_without_calls_stays(text: str) -> None:
    assert read_in_every_cut(text, ALL) == ([Said(text)] if text else [])


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("<<go.", found("go")),
        ("a<<go.b", [Said("a"), *found("go"), Said("b")]),
        ("a\n<<go. \n<<go.\n", [Said("a\n"), *found("go"), *found("go")]),
        ("<<go.\n b \n", [*found("go"), Said("\n b \n")]),
        ("<<stop.<<go.", [*found("stop"), *found("go")]),
        ("<<<far.", found("far")),
        ("<<<go.", [Said("<"), *found("go")]),
        ("<<g<<go.", [Said("<<g"), *found("go")]),
        ("<<x<<y<<go.", [Said("<<x<<y"), *found("go")]),
        ("a call:go. b", [Said("a "), *found("go"), Said(" b")]),
        ("ca<<go.", [Said("ca"), *found("go")]),
        ("a <<drop.b", [Said("a b")]),
        ("a <<drop", [Said("a ")]),
    ],
)
def test_calls_and_the_text_around_them(text: str, pieces: list[Piece]) -> None:
    assert read_in_every_cut(text, ALL) == pieces


@pytest.mark.parametrize(
    "text",
    [
        "`<<go.`",
        "a `b <<go.` c",
        "```\n<<go.\n```",
        "x\n  ```py\n<<go.\n",
        "~~~\n```\n<<go.\n~~~",
        "````\n```\n<<go.\n````",
        "```\n```py\n<<go.\n```",
        "```\n``` x\n<<go.\n```",
    ],
)
def test_no_call_in_code(text: str) -> None:
    assert read_in_every_cut(text, ALL) == [Said(text)]


@pytest.mark.parametrize(
    "before",
    [
        "```\nx\n```\n",
        "```\nx\n``` \n",
        "a `b` ",
        "```x``` and ",
        "a\n```x`",
        "a `b\n",
        "~~~\nx\n~~~~\n",
        "```\nx\n```",
        "a\n```py\n`\n```\n",
    ],
)
def test_calls_behind_code(before: str) -> None:
    assert read_in_every_cut(f"{before}<<go.", ALL) == [Said(before), *found("go")]


def test_a_sole_syntax_counts_alone() -> None:
    assert read_in_every_cut(" \n{go.\n", ALL) == found("go")
    assert read_in_every_cut("```go.", ALL) == found("go")
    for text in ("{go. x", "x {go.", "{", "{go"):
        assert read_in_every_cut(text, ALL) == [Said(text)]
    assert read_in_every_cut("{go.", ALL, alone=False) == [Said("{go.")]


def test_what_a_sole_syntax_refuses_is_read_again() -> None:
    assert read_in_every_cut("{ <<go.", ALL) == [Said("{ "), *found("go")]
    assert read_in_every_cut("```\n<<go.\n```\n<<stop.", ALL) == [Said("```\n<<go.\n```\n"), *found("stop")]


def test_the_first_of_the_list_that_calls_wins() -> None:
    other = syntax("<<", "go")
    for syntaxes in ((GO, other), (other, GO)):
        assert read_in_every_cut("<<go.<<go.", syntaxes) == [*found("go"), *found("go")]


def test_plain_text_may_pass_unread() -> None:
    reader = TextReader(Openers(ALL), toolbox(), alone=True)
    assert not reader.passes("a")
    assert reader.feed("a ") == [Said("a ")]
    assert reader.passes("plain words, call and all: (x) [y] {z}")
    for text in ("<", "`", "~", "call:", "a cal", "c"):
        assert not reader.passes(text), text


@pytest.mark.parametrize("held", ["<", "```", "`a", "<<g", "<<go.", "<<go. "])
def test_nothing_passes_while_something_is_open(held: str) -> None:
    reader = TextReader(Openers(ALL), toolbox(), alone=False)
    reader.feed(f"a\n{held}")
    assert not reader.passes("x")


def test_text_leaves_at_once() -> None:
    reader = TextReader(Openers(ALL), toolbox(), alone=True)
    assert reader.feed("a <") == [Said("a ")]
    assert reader.feed("b") == [Said("<b")]


@pytest.mark.parametrize("text", ["<<", "<<g", "<<<", "`", "```\n", "{", " ", "\n", "call:", "<<go. "])
def test_a_hundred_thousand_of_anything_take_linear_time(text: str) -> None:
    many = text * 100_000
    started = time.process_time()
    pieces = read(many, ALL)
    assert time.process_time() - started < 20
    assert "".join(piece.text for piece in pieces if isinstance(piece, Said)) == ("" if "go." in text else many)
