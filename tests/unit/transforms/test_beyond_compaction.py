"""Which overflow no summary mends, and for whom that is told."""

from __future__ import annotations

import pytest
from msgspec import Raw

from landline.core.model import Conversation, Message, Role, Text, Tool, Tools
from landline.errors import ErrorKind
from landline.transforms.largest import beyond_compaction

OPENCODE = "opencode/1.18.33 ai-sdk/provider-utils/4.0.0"
WINDOW = 10_000


def conversation(*said: tuple[Role, int], system: int = 0, tools: int = 0) -> Conversation:
    """`said` are roles and sizes in bytes."""
    head = (Message(Role.SYSTEM, (Text("s" * system),)),) if system else ()
    messages = tuple(Message(role, (Text("x" * size),)) for role, size in said)
    offered = (Tool("bash", Raw(b'""'), Raw(b"{" + b" " * tools + b"}")),) if tools else ()
    return Conversation(model="m", messages=(*head, *messages), tools=Tools(offered))


def told(asked: Conversation, *, prompt_tokens: int = 12_000, client: str = OPENCODE) -> str:
    error = beyond_compaction(asked, prompt_tokens=prompt_tokens, window=WINDOW, client=client)
    if error is None:
        return ""
    assert error.kind is ErrorKind.INVALID_REQUEST
    assert "12000 tokens, and the window of the model has 10000" in error.message
    assert "larger window" in error.hint
    return error.message


def test_a_first_request() -> None:
    assert "Its system text and tools alone" in told(conversation((Role.USER, 100), system=20_000, tools=20_000))
    assert "What was said in it" in told(conversation((Role.USER, 40_000), system=1_000))


def test_a_summary_behind_which_it_still_does_not_fit() -> None:
    said = ((Role.USER, 50), (Role.ASSISTANT, 1_000), (Role.USER, 100))
    assert "Its system text and tools alone" in told(conversation(*said, system=20_000, tools=20_000))


@pytest.mark.parametrize("system", [1_000, 20_000])
def test_a_conversation_that_a_summary_makes_short(system: int) -> None:
    said = ((Role.USER, 50), (Role.ASSISTANT, 10_000), (Role.USER, 10_000))
    assert told(conversation(*said, system=system)) == ""


@pytest.mark.parametrize("client", ["claude-cli/2.1.329 (external, cli)", "QwenCode/0.15.10", "codex_exec/0.169.0", ""])
def test_others_are_told_the_overflow(client: str) -> None:
    assert told(conversation((Role.USER, 100), system=40_000), client=client) == ""
