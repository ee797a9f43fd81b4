"""The life of one request, whatever the protocol of its client.

    authenticate -> decode -> route -> transforms -> send -> [read, feed, push, encode, write] -> settle

Between sending and settling there is one loop (`_pump`) with no branch on settings, no log and no await: it runs
inside the reads of the backend's socket. A client that hangs up cancels the task, which closes that connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import NamedTuple

from landline.core.events import ResponseEnd
from landline.core.exchange import Exchange, Outcome
from landline.core.fold import Answer
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.titles import is_title_call
from landline.server.answer import StreamHead, refuse_in_stream, whole_headers
from landline.server.asgi import Header, Receive, Scope, Send, send_whole
from landline.server.begun import Begun
from landline.server.calls import Call
from landline.server.delivery import Delivery
from landline.server.forwarding import forward
from landline.server.inbound import AnsweredHere, AnswerEncoder, Asked, Form, Inbound, MessagesForm, Verbatim
from landline.server.line import Line
from landline.server.opening import COUNT_BEFORE_OPENING_S, Opening
from landline.server.reading import Reading, failure, read_whole
from landline.server.repeats import Turn
from landline.server.titles import TitleCall
from landline.server.understanding import to_backend
from landline.server.waiting import Waiting
from landline.server.web_search import SearchCall
from landline.transforms.continuation import Continuation
from landline.upstream.client import UpstreamAnswer


class Proxy:
    """ASGI endpoint for one protocol. One `Exchange` per call, settled exactly once however the call ends."""

    def __init__(self, line: Line, inbound: Inbound) -> None:
        self._line = line
        self._inbound = inbound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with Call(self._line, scope, send) as call:
            try:
                begun = await self._begun(await call.body(receive), call)
                if isinstance(begun, Verbatim):
                    await forward(begun.taken(), scope, call, self._line)
                elif isinstance(begun, tuple):
                    await self._answer(*begun, call, send)
                else:
                    await begun.answer(send)
            except LandlineError as error:
                told = self._inbound.told_in_stream(error, call.exchange)
                if told is None:
                    raise
                await refuse_in_stream(send, error, told, call.exchange)

    async def _begun(self, body: bytes, call: Call) -> tuple[Opening, Form] | AnsweredHere | Verbatim:
        asked = await self._inbound.understood(body, call.exchange, self._line)
        if isinstance(asked, Verbatim):
            return asked
        conversation = asked.conversation
        own = self._answered_here(asked, call)
        if own is not None:
            return own
        opening = Opening(to_backend(conversation, call.exchange, self._line), call.exchange, self._line)
        await opening.fit()
        return opening, asked.form

    def _answered_here(self, asked: Asked, call: Call) -> AnsweredHere | None:
        """What is not, or not alone, for the backend to answer."""
        if asked.answered_here is not None:
            return asked.answered_here(call)
        conversation = asked.conversation
        if not isinstance(asked.form, MessagesForm):
            return None
        if conversation.web_search is not None:
            return SearchCall(conversation, call, self._line)
        if self._line.settings.models.local_titles and is_title_call(conversation):
            return TitleCall(conversation, call, self._line)
        return None

    async def _answer(self, opening: Opening, form: Form, call: Call, send: Send) -> None:
        with self._line.repeats.turn(call, opening.request, most=opening.most) as turn:
            if call.exchange.stream:
                await self._stream(opening, form, call, turn)
            else:
                await self._whole(opening, form, call, turn, send)

    async def _stream(self, opening: Opening, form: Form, call: Call, turn: Turn) -> None:
        exchange, gateway = call.exchange, self._line.settings.gateway
        asked = Begun(_in_turn(opening, call, turn))  # it leaves before anything is made that only the answer needs
        encoder = form.encoder(exchange, opening)
        head = StreamHead(exchange)

        def behind_first() -> None:
            turn.spoke()
            opening.forget()

        def on_first() -> None:
            call.first_event()
            asyncio.get_running_loop().call_soon(behind_first)  # it does not have to wait for that

        def on_open() -> list[Header]:
            exchange.status = 200
            return head.headers()

        async def decide() -> None:
            encoder.counted(await opening.decide())

        delivery = Delivery(call.client, encoder, heartbeat_s=gateway.heartbeat_s, on_open=on_open, on_first=on_first)
        counting_s = min(COUNT_BEFORE_OPENING_S, gateway.commit_after_s / 5)
        delivery.open_later(gateway.commit_after_s - counting_s - call.elapsed_s, decide)
        try:
            await self._answered(Streamed(opening, call, turn, encoder, delivery, form), asked)
        except LandlineError as error:
            delivery.fail(error, exchange)
        finally:
            delivery.close()
            opening.release()

    async def _answered(self, streamed: Streamed, asked: Awaitable[UpstreamAnswer]) -> None:
        """Reads, and asks again while the client has had no word of an answer that broke. Raises LandlineError."""
        opening, encoder = streamed.opening, streamed.encoder
        behind: tuple[Continuation, ...] = ()
        while True:
            try:
                return await self._once(streamed, asked, *behind)
            except LandlineError as error:
                if encoder.spoke or not await opening.again(error, thinking=encoder.index >= 0):
                    raise
            behind = (Continuation(encoder.index, thinking=encoder.thinking),)
            asked = _in_turn(opening, streamed.call, streamed.turn)

    async def _once(self, streamed: Streamed, asked: Awaitable[UpstreamAnswer], *behind: Continuation) -> None:
        opening, exchange = streamed.opening, streamed.call.exchange
        reading = Reading(opening, exchange, *behind)
        reading.holds_end = streamed.form.holds_end
        reading.pipeline()  # while the backend works
        async with await _sent(streamed, asked) as answer:
            end = await _pump(answer, reading, streamed)
            if reading.lacking:
                end = await self._rest(reading, streamed)
            self._complete(opening, exchange, end)  # before anything else: the client may leave at any moment now
            streamed.delivery.close()
            if reading.decoder.over:  # else a stop string ended it, and the backend is to stop
                await answer.finish()

    async def _rest(self, reading: Reading, streamed: Streamed) -> ResponseEnd:
        """The end of an answer behind what it lacked, as far as the backend gives it out now."""
        encoder = streamed.encoder
        events = await reading.rest(after=encoder.index, spoke=encoder.spoke)
        streamed.turn.tally.push(events)
        *said, end = events
        assert isinstance(end, ResponseEnd)
        data = encoder.encode(said)
        streamed.delivery.write(data + await streamed.form.ending(encoder, end, streamed.call.exchange), last=True)
        return end

    async def _whole(self, opening: Opening, form: Form, call: Call, turn: Turn, send: Send) -> None:
        exchange = call.exchange
        folded = await _come(turn, exchange) if turn.waits else None
        if folded is None:
            folded = await read_whole(opening, call)
            self._complete(opening, exchange, ResponseEnd(folded.stop_reason, folded.usage))
        exchange.outcome = Outcome.COMPLETED
        call.first_event()
        turn.keep(folded)
        opening.release()
        await send_whole(send, 200, await form.whole(folded, exchange, opening), whole_headers(exchange))

    def _complete(self, opening: Opening, exchange: Exchange, end: ResponseEnd) -> None:
        exchange.outcome, exchange.usage = Outcome.COMPLETED, end.usage
        opening.learn(end.usage)


class Streamed(NamedTuple):
    """What belongs to one streamed answer."""

    opening: Opening
    call: Call
    turn: Turn
    encoder: AnswerEncoder
    delivery: Delivery
    form: Form


async def _sent(streamed: Streamed, asked: Awaitable[UpstreamAnswer]) -> UpstreamAnswer:
    """The backend's headers, or what the count said while they did not come."""
    answer = await streamed.delivery.unless_refused(asked)
    streamed.call.headers_arrived()
    if streamed.delivery.opened:
        streamed.opening.forget()  # else with the first event: until then the prompt may have to be counted
    return answer


async def _in_turn(opening: Opening, call: Call, turn: Turn) -> UpstreamAnswer:
    if turn.waits:
        await _come(turn, call.exchange)
    return await opening.send()


async def _come(turn: Turn, exchange: Exchange) -> Answer | None:
    with Waiting(exchange):
        return await turn.come()


async def _pump(answer: UpstreamAnswer, reading: Reading, streamed: Streamed) -> ResponseEnd:
    """The loop. Its body runs inside each read of the backend's socket; all events of one read leave in one write.

    Raises LandlineError when the answer fails.
    """
    opening, call, turn, encoder, delivery, _ = streamed
    exchange, pipeline, tally = call.exchange, reading.pipeline(), turn.tally
    tally.begin()
    since = time.perf_counter()

    def take(piece: bytes) -> bool:
        nonlocal since
        if exchange.ttft_s is None:
            now = time.perf_counter()
            exchange.waited_s += now - since
            since = now
        events = pipeline.feed(piece) if piece else pipeline.close()
        if events:
            tally.push(events)
            if tally.end is not None and reading.lacks(tally.end):
                delivery.write(encoder.encode(events[:-1]))
                return True
            data = encoder.encode(events)
            if data and not delivery.write(data, last=tally.end is not None):
                answer.pause()
                delivery.when_drained(answer.resume)
        return tally.over

    await answer.pour(take)
    if tally.end is None:
        raise failure(tally.error, opening)
    return tally.end
