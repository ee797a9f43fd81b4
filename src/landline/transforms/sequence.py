"""All changes to a request, in their order, and what the answer must be given back for them.

The one list of the request's transforms: the gateway and the tests run it alike. A transform that renames or reshapes
something that the client will see again adds its inverse to `Outbound.restoring`.
"""

from __future__ import annotations

from functools import cache

import msgspec
from msgspec import Struct

from landline.core.exchange import Notes
from landline.core.marks import Marks
from landline.core.model import Cleared, Conversation
from landline.core.stream import Transform
from landline.families.reasoning_parsers.delimiters import delimiters
from landline.families.tool_parsers.every import in_order, openers
from landline.families.tool_parsers.toolbox import RequestTools
from landline.protocols.openai_chat.dialect import Dialect, Tooling
from landline.transforms.claimed_work import claims_noticed
from landline.transforms.context_edits import with_edits
from landline.transforms.history import whole_history
from landline.transforms.identifiers import in_form, with_native_ids
from landline.transforms.loop_guard import STOPPED_AT, stopped_or_told, with_text_behind
from landline.transforms.media import seen_images, visible_media
from landline.transforms.names import plain_names
from landline.transforms.prefix import system_in_place, without_billing_line
from landline.transforms.reasoning import SplitThinking
from landline.transforms.recovery import Recovery
from landline.transforms.repetition import EndRepetition
from landline.transforms.schemas import compilable
from landline.transforms.stop_strings import own_stops
from landline.transforms.thinking_only import ExplainThinkingOnly
from landline.transforms.tool_calls import RecoverCalls
from landline.transforms.tool_repair import RepairCalls
from landline.transforms.tool_search import found_tools
from landline.transforms.tools_in_words import tools_in_words
from landline.transforms.turns import loses_thinking, strict_turns


class Outbound(Struct, frozen=True):
    """A request as the backend should see it; `restoring` undoes on the answer what its client must not notice."""

    conversation: Conversation
    restoring: tuple[Transform, ...] = ()
    cleared: tuple[Cleared, ...] = ()  # on the client's wish; its answer says so
    recovery: Recovery | None = None  # shows, behind the answer, where the backend leaves thinking


def outbound(conversation: Conversation, dialect: Dialect, notes: Notes, *, loop_limit: int = STOPPED_AT) -> Outbound:
    """Raises LandlineError for what no backend can be sent."""
    told = stopped_or_told(conversation, notes, limit=loop_limit)
    watching = (EndRepetition(notes), *claims_noticed(conversation, notes))
    edited = with_edits(conversation, notes)
    conversation = edited.conversation
    conversation = without_billing_line(conversation, notes)
    conversation = system_in_place(conversation, notes)
    conversation, renaming = plain_names(conversation, notes)
    conversation, stopping = own_stops(conversation, notes)
    recovering = recovery(conversation, dialect, notes)
    repairing = RepairCalls(conversation.tools, notes)  # of all tools, told in words or listed
    conversation = found_tools(conversation, dialect, notes)
    conversation = whole_history(conversation, notes)
    conversation = visible_media(conversation, notes)
    conversation = with_native_ids(conversation)
    conversation = with_text_behind(conversation, told) if told else conversation
    conversation = fitted(conversation, dialect, notes)
    loses_thinking(conversation, dialect, notes)
    restoring = (recovering, *stopping, *watching, repairing, *renaming, ExplainThinkingOnly(notes))
    return Outbound(conversation, restoring, edited.cleared, recovering)


def fitted(conversation: Conversation, dialect: Dialect, notes: Notes) -> Conversation:
    """The part that a refusal may change: run once more, on its own result, with a dialect that takes less."""
    if dialect.tools is Tooling.WORDS:
        conversation = tools_in_words(conversation, in_order(dialect.tool_parsers)[0], notes)
    conversation = seen_images(compilable(conversation, dialect, notes), dialect, notes)
    return in_form(strict_turns(conversation, dialect, notes), dialect.call_ids, notes)


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


@cache  # of constants: patterns are compiled once for each family that is met
def all_marks(tool_parsers: tuple[str, ...], reasoning_parser: str) -> Marks:
    """What a text must hold, or end in the beginning of, to be worth reading: marks of calls, thinking and code."""
    thinking = [mark.strip() for pair in delimiters(reasoning_parser).pairs for mark in pair]
    return Marks([*openers(tool_parsers).ordinary, *thinking, "`", "~"])
