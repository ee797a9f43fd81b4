"""The OpenAI Responses API, as clients speak it; its responses are kept where that was turned on and asked for."""

from __future__ import annotations

from typing import NamedTuple, cast

from landline.core.events import ResponseEnd
from landline.core.exchange import Exchange
from landline.core.fold import Answer
from landline.errors import LandlineError
from landline.policy.identity import session_name
from landline.protocols.openai_client.reading import invalid
from landline.protocols.openai_responses.errors import told_in_stream
from landline.protocols.openai_responses.keeping import conversation_so_far, read_items, with_input
from landline.protocols.openai_responses.request import (
    Read,
    ResponsesRequest,
    nothing_kept,
    read_request,
    request_of,
    tool_shelf,
)
from landline.protocols.openai_responses.stream import (
    ResponseHead,
    ResponsesEncoder,
    encode_response,
    without_keeping,
)
from landline.server.calls import Call
from landline.server.inbound import AnswerEncoder, Asked
from landline.server.kept_responses import TURN_ON, KeptResponses
from landline.server.line import Line
from landline.server.opening import Opening
from landline.server.response_file import KeptResponse
from landline.server.response_search import SearchedResponse, searching
from landline.server.understanding import served

NOT_KEPT = f"store: true (nothing is kept between requests; to have it kept: {TURN_ON})"
NO_ITEMS = b"[]"


class Keeping(NamedTuple):
    """An answer is to be kept, with the whole input that led to it."""

    kept: KeptResponses
    input: bytes

    async def keep(self, response: bytes, exchange: Exchange) -> bool:
        session = exchange.session or exchange.id  # by that its replica was chosen
        created = int(exchange.started_at)
        row = KeptResponse(_ident(exchange), exchange.owner, created, session, self.input, response)
        return await self.kept.keep(row, exchange.notes)


class ResponsesForm:
    def __init__(self, request: ResponsesRequest, echo: dict[str, object], keeping: Keeping | None) -> None:
        self._toolset = request.toolset
        self._thinking = request.thinking
        self._sealed = request.sealed
        self._echo = request.echo | echo
        self._keeping = keeping

    @property
    def holds_end(self) -> bool:
        return self._keeping is not None

    def encoder(self, exchange: Exchange, opening: Opening) -> ResponsesEncoder:
        return ResponsesEncoder(self._head(exchange, opening.prompt_scale))

    async def ending(self, encoder: AnswerEncoder, end: ResponseEnd, exchange: Exchange) -> bytes:
        own = cast("ResponsesEncoder", encoder)
        if self._keeping is not None and not await self._keeping.keep(own.final(end), exchange):
            own.not_kept()
        return own.encode([end])

    async def whole(self, answer: Answer, exchange: Exchange, opening: Opening) -> bytes:
        head = self._head(exchange, opening.prompt_scale)
        written = encode_response(answer, head)
        if self._keeping is None or await self._keeping.keep(written, exchange):
            return written
        return encode_response(answer, without_keeping(head))

    def _head(self, exchange: Exchange, prompt_scale: float) -> ResponseHead:
        return _response_head(
            exchange,
            toolset=self._toolset,
            thinking=self._thinking,
            sealed=self._sealed,
            echo=self._echo,
            prompt_scale=prompt_scale,
        )


class ResponsesInbound:
    """One per gateway process."""

    def __init__(self) -> None:
        self._shelf = tool_shelf()

    async def understood(self, body: bytes, exchange: Exchange, line: Line) -> Asked:
        read = read_request(body, exchange.notes)
        exchange.stream = read.wire.stream is True  # how an error is told
        before = await _before(read, exchange, line)
        searcher = line.searcher is not None
        request = request_of(read, exchange.notes, shelf=self._shelf, earlier=read_items(before), searcher=searcher)
        exchange.session = exchange.session or session_name(request.session)
        keeping = None
        echo: dict[str, object] = {"previous_response_id": read.wire.previous_response_id or None}
        if read.wire.store and line.kept.on:
            keeping = Keeping(line.kept, with_input(before, read.input))
            echo["store"] = True
        elif read.wire.store:
            exchange.notes.drop(NOT_KEPT)
        conversation, form = await served(request.conversation, exchange, line), ResponsesForm(request, echo, keeping)
        if not request.searching:
            return Asked(conversation, form)
        asked = searching(request)

        def searched(call: Call) -> SearchedResponse:
            return SearchedResponse(conversation, form, asked, call, line)

        return Asked(conversation, form, searched)

    def told_in_stream(self, error: LandlineError, exchange: Exchange) -> bytes | None:
        if not exchange.stream or not told_in_stream(error, exchange.client):
            return None
        return ResponsesEncoder(_response_head(exchange)).error(error)


async def _before(read: Read, exchange: Exchange, line: Line) -> bytes:
    """The items of the conversation that the request goes on from. Raises LandlineError."""
    previous = read.wire.previous_response_id
    if not previous:
        return NO_ITEMS
    if not line.kept.on:
        raise nothing_kept()
    found = await line.kept.find(previous, exchange.owner)
    if found is None:
        raise invalid(
            f"previous_response_id: no response {previous[:60]!r} is kept.",
            hint="They are for 24 hours, where the request said `store: true`, and for the same key only. Send the "
            "whole conversation as `input`.",
        )
    exchange.session = exchange.session or found.session
    return conversation_so_far(found.input, found.response)


def _ident(exchange: Exchange) -> str:
    return f"resp_{exchange.id[4:]}"


def _response_head(exchange: Exchange, **known: object) -> ResponseHead:
    return ResponseHead(_ident(exchange), exchange.model_asked, int(exchange.started_at), **known)  # type: ignore[arg-type]
