"""Repeats of a request that the client does not call repeats: one generation at a time for each, and one bill.

`policy/retries.py` decides; here the calls wait for each other, end each other and hand their answers over. A call
whose answer went to its repeat ends as if its client had hung up, and its usage is counted with the repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from types import TracebackType
from typing import TYPE_CHECKING, Self

from landline.core.exchange import Exchange, Outcome
from landline.core.fold import Answer, Kept, Tally
from landline.errors import LandlineError
from landline.policy import retries
from landline.policy.retries import Course, Earlier, Sameness, course, sameness

if TYPE_CHECKING:
    from landline.server.calls import Call

KEPT_S = 30.0  # a finished answer, and the memory of a failed one, for a repeat
KEPT_CALLS = 256
KEPT_CHARACTERS = 8 * 2**20  # of all finished answers
NOTICE_S = 0.05  # for a server to see that the connection of a replaced call was closed
ANSWER_LIMIT = 256 * 1024  # characters of one answer
KEPT_RUNNING = 32  # answers that are kept while they run: each may take 1 MB, at four bytes a character


class Turn:
    """One call among those with the same request. A context manager: inside, the call runs."""

    def __init__(self, repeats: Repeats, call: Call, same: Sameness | None) -> None:
        self.exchange: Exchange = call.exchange
        self.same = same
        self.tally = repeats.tally() if same is not None and call.exchange.stream else Tally()
        self.answer: Answer | None = None
        self.error: LandlineError | None = None
        self.follower: Turn | None = None  # the repeat that waits for this call's answer
        self.ended_at = 0.0
        self.size = 0  # characters of the answer that is kept
        self._repeats = repeats
        self._call: Call | None = call
        self._left = False
        self._spoke = False
        self._news: asyncio.Event | None = None  # made by the first who waits: nearly always, nobody does
        self._earlier = repeats.enter(self, same) if same is not None else None

    @property
    def waits(self) -> bool:
        """Whether there is an earlier call to `come` behind."""
        return self._earlier is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.same is None:
            return
        assert self._call is not None
        self.same.let_go()
        self._left = self._call.gone
        self.error = error if isinstance(error, LandlineError) else None
        if isinstance(self.tally, Kept):
            self.answer, self.size = self.tally.answer, self.tally.size
            self._repeats.keeping -= 1
        self.tally = Tally()
        if not self.exchange.stream and not self._left and self.follower is None:
            self.answer = None  # it has it
        if self.follower is not None and self.answer is not None:
            self.exchange.outcome, self.exchange.usage = Outcome.CLIENT_CLOSED, None
        self._call, self._earlier = None, None
        self._tell()
        self._repeats.leave(self)

    async def come(self) -> Answer | None:
        """Waits until this call may ask the backend; or returns the answer that an earlier call has for it.

        Raises the LandlineError of an earlier call whose answer was to be taken over.
        """
        while (earlier := self._earlier) is not None:
            match course(earlier.state(), stream=self.exchange.stream):
                case Course.RUN:
                    self._told(earlier)
                    self._earlier = None
                case Course.TAKE:
                    return self._taken(earlier, "answered from the request that it repeats")
                case Course.JOIN:
                    await self._joined(earlier)
                    if earlier.error is not None:
                        self._told(earlier)
                        raise earlier.error
                    answer = self._taken(earlier, "joined the running request that it repeats")
                    self.exchange.usage = answer.usage if answer is not None else None  # one answer, one bill
                    return answer
                case Course.REPLACE:
                    earlier.end()
                    self.exchange.notes.repaired("replaced the running request that it repeats")
                    await earlier.over()
                    await asyncio.sleep(NOTICE_S)
                case Course.WAIT:
                    self.exchange.notes.repaired("waited for the same request of its session")
                    await earlier.heard()
        return None

    def state(self) -> Earlier:
        """What there is to know of this call for one with the same request."""
        call, stream = self._call, self.exchange.stream
        kept = isinstance(self.tally, Kept) and self.tally.whole
        return Earlier(
            stream=stream,
            over=call is None,
            spoke=self.exchange.ttft_s is not None,
            left=self._left if call is None else call.gone,
            whole=self.answer is not None if call is None else kept or not stream,
            age_s=0.0 if call is None else call.elapsed_s,
        )

    def end(self) -> None:
        """Its client has given it up: the backend's work ends at once."""
        if self._call is not None:
            self._call.abandon(go_on=False)

    async def over(self) -> None:
        while self._call is not None:
            await self._wait()

    async def heard(self) -> None:
        """Until this call has said something, is over, or has been silent for so long that nobody waits for it."""
        left_s = 0.0 if self._call is None else retries.PATIENCE_S - self._call.elapsed_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(left_s, 0.0)):
                while self._call is not None and not self._spoke:
                    await self._wait()

    def spoke(self) -> None:
        """The client has the first event of the answer."""
        self._spoke = True
        self._tell()
        if self.same is not None:
            self.same.let_go()

    async def _wait(self) -> None:
        """For it to speak, or to be over."""
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    def keep(self, answer: Answer) -> None:
        """The answer of a call that gives it out whole."""
        if self.same is not None:
            self.answer = answer
            self.size = sum(len(str(block)) for block in answer.blocks)

    async def _joined(self, earlier: Turn) -> None:
        earlier.follower = self
        if isinstance(earlier.tally, Kept):
            earlier.tally.wanted()
        if earlier._call is not None:
            earlier._call.abandon(go_on=True)
        try:
            await earlier.over()
        except asyncio.CancelledError:
            if earlier.follower is self:  # nobody is left who wants it
                earlier.end()
            raise

    def _taken(self, earlier: Turn, how: str) -> Answer | None:
        self._told(earlier)
        answer, earlier.answer = earlier.answer, None
        self._earlier = None
        if answer is None:
            return None  # it was cancelled, or broke: this call asks for itself
        self.exchange.notes.repaired(how)
        self.answer = answer
        return answer

    def _told(self, earlier: Turn) -> None:
        self.exchange.repeats_of = earlier.exchange.id
        self.exchange.repeat_cause = _cause(earlier)


class Repeats:
    """The calls of sessions that run now, and those that ended a moment ago. One per process."""

    def __init__(self) -> None:
        self.keeping = 0  # running answers that are kept
        self._running: dict[Sameness, Turn] = {}
        self._ended: OrderedDict[Sameness, Turn] = OrderedDict()

    def turn(self, call: Call, request: bytes, *, most: int | None) -> Turn:
        """The place of `call` behind earlier ones with the same encoded request. `most`: as asked by the client."""
        exchange = call.exchange
        same = sameness(request, most=most, keys=call.keys, session=exchange.session, agent=exchange.agent)
        return Turn(self, call, same)

    def tally(self) -> Tally:
        """For a stream that begins: one that keeps the answer, unless enough do. Turns give it back."""
        if self.keeping >= KEPT_RUNNING:
            return Tally()
        self.keeping += 1
        return Kept(ANSWER_LIMIT)

    def enter(self, turn: Turn, same: Sameness) -> Turn | None:
        """The youngest earlier call that `turn` may repeat."""
        self._forget()
        earlier = self._running.get(same) or self._ended.get(same)
        if earlier is None and not turn.exchange.stream:  # the fall-back of a stream
            before = same.before_halving
            earlier = self._running.get(before) or self._ended.get(before)
        self._running[same] = turn
        return earlier

    def leave(self, turn: Turn) -> None:
        assert turn.same is not None
        turn.ended_at = time.monotonic()
        if self._running.get(turn.same) is turn:
            del self._running[turn.same]
        self._ended[turn.same] = turn
        self._ended.move_to_end(turn.same)
        self._forget()

    @property
    def held(self) -> int:
        """Calls that are remembered."""
        return len(self._running) + len(self._ended)

    def _forget(self) -> None:
        oldest = time.monotonic() - KEPT_S
        held = sum(turn.size for turn in self._ended.values() if turn.answer is not None)
        while self._ended:
            first = next(iter(self._ended.values()))
            if first.ended_at > oldest and len(self._ended) <= KEPT_CALLS and held <= KEPT_CHARACTERS:
                return
            self._ended.popitem(last=False)
            held -= first.size if first.answer is not None else 0


def _cause(earlier: Turn) -> str:
    """Why the call before ended for its client, in words that may be shown."""
    exchange = earlier.exchange
    if exchange.error_logged:
        return exchange.error_logged
    if exchange.outcome is Outcome.COMPLETED:
        return "the client asked again though it was answered"
    if exchange.outcome is Outcome.CLIENT_CLOSED:
        return "the client hung up"
    return "the client gave it up while it ran"
