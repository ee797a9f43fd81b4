"""How one answer of the backend is read, and what is asked for once more at its end."""

from __future__ import annotations

from landline.core.events import Event, ResponseEnd
from landline.core.exchange import Exchange
from landline.core.fold import Fold
from landline.core.model import StopReason, ToolUse
from landline.core.stream import Pipeline
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from landline.server.opening import Opening
from landline.transforms.continuation import Continuation
from landline.transforms.identifiers import MintIds
from landline.transforms.second_asking import NUDGED, with_named_call, with_nudge
from landline.transforms.usage import FillUsage

LOST = "asked once more, not streamed: a tool call was announced and did not come"
UNUSABLE = "asked once more, not streamed: a tool call cannot be run"


class Reading:
    """`behind` stands for what an earlier try has said."""

    def __init__(self, opening: Opening, exchange: Exchange, *behind: Continuation) -> None:
        self.decoder = ChatStreamDecoder(notes=exchange.notes, stops=opening.stops)
        self._opening = opening
        self._exchange = exchange
        self._behind = behind
        self._pipeline: Pipeline | None = None
        self.lacking: ResponseEnd | None = None  # the end before which something is owed

    def pipeline(self) -> Pipeline:
        """Made when it is first asked for, and kept."""
        if self._pipeline is None:
            own = (MintIds(self._exchange.id[4:20]), FillUsage(self._opening.estimate))
            self._pipeline = Pipeline(self.decoder, (*self._opening.answer.transforms, *own, *self._behind))
        return self._pipeline

    def lacks(self, end: ResponseEnd) -> bool:
        """Whether something is owed before this end, so that `rest` must come in its place."""
        asks = bool(self._opening.request) and (self._lost(end) or bool(self._plan(end)))
        if asks or self._opening.answer.held_call:
            self.lacking = end
        return self.lacking is not None

    def _lost(self, end: ResponseEnd) -> bool:
        """Whether the answer ended for a call that the client did not get, not even read out of the text."""
        return self.decoder.lost_call and end.stop_reason is not StopReason.TOOL_USE

    def _plan(self, end: ResponseEnd) -> str:
        return self._opening.answer.plan if end.stop_reason is StopReason.END_TURN else ""

    async def rest(self, *, after: int, spoke: bool) -> list[Event]:
        """What comes behind the block `after`, and the end. `spoke`: more than thinking was said already."""
        end = self.lacking
        assert end is not None
        if tool := self._opening.answer.held_call:
            return [*self._opening.answer.completed(await self._call(tool)), end]
        if self._lost(end):
            data = await self._opening.ask_whole(LOST)
        else:
            plan = self._plan(end)
            data = await self._opening.ask_whole(NUDGED, lambda conversation: with_nudge(conversation, plan))
        behind = Continuation(after, thinking=False, told=spoke)
        pipeline = Reading(self._opening, self._exchange, behind).pipeline()
        events = [*pipeline.feed(data), *pipeline.close()] if data else []
        return events if events and isinstance(events[-1], ResponseEnd) else [end]

    async def _call(self, tool: str) -> str:
        """The arguments that the backend gives the call when it is asked for that alone; empty where it gives none."""
        if not self._opening.request:
            return ""
        data = await self._opening.ask_whole(UNUSABLE, lambda conversation: with_named_call(conversation, tool))
        decoder, fold = ChatStreamDecoder(notes=self._exchange.notes), Fold()
        fold.push([*decoder.feed(data), *decoder.close()])
        blocks = fold.answer.blocks if fold.answer is not None else ()
        return next((block.arguments for block in blocks if isinstance(block, ToolUse) and block.name == tool), "")
