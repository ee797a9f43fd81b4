"""Repairs the tool calls of an answer while they stream: names, arguments that do not fit the tool's own schema, and
JSON that is none.

Claude Code answers a call that does not fit with an error to the model, at the cost of a turn, or of the session where
the model does not learn. What is sure is mended (`call_arguments`, `core/near_names`); all else goes on as the model
wrote it. A call that fits is not touched, one that was cut is not completed, and two calls alike are two calls.

A call that goes on in nothing but white space is a model lost in its grammar (vllm-project/vllm#57592): its answer is
ended.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

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
from landline.core.exchange import LONGEST_NAME, WHOLE_CALL, Notes
from landline.core.model import StopReason, Tools
from landline.core.schema_fit import ANYTHING
from landline.families.tool_parsers.toolbox import RequestTools
from landline.transforms.call_arguments import CallArguments
from landline.transforms.unusable_calls import is_nameless, null_required, repeats_schema, tool_that_fits, unusable

MOST_BLANKS = 1_500  # characters of white space in a row, between the parts of the arguments
_BLANK = " \n\t\r"

NULL_REQUIRED = (
    "a required argument of {} is null, which its schema does not allow. If the backend is SGLang with MiniMax-M2, its "
    "parser reads every argument that may be null as null (sgl-project/sglang#16057): update it"
)
NAMED = "name of a tool read as one of the tools'"
TURNED_TO_TEXT = "call that only repeats a schema turned into text"
ENDLESS = "The model wrote endless white space into the arguments of a tool call."


class RepairCalls:
    """`tools` by the names that the backend knows. One call is open at a time, as the grammar of events has it.

    `problems`: why finished calls of the answer cannot be run, whatever the client does; empty for good ones.
    """

    reads_text: ClassVar[bool] = False

    def __init__(self, tools: Tools, notes: Notes) -> None:
        self.problems: list[str] = []
        self._toolbox = tools.once(RequestTools)
        self._tools = tools
        self._notes = notes
        self._name = ""
        self._call: CallArguments | None = None
        self._nameless: BlockStart | None = None  # held until its arguments tell which tool it is
        self._blanks = 0
        self._calls = self._texts = 0  # of the answer: calls that left, and those that became text

    def push(self, events: list[Event]) -> list[Event]:
        if len(events) == 1 and type(only := events[0]) is BlockDelta and self._nameless is None:  # nearly always
            if self._call is None:
                return events
            if only.text[-1:] not in _BLANK:
                self._blanks = 0
                left = self._call.feed(only.text)
                return events if left is only.text else [BlockDelta(only.index, left)] if left else []
        out: list[Event] = []
        for event in events:
            if type(event) is not BlockDelta:
                self._other(event, events[-1], out)
            elif self._call is None:
                out.append(event)
            elif self._delta(self._call, event, out):
                out.append(ResponseError(ENDLESS))
                break
        return out

    def _other(self, event: Event, last: Event, out: list[Event]) -> None:
        if type(event) is BlockStart and event.kind is BlockKind.TOOL_USE:
            self._begin(event, out)
            return
        if type(event) is ResponseStart:  # maybe of an answer that is asked for once more
            self._call, self._nameless, self._calls, self._texts, self.problems = None, None, 0, 0, []
        elif type(event) is BlockStop and self._call is not None:
            cut = type(last) is ResponseEnd and last.stop_reason is StopReason.MAX_TOKENS
            self._end(self._call, event, out, cut=cut)
            self._call = self._nameless = None
            return
        elif type(event) is ResponseEnd and event.stop_reason is StopReason.TOOL_USE and self._only_texts:
            event = msgspec.structs.replace(event, stop_reason=StopReason.END_TURN)
        out.append(event)

    @property
    def _only_texts(self) -> bool:
        return self._texts > 0 and not self._calls

    def _begin(self, event: BlockStart, out: list[Event]) -> None:
        self._blanks = 0
        found = self._toolbox.find(event.name)
        if found is None and self._tools and is_nameless(event.name):
            self._nameless, self._call = event, CallArguments(ANYTHING, _nobody)
            return
        self._open(event, found or event.name, out)

    def _open(self, event: BlockStart, name: str, out: list[Event]) -> CallArguments:
        if name != event.name:
            self._notes.mended(name, NAMED, before=event.name, after=name)
            event = msgspec.structs.replace(event, name=name)
        self._name = name
        self._calls += 1
        self._call = CallArguments(self._toolbox.schema(name), self._told)
        out.append(event)
        return self._call

    def _told(self, what: str, before: str, after: str) -> None:
        self._notes.mended(self._name, what, before=before, after=after)

    def _delta(self, call: CallArguments, event: BlockDelta, out: list[Event]) -> bool:
        """Lets a piece out, or holds it; whether the arguments have become nothing but white space."""
        text = event.text
        left = call.feed(text)
        if left and self._nameless is None:
            out.append(event if left == text else BlockDelta(event.index, left))
        if text[-1:] not in _BLANK or not text:
            self._blanks = 0
            return False
        bare = len(text.rstrip(_BLANK))
        self._blanks = len(text) - bare + (0 if bare else self._blanks)
        return self._blanks > MOST_BLANKS and not call.in_text

    def _end(self, call: CallArguments, stop: BlockStop, out: list[Event], *, cut: bool) -> None:
        if self._nameless is not None:
            found = self._meant_by(self._nameless, call.raw, out, cut=cut)
            if found is None:
                out.append(stop)
                return
            call = found
        rest = call.finish(cut=cut)
        if rest:
            out.append(BlockDelta(stop.index, rest))
        if call.changed:
            self._notes.mended(self._name, WHOLE_CALL, before=call.raw, after=call.sent)
        if not cut and null_required(self._toolbox.schema(self._name), call.sent):
            self._notes.alert(NULL_REQUIRED.format(self._name[:LONGEST_NAME]))
        if not cut and (problem := unusable(self._toolbox, self._name, call.sent)):
            self.problems.append(problem)
        out.append(stop)

    def _meant_by(self, start: BlockStart, raw: str, out: list[Event], *, cut: bool) -> CallArguments | None:
        """The call once more, of the tool that its arguments tell; None: it was no call, and left as text."""
        name = start.name if cut else tool_that_fits(raw, self._tools, self._toolbox) or start.name
        if name == start.name and not cut and repeats_schema(raw):
            self._texts += 1
            self._notes.mended(name, TURNED_TO_TEXT, before=name, after="")
            out += [BlockStart(start.index, BlockKind.TEXT), BlockDelta(start.index, raw)]
            return None
        call = self._open(start, name, out)
        left = call.feed(raw)
        if left:
            out.append(BlockDelta(start.index, left))
        return call


def _nobody(what: str, before: str, after: str) -> None:
    """Hears of repairs that nobody will see."""
