"""One request on its way to the backend: from what it should be asked to its first answer, mended and sent again.

Holds the request only until the backend has accepted it (`forget`), so that an open stream costs little memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from landline.core.events import ResponseError
from landline.core.exchange import Exchange
from landline.core.model import Conversation, Role, Usage
from landline.errors import ErrorKind, LandlineError
from landline.protocols.openai_chat.dialect import Dialect
from landline.protocols.openai_chat.request import encode_request
from landline.protocols.openai_chat.whole import as_stream
from landline.server.line import Line
from landline.server.waiting import Waiting
from landline.transforms.largest import beyond_compaction, first_too_large, largest_parts
from landline.transforms.limits import (
    MARGIN_TOKENS,
    clamp_output,
    clearly_fits,
    picture_bytes,
    prompt_limit,
    prompt_scale,
    prompt_too_long,
)
from landline.transforms.sequence import Outbound, fitted
from landline.transforms.usage import cut_silently
from landline.upstream.backend import Backend
from landline.upstream.client import UpstreamAnswer
from landline.upstream.failures import Known, Mend, Refusal, failed_in_stream, read_refusal, taught_in_stream
from landline.upstream.mends import CHANGES, changed
from landline.upstream.tokens import count_tokens

COUNT_BEFORE_OPENING_S = 2.0
COUNT_TO_FIT_S = 5.0
ERROR_BODY_S = 2.0  # behind the headers of an error; what its body would have said is not worth more
NO_STREAMS = ("text/html", "application/json")  # what a backend says instead of a stream, whatever the status
BROKEN = (ErrorKind.BAD_BACKEND, ErrorKind.OVERLOADED)  # of an answer that had begun
AGAIN_AFTER_S = (0.2, 1.0)  # waits before further tries, while the client has had nothing of the answer
AGAIN_WITHIN_S = 5.0  # since the first failure: errors may be slow as well
WHOLE_ANSWER = 2**22
# So many open calls keep their request for another try; of more, each costs 200 KB less.
HELD_CALLS = 32
SURELY_TOO_LONG = 1.25  # an estimate this far above the window is believed


class Opening:
    """One request on its way to the backend."""

    def __init__(self, request: Outbound, exchange: Exchange, line: Line) -> None:
        conversation = request.conversation
        self._conversation: Conversation | None = conversation
        self._exchange = exchange
        self._line = line
        self.backend = line.backend_for(exchange)
        self.answer = request.answer
        self.cleared = request.cleared
        self.stops = conversation.stop_sequences
        self.most = conversation.max_tokens  # as the client asked
        known = self.backend.known(conversation.model)
        self._window, self._dialect = known.window, known.dialect
        # A call beside the conversation has no next turn: it must not take the conversation's place in a cache.
        self._side = exchange.side = not conversation.tools or conversation.web_search is not None
        self._placement = line.caches.placement(exchange, self.backend, side=self._side)
        self._mends: list[Mend] = []  # of this request, in their order; each is tried once
        self._body = self._encode(conversation)
        pictures = picture_bytes(conversation)
        self.telling = not pictures  # whether size and tokens of this request say something about others
        self.size = len(self._body) - pictures
        self.estimate = self.backend.estimate_tokens(self.size)
        self._taken = False  # the backend has accepted the request
        self._begun = False  # its answer has begun for the client
        self._compared = False  # with the request before it in its session
        self._tries = 0  # after the first
        self._failing_since = 0.0  # on the loop's clock
        self._passing = True  # whether what failed in the answer may go well the next time
        self._refused: Refusal | None = None  # what the answer said in place of words

    async def fit(self) -> None:
        """Cuts `max_tokens` to what the window leaves; counts the prompt only when it may be tight."""
        conversation = self._conversation
        assert conversation is not None
        if clearly_fits(conversation, prompt_bytes=self.size, window=self._window):
            return
        tokens = await self.count(timeout_s=COUNT_TO_FIT_S)
        if tokens is None:
            tokens = min(self.estimate, self._window - 256)  # a guess may cut the answer, but not refuse the prompt
            if self.estimate > self._window * SURELY_TOO_LONG:
                self._exchange.notes.repaired("prompt length estimated")
                self._explain(conversation)
                raise self._too_long(self.estimate, self._window)
        elif tokens > self._limit(conversation):
            self._explain(conversation)
            raise self._too_long(tokens, self._limit(conversation))
        self._clamp(tokens, self._window)

    @property
    def prompt_scale(self) -> float:
        """For the usage that the client is told; the record keeps the true one."""
        reported = self._line.settings.models.reported_window
        if not reported:
            return 1.0
        scale = prompt_scale(reported_window=reported, window=self._window)
        if scale != 1.0:
            self._exchange.notes.repaired(f"usage told to the client scaled by {scale:.2f}: models.reported_window")
        return scale

    def _limit(self, conversation: Conversation) -> int:
        return prompt_limit(conversation, window=self._window, client=self._exchange.client)

    def _explain(self, conversation: Conversation) -> None:
        """What makes a first request so large that it does not fit: of a later one, the client can compact."""
        if any(message.role is Role.ASSISTANT for message in conversation.messages):
            return
        largest = largest_parts(conversation, bytes_per_token=self.backend.bytes_per_token)
        self._exchange.largest = tuple((part.name, part.tokens) for part in largest)
        self._exchange.notes.alert(first_too_large(largest, remedies=self._exchange.path == "/v1/messages"))

    async def count(self, *, timeout_s: float = 20.0) -> int | None:
        """Exact tokens of the prompt, remembered; None where the backend cannot count."""
        tokens = await count_tokens(self.backend, self._line.client, self._body, timeout_s=timeout_s)
        if tokens is not None:
            self.estimate = tokens
        return tokens

    async def decide(self) -> int:
        """Before a stream is opened without a token of the backend: the prompt's length, for the start of the answer.

        Raises LandlineError when it cannot fit; once the backend has accepted the request, its word counts more.
        """
        if self._begun or not self._body:
            return self.estimate
        tokens = await self.count(timeout_s=COUNT_BEFORE_OPENING_S)
        if tokens is None:
            self._exchange.notes.repaired("prompt length estimated")
            tokens = self.estimate if self.estimate > self._window * SURELY_TOO_LONG else 0
        conversation = self._conversation
        if conversation is not None and self._window and not self._taken and tokens > self._limit(conversation):
            raise self._too_long(tokens, self._limit(conversation))
        return self.estimate

    async def send(self) -> UpstreamAnswer:
        """The backend's answer, status 200. Raises LandlineError; asks again when the request could be mended."""
        self._taken = False
        await self._line.health.check(self.backend)
        self._line.prefill[self.backend].check(session=self._exchange.session, prompt=self.estimate)
        while True:
            answer = await self._post()
            if answer.status == 200 and not answer.content_type.startswith(NO_STREAMS):
                return self._accepted(answer)
            refusal = await self._refusal(answer)
            if await self._mended(refusal):
                continue
            if refusal.error.kind is not ErrorKind.BAD_BACKEND or refusal.error.retry_after is None:
                raise await self._with_true_numbers(refusal)
            await self._line.health.suspect(self.backend)
            if "retry-after" in answer.headers:
                raise refusal.error  # not before then: that is the client's to wait
            if not await self._asked_again(len(AGAIN_AFTER_S)):
                raise refusal.error

    async def _mended(self, refusal: Refusal) -> bool:
        """Takes out of the request what the backend refused of it. Each mend is tried once."""
        assert self._conversation is not None
        if refusal.mend is None or refusal.mend in self._mends or (refusal.output_too_large and not refusal.window):
            return False
        self._mends.append(refusal.mend)
        if refusal.output_too_large:
            tokens = refusal.prompt or await self.count() or self._generous_estimate(refusal.window)
            self._clamp(tokens, refusal.window)
            return True
        if (dialect := changed(self._dialect, [refusal.mend])) == self._dialect:
            return False  # what it refuses was not in the request
        self._exchange.notes.repaired(CHANGES[refusal.mend].note)
        self._speak(dialect)
        return True

    async def again(self, error: LandlineError, *, thinking: bool = False) -> bool:
        """Whether to ask once more after an answer that broke, or was refused, before its client had a word of it.

        Of an answer that was being thought about (`thinking`) the client has had much: once more, not twice.
        """
        if self._refused is not None and self._body and await self._mended(self._refused):
            return True
        if not self._taken or not self._passing or error.kind not in BROKEN:
            return False
        return await self._asked_again(1 if thinking else len(AGAIN_AFTER_S))

    async def _asked_again(self, most: int) -> bool:
        if not self._body or self._tries >= most or self._failing_s() > AGAIN_WITHIN_S:
            return False
        await asyncio.sleep(AGAIN_AFTER_S[self._tries])
        self._tries += 1
        self._exchange.notes.repaired("asked again: the backend failed before it had said a word")
        return True

    def _failing_s(self) -> float:
        """How long ago the backend failed for the first time; the first call says that it was now."""
        now = asyncio.get_running_loop().time()
        self._failing_since = self._failing_since or now
        return now - self._failing_since

    @property
    def request(self) -> bytes:
        """As it is sent; empty once it is forgotten."""
        return self._body

    async def ask_whole(self, why: str, change: Callable[[Conversation], Conversation] | None = None) -> bytes:
        """The answer once more, not streamed, as the stream that says the same. Empty where that fails.

        `change`: what else is asked for.
        """
        conversation, notes = self._conversation, self._exchange.notes
        if conversation is None:
            return b""
        if change is not None:
            conversation = fitted(change(conversation), self._dialect, notes)
        self._exchange.backend_requests += 1
        notes.repaired(why)
        body = encode_request(conversation, dialect=self._dialect, notes=notes, stream=False, placement=self._placement)
        headers = self._line.headers_for(self.backend, self._exchange)
        try:
            url = self.backend.url + "/v1/chat/completions"
            with Waiting(self._exchange):
                async with await self._line.client.post(url, body, headers) as answer:
                    return as_stream(await answer.body(WHOLE_ANSWER)) if answer.status == 200 else b""
        except LandlineError:
            return b""

    def forget(self) -> None:
        """The answer has begun: the request is not kept, unless so few are open that it may be needed again."""
        self._begun = True
        self._compare()
        if len(self._line.open) > HELD_CALLS:
            self.release()

    def release(self) -> None:
        """Nothing of the request is kept, once the backend has accepted it."""
        if self._taken:
            self._compare()
            self._body = b""
            self._conversation = None

    def _accepted(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        self.backend.answered()
        if self._mends and self._conversation is not None:  # proven: changed so, it accepts
            self.backend.learn(self._conversation.model, self._mends)
        self._taken = True
        return answer

    def _compare(self) -> None:
        """What the request shares with the one before it in its session: known once the backend has accepted it."""
        if not self._side and not self._compared:
            self._compared = True
            self._line.caches.sent(self._exchange, self.backend, self._body)

    def learn(self, usage: Usage) -> None:
        """What a whole answer says about the backend."""
        self._compare()
        if (in_text := self.answer.thinking_in_text) is not None:
            self.backend.learn_thinking(self._exchange.model_served, in_text=in_text)
        if not usage.exact:
            return
        self._line.caches.answered(self._exchange, self.backend, usage)
        session, waited_s = self._exchange.session, self._exchange.ttft_s or 0.0
        if self._exchange.stream and usage.cached_told:
            rate = self._line.prefill[self.backend]
            rate.learn(session=session, prompt=usage.prompt, fresh=usage.fresh, waited_s=waited_s)
        alert = cut_silently(expected=self.estimate, told=usage.prompt) if self.telling else ""
        if alert:
            self._exchange.notes.alert(alert)
        elif self.telling:
            self.backend.learn_size(self.size, usage.prompt)

    async def _post(self) -> UpstreamAnswer:
        """To the session's replica, or to the next one where that is gone. Raises LandlineError when all are."""
        self._exchange.backend_requests += 1
        headers = self._line.headers_for(self.backend, self._exchange)
        try:
            with Waiting(self._exchange):
                answer = await self._line.client.post(self.backend.url + "/v1/chat/completions", self._body, headers)
        except LandlineError as error:
            following = self._line.after_failure(self.backend, self._exchange, error)
            if following is None:
                raise
            self._move(following)
            return await self._post()
        if answer.repeated:
            self._exchange.backend_requests += 1
            self._exchange.notes.repaired("sent again: the backend had closed the connection that was kept for it")
        return answer

    def _move(self, backend: Backend) -> None:
        """Another replica answers: it may have another window, and other manners."""
        assert self._conversation is not None
        self.backend = backend
        self._window = backend.window(self._conversation.model)
        self._placement = self._line.caches.placement(self._exchange, backend, side=self._side)
        self._speak(changed(backend.dialect(self._conversation.model), self._mends))

    def _speak(self, dialect: Dialect) -> None:
        """The request once more, for a backend that takes less than was thought."""
        assert self._conversation is not None
        self._dialect = dialect
        self._conversation = fitted(self._conversation, dialect, self._exchange.notes)
        self._body = self._encode(self._conversation)

    @property
    def _known(self) -> Known:
        return Known(self._window, self.estimate, self.backend.url)

    async def _refusal(self, answer: UpstreamAnswer) -> Refusal:
        self._failing_s()
        async with answer:
            try:
                async with asyncio.timeout(ERROR_BODY_S):
                    body = await answer.body()
            except TimeoutError:
                body = b""
        return read_refusal(
            answer.status,
            self.backend.without_key(body),
            self._known,
            content_type=answer.content_type,
            retry_after=answer.headers.get("retry-after", ""),
        )

    def failed(self, error: ResponseError) -> LandlineError:
        """What a failure in the middle of the answer means for the client."""
        self._passing = error.cut or error.status >= 500
        message = self.backend.without_key(error.message.encode()).decode()
        failure = failed_in_stream(error.status, message, self._known, cut=error.cut)
        self._refused = Refusal(failure, taught_in_stream(error.status, message))
        return failure

    async def _with_true_numbers(self, refusal: Refusal) -> LandlineError:
        """An overflow with the numbers by which a client decides how much to compact.

        Servers that stop counting at their limit name that, not the length of the prompt: then it is counted.
        """
        if refusal.error.kind is not ErrorKind.PROMPT_TOO_LONG:
            return refusal.error
        if self._conversation is not None:
            self._explain(self._conversation)
            self.backend.learn_window(self._conversation.model, refusal.window)
        tokens = refusal.prompt
        if tokens <= refusal.window + 1:
            tokens = await self.count() or max(self.estimate, tokens)
        # Where nobody names the window, a client must still be told how much too much: a quarter makes it compact.
        return self._too_long(tokens, refusal.window or tokens * 3 // 4)

    def _too_long(self, tokens: int, window: int) -> LandlineError:
        """An overflow, in the words that make this client do what helps."""
        conversation, client = self._conversation, self._exchange.client
        final = conversation and beyond_compaction(conversation, prompt_tokens=tokens, window=window, client=client)
        return final or prompt_too_long(tokens, window)

    def _generous_estimate(self, window: int) -> int:
        """Where nobody counts: rather an answer that may be cut short than a request that is refused again."""
        return min(round(self.estimate * SURELY_TOO_LONG), window - 256)

    def _clamp(self, tokens: int, window: int) -> None:
        assert self._conversation is not None
        if tokens + MARGIN_TOKENS >= window:
            raise self._too_long(tokens, window)
        self._conversation = clamp_output(
            self._conversation, prompt_tokens=tokens, window=window, notes=self._exchange.notes
        )
        self._body = self._encode(self._conversation)

    def _encode(self, conversation: Conversation) -> bytes:
        notes = self._exchange.notes
        return encode_request(conversation, dialect=self._dialect, notes=notes, placement=self._placement)
