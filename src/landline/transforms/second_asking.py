"""What an answer lacks that one more request may bring, where its user wants that: a call that can be run, or a step.

`HoldCall` holds the end of a call that cannot be run, so that it can still be completed; `NoticePlan` notices an answer
that ended in thinking. Neither asks: `server/reading.py` does, once, and gives what it got to `completed`.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import msgspec
from msgspec import Raw

from landline.core.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    Event,
    ResponseEnd,
    ResponseError,
    ResponseStart,
)
from landline.core.exchange import Notes
from landline.core.lenient_json import read_json
from landline.core.model import (
    Conversation,
    Message,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolChoice,
    Tools,
    replace_messages,
)
from landline.core.stream import Patience
from landline.families.tool_parsers.toolbox import RequestTools
from landline.transforms.unusable_calls import INCOMPLETE, NO_OBJECT, unusable
from landline.transforms.whole_arguments import continued

COMPLETED = "call completed by asking for it once more"
LONGEST_PLAN = 256 * 1024  # characters of thinking that are told again
NUDGE = (
    "<system-reminder>\nYour turn ended in thinking: no tool was called and nothing was said. If you meant to call a "
    "tool, call it now; else give your answer.\n</system-reminder>"
)
ARGUMENTS = (
    "<system-reminder>\nCall {tool} now. Write only the arguments of the call, all that its parameters ask for, as one "
    "JSON object.\n</system-reminder>"
)
_PATIENCE = Patience()
NUDGED = "the model was asked to go on: its turn had ended in thinking"


class HoldCall:
    """Holds the first finished call that cannot be run from its last piece on, and all that follows but the end."""

    reads_text: ClassVar[bool] = False

    def __init__(self, tools: Tools, notes: Notes) -> None:
        self._tools = tools
        self._toolbox = tools.once(RequestTools)
        self._notes = notes
        self._reset()

    @property
    def schema(self) -> Raw | None:
        """Of the arguments of the call that is held."""
        return next((tool.schema for tool in self._tools if tool.name == self.tool), None)

    def _reset(self) -> None:
        self.tool = ""  # of the call that is held
        self._open: BlockStart | None = None  # the call that comes in
        self._sent: list[str] = []  # of its arguments
        self._closing = ""  # how the model ended them
        self._owed: list[Event] = []

    def push(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            match event:
                case ResponseStart():
                    self._reset()
                case ResponseEnd() | ResponseError():
                    pass
                case _ if self.tool:
                    self._owed.append(event)
                    continue
                case BlockStart(kind=BlockKind.TOOL_USE):
                    self._open, self._sent = event, []
                case BlockDelta(text=text) if self._open is not None:
                    self._sent.append(text)
                case BlockStop() if self._open is not None:
                    cut = type(last := events[-1]) is ResponseEnd and last.stop_reason is StopReason.MAX_TOKENS
                    if not cut and self._holds(self._open, event, out):
                        continue
                    self._open = None
                case _:
                    pass
            out.append(event)
        return out

    def _holds(self, call: BlockStart, stop: BlockStop, out: list[Event]) -> bool:
        if unusable(self._toolbox, call.name, "".join(self._sent)) not in (INCOMPLETE, NO_OBJECT):
            return False
        if out and type(last := out[-1]) is BlockDelta:  # what closes the arguments comes with the end of the call
            self._closing = last.text
            out.pop()
            self._sent.pop()
        self.tool = call.name
        self._owed = [stop]
        return True

    def completed(self, arguments: str) -> list[Event]:
        """What is owed: the call as `arguments` have it, if they go on from what has left; else as the model wrote it.

        Empty `arguments`: nobody knows better.
        """
        assert self._open is not None
        found = read_json(arguments) if arguments else None
        rest = continued("".join(self._sent), cast("dict[str, Any]", found)) if isinstance(found, dict) else None
        if rest is not None:
            before = "".join((*self._sent, self._closing))
            self._notes.mended(self.tool, COMPLETED, before=before, after="".join((*self._sent, rest)))
        rest = self._closing if rest is None else rest
        owed, self._owed, self.tool = self._owed, [], ""
        return [BlockDelta(self._open.index, rest), *owed] if rest else owed


class NoticePlan:
    """Keeps the thinking of an answer for as long as that is all there is."""

    reads_text: ClassVar[bool] = True

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self._open = True  # nothing but thinking came so far

    @property
    def plan(self) -> str:
        """The thinking of an answer that was nothing else; empty for one that spoke, or thought too long."""
        return "".join(self._pieces) if self._open and self._size <= LONGEST_PLAN else ""

    def patience(self) -> Patience:
        return _PATIENCE

    def leaves(self, text: str) -> str | None:
        self.left(text)
        return text

    def left(self, text: str) -> None:
        if self._open and self._size <= LONGEST_PLAN:
            self._pieces.append(text)
            self._size += len(text)

    def push(self, events: list[Event]) -> list[Event]:
        for event in events:
            if type(event) is BlockStart and event.kind is not BlockKind.THINKING:
                self._open, self._pieces = False, []
            elif type(event) is BlockDelta:
                self.left(event.text)
            elif type(event) is ResponseStart:
                self._open, self._pieces, self._size = True, [], 0
        return events


def with_named_call(conversation: Conversation, tool: str, schema: Raw | None) -> Conversation:
    """The request for a call of this tool. Servers hold it to the tool's schema with the grammar they sample by.

    Where tools are told in words, only its arguments are asked for, as an answer by that `schema`.
    """
    if conversation.tools:
        return msgspec.structs.replace(conversation, tool_choice=ToolChoice("tool", tool, parallel=False))
    asked = Message(Role.USER, (Text(ARGUMENTS.format(tool=tool)),))
    conversation = replace_messages(conversation, [*conversation.messages, asked])
    return msgspec.structs.replace(conversation, answer_schema=schema)


def with_nudge(conversation: Conversation, plan: str) -> Conversation:
    """The request to go on from the thinking that its turn ended in."""
    behind = (Message(Role.ASSISTANT, (Thinking(plan),)), Message(Role.USER, (Text(NUDGE),)))
    return replace_messages(conversation, [*conversation.messages, *behind])
