"""A response in which this side searches: the hosted tool `web_search`, beside the tools that the client runs itself.

The model's words and calls leave as they come, round after round; a call of the search is taken out, run, told as an
item of its own and fed back, until the model answers or calls a tool of the client. Each round's prompt is made of the
items that were told, by the reader of histories: so the next turn, which brings them back, begins with the same bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from landline.core.events import ResponseEnd, ResponseError
from landline.core.exchange import Outcome
from landline.core.model import Conversation, StopReason, ToolChoice, Usage, WebSearch, replace_messages
from landline.core.searches import MOST_USES, NO_USES_LEFT, Search, query_in
from landline.errors import LandlineError
from landline.protocols.openai_client.tools import Toolset
from landline.protocols.openai_responses.request import ResponsesRequest, answered
from landline.protocols.openai_responses.stream import ResponsesEncoder
from landline.protocols.openai_responses.web_search import BEGUN, DONE, beside, search_item, searched_item
from landline.server.answer import stream_headers, whole_headers
from landline.server.asgi import Header, Send, send_whole
from landline.server.calls import Call
from landline.server.delivery import Delivery
from landline.server.inbound import Form
from landline.server.line import Line
from landline.server.opening import Opening
from landline.server.reading import Reading, failure
from landline.server.understanding import to_backend
from landline.server.waiting import Waiting
from landline.server.web_search import looked_up
from landline.transforms.continuation import Continuation
from landline.transforms.hosted_calls import TakeCalls
from landline.upstream.client import UpstreamAnswer


class Searching(NamedTuple):
    """What a request says of its searches; keeps nothing of its bytes."""

    toolset: Toolset
    sealed: bool
    sources: bool
    before: int  # in the history

    @property
    def rules(self) -> WebSearch:
        assert self.toolset.search is not None
        return self.toolset.search


def searching(request: ResponsesRequest) -> Searching:
    return Searching(request.toolset, request.sealed, request.sources, request.searches)


class _Round(NamedTuple):
    """How one answer of the model ended, and what it wants searched."""

    end: ResponseEnd
    queries: list[str]
    more: bool  # the client has calls to run


class SearchedResponse:
    """One response. `answer` sends it, streamed or whole."""

    def __init__(self, conversation: Conversation, form: Form, asked: Searching, call: Call, line: Line) -> None:
        self._asked_first = conversation
        self._conversation = conversation
        self._form = form
        self._searching = asked
        self._call = call
        self._exchange = call.exchange
        self._line = line
        self._left = MOST_USES
        self._delivery: Delivery | None = None
        self._encoder: ResponsesEncoder | None = None

    async def answer(self, send: Send) -> None:
        """Raises LandlineError before the first byte."""
        opening = await self._opened()
        encoder = self._form.encoder(self._exchange, opening)
        assert isinstance(encoder, ResponsesEncoder)
        self._encoder = encoder
        if self._exchange.stream:
            await self._streamed(opening, encoder)
            return
        end = await self._rounds(opening, encoder)
        await self._form.ending(encoder, end, self._exchange)
        self._call.first_event()
        await send_whole(send, 200, encoder.final(end), whole_headers(self._exchange))

    async def _streamed(self, opening: Opening, encoder: ResponsesEncoder) -> None:
        exchange, gateway = self._exchange, self._line.settings.gateway

        def on_open() -> list[Header]:
            exchange.status = 200
            return stream_headers(exchange)

        async def decide() -> None:
            await opening.decide()

        delivery = Delivery(
            self._call.client,
            encoder,
            heartbeat_s=gateway.heartbeat_s,
            on_open=on_open,
            on_first=self._call.first_event,
        )
        self._delivery = delivery
        delivery.open_later(gateway.commit_after_s - self._call.elapsed_s, decide)
        try:
            end = await self._rounds(opening, encoder)
            delivery.write(await self._form.ending(encoder, end, exchange), last=True)
        except LandlineError as error:
            delivery.fail(error, exchange)
        finally:
            delivery.close()

    async def _rounds(self, opening: Opening, encoder: ResponsesEncoder) -> ResponseEnd:
        """Asks the model, runs its searches, and asks again, until it needs none, or its client has something to do."""
        output = 0
        while True:
            done = await self._round(opening, encoder)
            output += done.end.usage.output
            for query in done.queries:
                await self._search(query, encoder)
            if not done.queries or done.more or self._over:
                break
            self._go_on(encoder)
            opening = await self._opened()
        end = done.end
        if done.queries and not done.more:
            end = msgspec.structs.replace(end, stop_reason=StopReason.END_TURN)
        # The prompt of the last round is what the conversation fills of the window; clients compact by that.
        end = msgspec.structs.replace(end, usage=msgspec.structs.replace(end.usage, output=output))
        self._exchange.outcome = Outcome.COMPLETED
        return end

    @property
    def _over(self) -> bool:
        """Nothing more is run: the model was told so before and calls on."""
        return self._left <= 0 and self._conversation.tool_choice == ToolChoice("none")

    async def _opened(self) -> Opening:
        """The request of one round. Raises LandlineError."""
        outbound = to_backend(self._conversation, self._exchange, self._line, again=False)
        opening = Opening(outbound, self._exchange, self._line)
        await opening.fit()
        return opening

    async def _round(self, opening: Opening, encoder: ResponsesEncoder) -> _Round:
        while True:
            begun = encoder.index
            try:
                return await self._once(opening, encoder)
            except LandlineError as error:
                if encoder.index > begun or not await opening.again(error):
                    raise

    async def _once(self, opening: Opening, encoder: ResponsesEncoder) -> _Round:
        taking = TakeCalls(self._searching.toolset.search_name)
        reading = Reading(opening, self._exchange, taking, Continuation(encoder.index, thinking=False))
        sent = opening.send()
        async with await (sent if self._delivery is None else self._delivery.unless_refused(sent)) as answer:
            self._call.headers_arrived()
            end = await self._poured(answer, reading, opening, encoder)
            if reading.decoder.over:
                await answer.finish()
        if self._exchange.usage is None:  # the times of the record are those of the first round
            opening.learn(end.usage)
        else:
            opening.forget()
        self._count(end.usage)
        return _Round(end, [query_in(arguments) for arguments in taking.taken], taking.others)

    async def _poured(
        self, answer: UpstreamAnswer, reading: Reading, opening: Opening, encoder: ResponsesEncoder
    ) -> ResponseEnd:
        """The words of one answer, written as they come, up to its end."""
        pipeline = reading.pipeline()
        ends: list[ResponseEnd | ResponseError] = []

        def take(piece: bytes) -> bool:
            events = pipeline.feed(piece) if piece else pipeline.close()
            if events and isinstance(last := events[-1], ResponseEnd | ResponseError):
                ends.append(last)
                events = events[:-1]
            data = encoder.encode(events)
            if data and not self._write(data):
                assert self._delivery is not None
                answer.pause()
                self._delivery.when_drained(answer.resume)
            return bool(ends)

        with Waiting(self._exchange):
            await answer.pour(take)
        if isinstance(end := ends[0], ResponseEnd):
            return end
        raise failure(end, opening)

    def _write(self, data: bytes) -> bool:
        return self._delivery is None or self._delivery.write(data)

    async def _search(self, query: str, encoder: ResponsesEncoder) -> None:
        """One search, and its items."""
        ident = f"ws_{self._exchange.id[4:]}_{encoder.index + 1}"
        self._write(encoder.began(search_item(ident, query, status="in_progress"), BEGUN))
        search, told = await self._searched(Search(ident, query))
        encoder.pages |= {page.url: page.title for page in search.found}
        sealed = self._searching.sealed
        item = searched_item(search, told="" if sealed else told, sources=self._searching.sources)
        self._write(encoder.ended(item, DONE))
        if sealed:
            carrier = beside(f"rs_{self._exchange.id[4:]}_{encoder.index + 1}", told)
            self._write(encoder.began(carrier) + encoder.ended(carrier))

    async def _searched(self, search: Search) -> tuple[Search, str]:
        if self._left <= 0:
            return msgspec.structs.replace(search, failure="max_uses_exceeded"), NO_USES_LEFT
        self._left -= 1  # also for a call that cannot be run: a model that repeats it must come to an end
        if not search.query:
            return msgspec.structs.replace(search, failure="invalid_tool_input"), "The search needs a query."
        return await looked_up(search, self._searching.rules, self._line, self._exchange.notes)

    def _go_on(self, encoder: ResponsesEncoder) -> None:
        """The conversation with all that was told so far."""
        first, asked = self._asked_first, self._searching
        said = answered(encoder.output, asked.toolset, self._exchange.notes, searches=asked.before)
        conversation = replace_messages(first, [*first.messages, *said])
        choice = first.tool_choice
        if self._left <= 0:
            choice = ToolChoice("none")
        elif choice is not None and choice.mode in ("any", "tool"):  # that was done
            choice = ToolChoice("auto", parallel=choice.parallel)
        self._conversation = msgspec.structs.replace(conversation, tool_choice=choice)

    def _count(self, usage: Usage) -> None:
        """For the record, all rounds together: each of them was computed."""
        known = self._exchange.usage or Usage()
        self._exchange.usage = Usage(
            prompt=known.prompt + usage.prompt,
            cached=known.cached + usage.cached,
            cached_told=usage.cached_told,
            output=known.output + usage.output,
            reasoning=known.reasoning + usage.reasoning,
            exact=known.exact and usage.exact,
        )
