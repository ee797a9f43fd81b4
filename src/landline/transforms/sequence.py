"""All changes to a request, in their order, and what the answer must be given back for them.

The one list of the request's transforms: the gateway and the tests run it alike. A transform that renames or reshapes
something that the client will see again adds its inverse to `Outbound.restoring`.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from landline.core.exchange import Notes
from landline.core.model import Cleared, Conversation
from landline.core.stream import Transform
from landline.families.tool_parsers.every import in_order
from landline.protocols.openai_chat.dialect import Dialect, Tooling
from landline.transforms.claimed_work import claims_noticed
from landline.transforms.context_edits import with_edits
from landline.transforms.date_marks import without_date_marks
from landline.transforms.history import whole_history
from landline.transforms.identifiers import in_form, with_native_ids
from landline.transforms.loop_guard import STOPPED_AT, stopped_or_told, with_text_behind
from landline.transforms.media import seen_images, visible_media
from landline.transforms.names import plain_names
from landline.transforms.prefix import system_in_place, without_billing_line
from landline.transforms.recovering import recovery
from landline.transforms.recovery import Recovery
from landline.transforms.repetition import EndRepetition
from landline.transforms.schemas import compilable
from landline.transforms.second_asking import HoldCall, NoticePlan
from landline.transforms.stop_strings import own_stops
from landline.transforms.thinking_only import ExplainThinkingOnly
from landline.transforms.tool_repair import RepairCalls
from landline.transforms.tool_search import found_tools
from landline.transforms.tools_in_words import tools_in_words
from landline.transforms.turns import loses_thinking, strict_turns


class Restoring:
    """What an answer goes through. Made when it is first asked for: while the backend works, not before it is asked."""

    def __init__(self, make: Callable[[], tuple[Transform, ...]]) -> None:
        self._make: Callable[[], tuple[Transform, ...]] | None = make
        self._made: tuple[Transform, ...] = ()

    @property
    def transforms(self) -> tuple[Transform, ...]:
        if self._make is not None:
            self._made, self._make = self._make(), None  # what holds the request's messages is let go
        return self._made

    @property
    def thinking_in_text(self) -> bool | None:
        """Whether the backend leaves thinking in the text; None where the answer did not show it."""
        return next((one.in_text for one in self._made if isinstance(one, Recovery)), None)

    @property
    def held(self) -> HoldCall | None:
        """What holds a call that cannot be run; None: nothing does."""
        return next((one for one in self._made if isinstance(one, HoldCall) and one.tool), None)

    @property
    def plan(self) -> str:
        """The thinking in which the answer ended; empty where it said more, or nobody wants to know."""
        return next((one.plan for one in self._made if isinstance(one, NoticePlan)), "")


class Again(Struct, frozen=True):
    """What is asked for once more at the end of an answer that lacks it."""

    calls: bool = False  # that cannot be run
    plans: bool = False  # a step, where the turn ended in thinking


class Outbound(Struct, frozen=True):
    """A request as the backend should see it; `answer` undoes what its client must not notice."""

    conversation: Conversation
    answer: Restoring
    cleared: tuple[Cleared, ...] = ()  # on the client's wish; its answer says so

    @property
    def restoring(self) -> tuple[Transform, ...]:
        return self.answer.transforms


_NEVER = Again()


def outbound(
    asked: Conversation, dialect: Dialect, notes: Notes, *, loop_limit: int = STOPPED_AT, again: Again = _NEVER
) -> Outbound:
    """Raises LandlineError for what no backend can be sent."""
    told = stopped_or_told(asked, notes, limit=loop_limit)
    edited = with_edits(asked, notes)
    conversation = without_date_marks(without_billing_line(edited.conversation, notes), notes)
    conversation = system_in_place(conversation, notes)
    conversation, renaming = plain_names(conversation, notes)
    named, stopping = own_stops(conversation, notes)
    conversation = found_tools(named, dialect, notes)
    conversation = whole_history(conversation, notes)
    conversation = visible_media(conversation, notes)
    conversation = with_native_ids(conversation)
    conversation = with_text_behind(conversation, told) if told else conversation
    conversation = fitted(conversation, dialect, notes)
    loses_thinking(conversation, dialect, notes)

    def restoring() -> tuple[Transform, ...]:
        plans = (NoticePlan(),) if again.plans and named.tools else ()
        watching = (EndRepetition(notes), *claims_noticed(asked, notes), *plans)
        holding = (HoldCall(named.tools, notes),) if again.calls and named.tools else ()
        repairing = (RepairCalls(named.tools, notes), *holding)  # of all tools, told in words or listed
        recovering = recovery(named, dialect, notes)
        return (recovering, *stopping, *watching, *repairing, *renaming, ExplainThinkingOnly(notes))

    return Outbound(conversation, Restoring(restoring), edited.cleared)


def fitted(conversation: Conversation, dialect: Dialect, notes: Notes) -> Conversation:
    """The part that a refusal may change: run once more, on its own result, with a dialect that takes less."""
    if dialect.tools is Tooling.WORDS:
        conversation = tools_in_words(conversation, in_order(dialect.tool_parsers)[0], notes)
    conversation = seen_images(compilable(conversation, dialect, notes), dialect, notes)
    return in_form(strict_turns(conversation, dialect, notes), dialect.call_ids, notes)
