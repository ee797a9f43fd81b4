"""Calls for a title: which are, and what becomes of the user's words."""

from __future__ import annotations

import pytest
from msgspec import Raw
from msgspec.structs import replace

from landline.core.model import Conversation, Message, Role, Text, Tool, Tools
from landline.protocols.anthropic_messages.titles import MOST_CHARACTERS, UNNAMED, is_title_call, title_of

SCHEMA = Raw(b'{"type":"object","properties":{"title":{"type":"string"}},"required":["title"]}')
# What stands behind the words: 2.1.197, 2.1.329.
BEHIND = (
    "\n\nWrite the title in the language the user wrote in, regardless of the language of the examples above.",
    "\n\nWrite the title in the predominant language of the session \u2014 a stray word doesn't change it.",
)


def asking(words: str, behind: str = BEHIND[0]) -> Conversation:
    text = Text(f"<session>\n{words}\n</session>{behind}")
    return Conversation(model="m", messages=(Message(Role.USER, (text,)),), answer_schema=SCHEMA)


@pytest.mark.parametrize("behind", BEHIND)
def test_the_clients_own_call_is_recognised(behind: str):
    assert is_title_call(asking("fix it", behind))


def test_nothing_else_is():
    call = asking("fix it")
    tool = Tool("Bash", Raw(b'""'), Raw(b"{}"))
    assert not is_title_call(replace(call, tools=Tools((tool,))))
    assert not is_title_call(replace(call, answer_schema=None))
    assert not is_title_call(replace(call, answer_schema=Raw(b'{"properties":{"title":{},"body":{}}}')))
    assert not is_title_call(replace(call, answer_schema=Raw(b'{"properties":3}')))
    assert not is_title_call(replace(call, answer_schema=Raw(b"[1]")))
    assert not is_title_call(replace(call, messages=(*call.messages, *call.messages)))
    assert not is_title_call(replace(call, messages=()))
    assert not is_title_call(replace(call, messages=(Message(Role.USER, (Text("name this <session>"),)),)))
    assert not is_title_call(replace(call, messages=(Message(Role.SYSTEM, call.messages[0].blocks),)))


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("please say hi to everybody in this project", "Please say hi to everybody in this"),
        ("fix the login button. It does nothing!", "Fix the login button"),
        ("why is v1.2.3 of `foo.py` slow?", "Why is v1.2.3 of foo.py slow"),
        ("<system-reminder>today is monday</system-reminder>\nadd a test", "Add a test"),
        ("<system-reminder>cut off", UNNAMED),
        ("# Tidy up\n\n- one\n- two", "Tidy up"),
        ("结算模块重构。然后测试", "结算模块重构"),
        ("  \n ", UNNAMED),
        ("\x1b[2J\x07", "[2J"),
    ],
)
def test_a_title_is_the_first_words(words: str, title: str):
    assert title_of(asking(words)) == title


def test_a_title_is_short_whatever_the_words():
    assert len(title_of(asking("x" * 100_000))) == MOST_CHARACTERS
    assert title_of(asking("supercalifragilistic " * 20)) == "Supercalifragilistic supercalifragilistic"
