"""How one answer of the backend is read, what is asked for once more at its end, and the loop for one read whole."""

from __future__ import annotations

import time

from landline.core.events import Event, ResponseEnd, ResponseError
from landline.core.exchange import Exchange
from landline.core.fold import Answer, Fold
from landline.core.model import StopReason, Text, ToolUse
from landline.core.stream import Pipeline, Transform
from landline.errors import LandlineError
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from landline.server.calls import Call
from landline.server.opening import Opening
from landline.server.waiting import Waiting
from landline.transforms.continuation import Continuation
from landline.transforms.identifiers import MintIds
from landline.transforms.second_asking import NUDGED, HoldCall, with_named_call, with_nudge
from landline.transforms.usage import FillUsage
from landline.upstream.client import UpstreamAnswer

LOST = "asked once more, not streamed: a tool call was announced and did not come"
UNUSABLE = "asked once more, not streamed: a tool call cannot be run"
# Nobody sees the tokens of an answer that leaves whole, so its backend is read in sips: a wake-up for every token would
# cost more than the token.
SIP_S = 0.005


class Reading:
    """`behind` stands for what an earlier try has said."""

    def __init__(self, opening: Opening, exchange: Exchange, *behind: Transform) -> None:
        self.decoder = ChatStreamDecoder(notes=exchange.notes, stops=opening.stops)
        self._opening = opening
        self._exchange = exchange
        self._behind = behind
        self._pipeline: Pipeline | None = None
        self.lacking: ResponseEnd | None = None  # the end before which something is owed
        self.holds_end = False  # something is done with the whole answer before its end is told

    def pipeline(self) -> Pipeline:
        """Made when it is first asked for, and kept."""
        if self._pipeline is None:
            own = (MintIds(self._exchange.id[4:20]), FillUsage(self._opening.estimate))
            self._pipeline = Pipeline(self.decoder, (*self._opening.answer.transforms, *own, *self._behind))
        return self._pipeline

    def lacks(self, end: ResponseEnd) -> bool:
        """Whether something is owed before this end, so that `rest` must come in its place."""
        asks = bool(self._opening.request) and (self._lost(end) or bool(self._plan(end)))
        if asks or self.holds_end or self._opening.answer.held is not None:
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
        if (held := self._opening.answer.held) is not None:
            return [*held.completed(await self._call(held)), end]
        if self._lost(end):
            data = await self._opening.ask_whole(LOST)
        elif not (plan := self._plan(end)):
            return [end]
        else:
            data = await self._opening.ask_whole(NUDGED, lambda conversation: with_nudge(conversation, plan))
        behind = Continuation(after, thinking=False, told=spoke)
        pipeline = Reading(self._opening, self._exchange, behind).pipeline()
        events = [*pipeline.feed(data), *pipeline.close()] if data else []
        return events if events and isinstance(events[-1], ResponseEnd) else [end]

    async def _call(self, held: HoldCall) -> str:
        """The arguments that the backend gives the call when it is asked for that alone; empty where it gives none."""
        if not self._opening.request:
            return ""
        tool, schema = held.tool, held.schema
        data = await self._opening.ask_whole(UNUSABLE, lambda conversation: with_named_call(conversation, tool, schema))
        decoder, fold = ChatStreamDecoder(notes=self._exchange.notes), Fold()
        fold.push([*decoder.feed(data), *decoder.close()])
        blocks = fold.answer.blocks if fold.answer is not None else ()
        called = next((block.arguments for block in blocks if isinstance(block, ToolUse) and block.name == tool), "")
        return called or next((block.text for block in blocks if isinstance(block, Text)), "")


async def read_whole(opening: Opening, call: Call) -> Answer:
    """The answer of the backend, whole; asked for again where it broke. Raises LandlineError."""
    while True:
        try:
            return await _read_once(opening, call)
        except LandlineError as error:
            if not await opening.again(error):
                raise


async def _read_once(opening: Opening, call: Call) -> Answer:
    reading = Reading(opening, call.exchange)
    async with await opening.send() as answer:
        call.headers_arrived()
        opening.forget()
        folded = await _collect(answer, reading, opening, call.exchange)
        if reading.decoder.over:  # else a stop string ended it, and the backend is to stop
            await answer.finish()
    return folded


async def _collect(answer: UpstreamAnswer, reading: Reading, opening: Opening, exchange: Exchange) -> Answer:
    fold, pipeline = Fold(), reading.pipeline()
    ours_s = 0.0

    def take(piece: bytes) -> bool:
        nonlocal ours_s
        began = time.perf_counter()
        events = pipeline.feed(piece) if piece else pipeline.close()
        if events and type(end := events[-1]) is ResponseEnd and reading.lacks(end):
            events = events[:-1]
        fold.push(events)
        ours_s += time.perf_counter() - began
        return fold.over or reading.lacking is not None

    with Waiting(exchange):
        await answer.pour(take, sip_s=SIP_S)
    exchange.waited_s -= ours_s
    if reading.lacking:
        fold.push(await reading.rest(after=fold.index, spoke=fold.spoke))
    if fold.answer is None:
        raise failure(fold.error, opening)
    return fold.answer


def failure(error: ResponseError | None, opening: Opening) -> LandlineError:
    assert error is not None, "a decoder that is over has told an end or an error"
    return opening.failed(error)
