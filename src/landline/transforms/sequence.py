"""All changes to a request, in their order, and what the answer must be given back for them.

The one list of the request's transforms: the gateway and the tests run it alike. A transform that renames or reshapes
something that the client will see again adds its inverse to `Outbound.restoring`.
"""

from __future__ import annotations

from msgspec import Struct

from landline.core.exchange import Notes
from landline.core.model import Cleared, Conversation
from landline.core.stream import Transform
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.claimed_work import claims_noticed
from landline.transforms.context_edits import with_edits
from landline.transforms.history import whole_history
from landline.transforms.identifiers import in_form, with_native_ids
from landline.transforms.loop_guard import STOPPED_AT, stopped_or_told, with_text_behind
from landline.transforms.media import seen_images, visible_media
from landline.transforms.names import plain_names
from landline.transforms.prefix import system_in_place, without_billing_line
from landline.transforms.repetition import EndRepetition
from landline.transforms.schemas import compilable
from landline.transforms.stop_strings import own_stops
from landline.transforms.thinking_only import ExplainThinkingOnly
from landline.transforms.tool_repair import RepairCalls
from landline.transforms.tool_search import found_tools
from landline.transforms.turns import loses_thinking, strict_turns


class Outbound(Struct, frozen=True):
    """A request as the backend should see it; `restoring` undoes on the answer what its client must not notice."""

    conversation: Conversation
    restoring: tuple[Transform, ...] = ()
    cleared: tuple[Cleared, ...] = ()  # on the client's wish; its answer says so


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
    repairing = RepairCalls(conversation.tools, notes)  # of all tools, told in words or listed
    conversation = found_tools(conversation, dialect, notes)
    conversation = whole_history(conversation, notes)
    conversation = visible_media(conversation, notes)
    conversation = with_native_ids(conversation)
    conversation = with_text_behind(conversation, told)
    conversation = fitted(conversation, dialect, notes)
    loses_thinking(conversation, dialect, notes)
    restoring = (*stopping, *watching, repairing, *renaming, ExplainThinkingOnly(notes))
    return Outbound(conversation, restoring, cleared=edited.cleared)


def fitted(conversation: Conversation, dialect: Dialect, notes: Notes) -> Conversation:
    """The part that a refusal may change: run once more, on its own result, with a dialect that takes less."""
    conversation = seen_images(compilable(conversation, dialect, notes), dialect, notes)
    return in_form(strict_turns(conversation, dialect, notes), dialect.call_ids, notes)
