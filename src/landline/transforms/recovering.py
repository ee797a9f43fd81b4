"""What finds calls and thinking in the text of one answer, as its request and its backend ask for it."""

from __future__ import annotations

from functools import cache

import msgspec

from landline.core.exchange import Notes
from landline.core.marks import Marks
from landline.core.model import Conversation
from landline.core.stream import Transform
from landline.families.reasoning_parsers.delimiters import delimiters
from landline.families.tool_parsers.every import openers
from landline.families.tool_parsers.toolbox import RequestTools
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.reasoning import SplitThinking
from landline.transforms.recovery import Recovery
from landline.transforms.tool_calls import RecoverCalls


def recovery(conversation: Conversation, dialect: Dialect, notes: Notes) -> Recovery:
    """What finds calls and thinking in the text. Awake from the start where an answer may begin in thinking.

    It lives as long as the answer, so it must not hold the messages of the request.
    """
    conversation = msgspec.structs.replace(conversation, system=(), messages=(), answer_schema=None)

    def make() -> tuple[Transform, ...]:
        return (*split_thinking(conversation, dialect, notes), *recovered_calls(conversation, dialect, notes))

    asleep = bool(conversation.tools) and not _begins_in_thinking(conversation, dialect)
    marks = all_marks(dialect.tool_parsers, dialect.reasoning_parser)
    return Recovery(make, marks, openers(dialect.tool_parsers).starts, asleep=asleep)


def _begins_in_thinking(conversation: Conversation, dialect: Dialect) -> bool:
    implied = delimiters(dialect.reasoning_parser).implied and dialect.thinks is not False
    return implied and conversation.thinking != "off" and dialect.thinking_in_text is not False


def split_thinking(conversation: Conversation, dialect: Dialect, notes: Notes) -> tuple[SplitThinking, ...]:
    """What takes thinking out of the text, for a model that may think."""
    if dialect.thinks is False:
        return ()
    marks = delimiters(dialect.reasoning_parser)
    implied = _begins_in_thinking(conversation, dialect)
    flags = f"vLLM: --reasoning-parser {dialect.reasoning_parser or 'of its family'}"
    return (SplitThinking(marks, notes, implied=implied, tools=bool(conversation.tools), flags=flags),)


def recovered_calls(conversation: Conversation, dialect: Dialect, notes: Notes) -> tuple[RecoverCalls, ...]:
    """What reads calls out of the text, where the model may call."""
    choice = conversation.tool_choice
    if not conversation.tools or (choice is not None and choice.mode == "none"):
        return ()
    parser = dialect.tool_parsers[0] if dialect.tool_parsers else "of its family"
    flags = f"vLLM: --enable-auto-tool-choice --tool-call-parser {parser}"
    toolbox = conversation.tools.once(RequestTools)
    return (RecoverCalls(openers(dialect.tool_parsers), toolbox, notes, flags=flags),)


def prepare(dialect: Dialect) -> None:
    """Compiles what answers of such a model are read with (25 ms, once a family), before the first one needs it."""
    all_marks(dialect.tool_parsers, dialect.reasoning_parser)


@cache  # of constants: patterns are compiled once for each family that is met
def all_marks(tool_parsers: tuple[str, ...], reasoning_parser: str) -> Marks:
    """What a text must hold, or end in the beginning of, to be worth reading: marks of calls, thinking and code."""
    thinking = [mark.strip() for pair in delimiters(reasoning_parser).pairs for mark in pair]
    return Marks([*openers(tool_parsers).ordinary, *thinking, "`", "~"])
