"""The searches that a client expects its server to run while it answers.

Claude Code's WebSearch makes a call with the tool `web_search_20250305` alone, and shows its agent what stands in the
result blocks of the answer. Here the model gets a function in its place; what it calls is searched, told to the client
and fed back, until it answers in words. Without a search service the call is answered with an error in such a block,
and no model is asked: an empty result would look like a search that found nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from landline.core.events import ResponseEnd, ResponseStart
from landline.core.exchange import Notes, Outcome
from landline.core.fold import Answer
from landline.core.model import (
    Conversation,
    Message,
    Role,
    StopReason,
    Text,
    ToolChoice,
    ToolResult,
    Tools,
    ToolUse,
    Usage,
    WebSearch,
    replace_messages,
)
from landline.core.searches import MOST_USES, NO_USES_LEFT, TOOL, Search, query_in, words
from landline.errors import LandlineError
from landline.policy.searching import may_show
from landline.protocols.anthropic_messages.server_tools import ASKED_TO_SEARCH, SearchAnswer
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder
from landline.server.answer import stream_headers, whole_headers
from landline.server.asgi import Header, Send, send_whole
from landline.server.calls import Call
from landline.server.delivery import Delivery
from landline.server.line import Line
from landline.server.opening import Opening
from landline.server.reading import read_whole
from landline.server.understanding import to_backend
from landline.upstream.search import SearchFailed

NOT_CONFIGURED = (
    "Web search is not available: landline has no search service. To have one, set search.url (a SearXNG) or "
    "search.command (a program of your own) in landline.toml."
)
Write = Callable[..., object]  # (data, last=...), as Delivery has it


class SearchCall:
    """One answer in which the server searches. `answer` sends it, streamed or whole."""

    def __init__(self, conversation: Conversation, call: Call, line: Line) -> None:
        assert conversation.web_search is not None
        self._rules: WebSearch = conversation.web_search
        uses = self._rules.max_uses
        self._left = MOST_USES if uses is None else min(max(uses, 0), MOST_USES)
        self._query = query_of(conversation)
        self._conversation = msgspec.structs.replace(conversation, tools=Tools((TOOL,)))
        self._call = call
        self._exchange = call.exchange
        self._line = line
        self._usage = Usage(searches=0)
        self._tried = 0

    async def answer(self, send: Send) -> None:
        """Raises LandlineError before the first byte."""
        exchange = self._exchange
        size = sum(len(block.text) for block in self._conversation.messages[-1].blocks if isinstance(block, Text))
        head = MessageHead(f"msg_{exchange.id[4:]}", exchange.model_asked, self._line.backend.estimate_tokens(size))
        self._usage = msgspec.structs.replace(self._usage, prompt=head.prompt_estimate, exact=False)
        encoder = MessagesEncoder(head)
        answer = SearchAnswer(head, encoder)
        if exchange.stream:
            await self._streamed(answer, encoder)
            return
        await self._run(answer, _keep_back)
        self._call.first_event()
        await send_whole(send, 200, answer.whole(), whole_headers(exchange))

    async def _streamed(self, answer: SearchAnswer, encoder: MessagesEncoder) -> None:
        exchange, gateway = self._exchange, self._line.settings.gateway

        def on_open() -> list[Header]:
            exchange.status = 200
            return stream_headers(exchange)

        async def decide() -> None:
            return

        delivery = Delivery(
            self._call.client,
            encoder,
            heartbeat_s=gateway.heartbeat_s,
            on_open=on_open,
            on_first=self._call.first_event,
        )
        delivery.open_later(gateway.commit_after_s - self._call.elapsed_s, decide)
        try:
            await self._run(answer, delivery.write)
        except LandlineError as error:
            delivery.fail(error, exchange)
        finally:
            delivery.close()

    async def _run(self, answer: SearchAnswer, write: Write) -> None:
        if self._line.searcher is None:
            end = self._unavailable(answer, write)
        else:
            end = await self._rounds(answer, write)
        end = msgspec.structs.replace(end, usage=self._usage)
        self._exchange.outcome, self._exchange.usage = Outcome.COMPLETED, self._usage
        write(answer.end(end), last=True)

    def _unavailable(self, answer: SearchAnswer, write: Write) -> ResponseEnd:
        self._exchange.notes.alert("web search: no search service is configured (search.url or search.command)")
        write(answer.begin(ResponseStart()))
        write(answer.searched(Search(self._next_id(), self._query, failure="unavailable")))
        write(answer.said((Text(NOT_CONFIGURED),)))
        return ResponseEnd(StopReason.END_TURN, self._usage)

    async def _rounds(self, answer: SearchAnswer, write: Write) -> ResponseEnd:
        """Asks the model, runs what it calls, and asks again, until it answers in words."""
        while True:
            said = await self._ask()
            write(answer.begin(ResponseStart()))
            calls = [block for block in said.blocks if isinstance(block, ToolUse)]
            if not calls and not self._tried and ASKED_TO_SEARCH in self._asked_text() and self._left:
                self._exchange.notes.repaired("the model did not search: the words of the request were searched")
                calls = [ToolUse("", TOOL.name, msgspec.json.encode({"query": self._query}).decode())]
            else:
                write(answer.said(said.blocks))
            if not calls or self._over:
                reason = StopReason.END_TURN if said.stop_reason is StopReason.TOOL_USE else said.stop_reason
                return ResponseEnd(reason, self._usage, said.stop_sequence)
            thoughts = tuple(block for block in said.blocks if not isinstance(block, ToolUse))
            await self._search_all(calls, thoughts, answer, write)

    @property
    def _over(self) -> bool:
        """Nothing more is run: the model was told so before and calls on."""
        return self._left <= 0 and self._conversation.tool_choice == ToolChoice("none")

    async def _search_all(
        self, calls: list[ToolUse], before: tuple[object, ...], answer: SearchAnswer, write: Write
    ) -> None:
        """Runs the calls of one round and appends them to the conversation, as the model must see them."""
        made: list[ToolUse] = []
        results: list[ToolResult] = []
        for call in calls:
            search, text = await self._search(call)
            write(answer.searched(search))
            name = f"call_{self._tried}"
            made.append(ToolUse(name, TOOL.name, msgspec.json.encode({"query": search.query}).decode()))
            results.append(ToolResult(name, (Text(text),), failed=search.failure is not None))
        kept = tuple(block for block in before if isinstance(block, Text))
        turns = [Message(Role.ASSISTANT, (*kept, *made)), Message(Role.USER, tuple(results))]
        conversation = replace_messages(self._conversation, [*self._conversation.messages, *turns])
        choice = ToolChoice("auto") if self._left > 0 else ToolChoice("none")
        self._conversation = msgspec.structs.replace(conversation, tool_choice=choice)

    async def _search(self, call: ToolUse) -> tuple[Search, str]:
        """One search, and what the model is told of it."""
        ident, query = self._next_id(), query_in(call.arguments)
        if self._left <= 0:
            return Search(ident, query, failure="max_uses_exceeded"), NO_USES_LEFT
        self._left -= 1  # also for a call that cannot be run: a model that repeats it must come to an end
        if not query:
            return Search(ident, "", failure="invalid_tool_input"), "The search needs a query."
        search, told = await looked_up(Search(ident, query), self._rules, self._line, self._exchange.notes)
        if search.failure is None:
            self._usage = msgspec.structs.replace(self._usage, searches=(self._usage.searches or 0) + 1)
        return search, told

    async def _ask(self) -> Answer:
        """The model's next answer, whole. Raises LandlineError."""
        line, exchange = self._line, self._exchange
        opening = Opening(to_backend(self._conversation, exchange, line, again=False), exchange, line)
        await opening.fit()
        said = await read_whole(opening, self._call)
        self._count(said.usage)
        return said

    def _count(self, usage: Usage) -> None:
        """All rounds together: each of them was computed."""
        known = Usage(searches=self._usage.searches) if not self._exchange.usage else self._usage
        self._usage = Usage(
            prompt=known.prompt + usage.prompt,
            cached=known.cached + usage.cached,
            output=known.output + usage.output,
            reasoning=known.reasoning + usage.reasoning,
            exact=known.exact and usage.exact,
            searches=known.searches,
        )
        self._exchange.usage = self._usage

    def _next_id(self) -> str:
        self._tried += 1
        return f"srvtoolu_ll{self._exchange.id[4:20]}{self._tried}"

    def _asked_text(self) -> str:
        return " ".join(_texts(self._conversation.messages[0]))


async def looked_up(search: Search, rules: WebSearch, line: Line, notes: Notes) -> tuple[Search, str]:
    """The search with what was found, and what the model is told of it."""
    assert line.searcher is not None
    try:
        found = await line.searcher.search(search.query)
    except SearchFailed as error:
        notes.alert(f"web search failed: {error}")
        return msgspec.structs.replace(search, failure="unavailable"), f"The search failed: {error}."
    shown = tuple(page for page in found if may_show(page.url, rules))[: line.settings.search.max_results]
    return msgspec.structs.replace(search, found=shown), words(search.query, shown)


def _keep_back(data: bytes, *, last: bool = False) -> None:
    """An answer that leaves whole is written at its end."""


def query_of(conversation: Conversation) -> str:
    """What the user wants to be searched: the last text, without the words that Claude Code puts before it."""
    texts = [text for message in conversation.messages if message.role is Role.USER for text in _texts(message)]
    last = texts[-1] if texts else ""
    return last.rpartition(ASKED_TO_SEARCH)[2].strip()[:1_000]


def _texts(message: Message) -> list[str]:
    return [block.text for block in message.blocks if isinstance(block, Text)]
