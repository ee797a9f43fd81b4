"""The client's side of one streamed answer: when it is opened, what is written, and what keeps it alive in silence.

The answer is opened with its first event. Where none comes for a while (a queue, a long prefill), a timer opens it:
before that, `decide` counts the prompt, so that a prompt that cannot fit is still an HTTP error. From then on the
client never waits longer than `heartbeat_s` for an event that it counts as activity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from landline.core.exchange import Exchange, Outcome
from landline.core.stream import StreamEncoder
from landline.errors import LandlineError
from landline.server.asgi import ClientSide, Header

Answer = TypeVar("Answer")

LOOKS = 8  # how often in the time that the client may wait it is looked whether something was written


class Delivery:
    """One per streamed answer. All writes go through it."""

    def __init__(
        self,
        client: ClientSide,
        encoder: StreamEncoder,
        *,
        heartbeat_s: float,
        on_open: Callable[[], Iterable[Header]],
        on_first: Callable[[], None],
    ) -> None:
        """`on_open` gives the headers, which tell what is known by then."""
        self.opened = False
        self._answered = False  # the backend has accepted the request: its word counts more than a count of ours
        self._refusal: LandlineError | None = None
        self._owner: asyncio.Task[object] | None = None
        self._client = client
        self._encoder = encoder
        self._heartbeat_s = heartbeat_s
        self._on_open = on_open
        self._on_first: Callable[[], None] | None = on_first
        self._loop = asyncio.get_running_loop()
        self._wrote = False  # since the last look: noting the time costs more, where it is done for each token
        self._quiet = 0  # looks in a row that found nothing
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def open_later(self, after_s: float, decide: Callable[[], Awaitable[object]]) -> None:
        """Opens the answer after `after_s`, once `decide` has let it.

        What `decide` raises ends the wait of `unless_refused`.
        """

        def due() -> None:
            self._task = self._loop.create_task(self._open_undecided(decide))

        self._owner = asyncio.current_task()
        self._timer = self._loop.call_later(max(after_s, 0.0), due)

    async def unless_refused(self, answer: Awaitable[Answer]) -> Answer:
        """Waits for the backend. Raises the LandlineError of `decide` when that comes first."""
        try:
            got = await answer
        except asyncio.CancelledError:
            if self._refusal is None:
                raise
            assert self._owner is not None
            self._owner.uncancel()
            raise self._refusal from None
        self._answered = True
        return got

    def write(self, data: bytes, *, last: bool = False) -> bool:
        """Sends encoded events; opens the answer with the first ones. False: the client does not keep up.

        Without bytes nothing happens: nothing said is no sign of life.
        """
        if not data and not last:
            return True
        if self._on_first is not None:
            self._on_first()
            self._on_first = None
        if not self.opened:
            self._open()
        self._wrote = True
        return self._client.write(data, last=last)

    def _beat(self) -> None:
        """A sign of life, which is no word of the answer; opens it as well."""
        if not self.opened:
            self._open()
        self._client.write(self._encoder.heartbeat())

    def fail(self, error: LandlineError, exchange: Exchange) -> None:
        """Ends the answer with one error event; where it is not open yet, raises the error for an HTTP answer."""
        if not self.opened:
            raise error
        exchange.outcome, exchange.error, exchange.error_logged = Outcome.FAILED, error.text, error.logged
        self.write(self._encoder.error(error), last=True)

    def when_drained(self, function: Callable[[], None]) -> None:
        self._client.when_drained(function)

    def close(self) -> None:
        """No more heartbeats. Always called, however the answer ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _open(self) -> None:
        self.opened = True
        headers = self._on_open()
        if self._timer is not None:
            self._timer.cancel()
        self._look_later()
        self._client.begin(200, headers)

    async def _open_undecided(self, decide: Callable[[], Awaitable[object]]) -> None:
        try:
            await decide()
        except LandlineError as error:
            if not self.opened and not self._answered:
                assert self._owner is not None
                self._refusal = error
                self._owner.cancel()
                return
        if not self.opened:
            self._beat()

    def _look(self) -> None:
        """The timer: beats one look before the client would have waited for too long."""
        self._quiet = 0 if self._wrote else self._quiet + 1
        self._wrote = False
        if self._quiet == LOOKS - 1:
            self._quiet = 0
            self._beat()
        self._look_later()

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(self._heartbeat_s / LOOKS, self._look)
