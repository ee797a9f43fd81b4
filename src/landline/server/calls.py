"""One call of an endpoint, from its arrival until it is settled, however it ends.

async with Call(line, scope, send) as call:
    body = await call.body(receive)           # from here on, a hang-up cancels the work
    ...
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from landline.core.exchange import Outcome
from landline.errors import LandlineError
from landline.policy.auth import check_key, owner, presented_keys
from landline.server.answer import note_stranger, refuse
from landline.server.asgi import ClientGone, ClientSide, Receive, Scope, Send, header, read_body
from landline.server.line import Line, new_exchange


class Call:
    """Holds the exchange and its clock. Errors of ours become answers; a hang-up ends in silence; both are recorded."""

    def __init__(self, line: Line, scope: Scope, send: Send) -> None:
        self._line = line
        self._scope = scope
        self._send = send
        self.client: ClientSide = scope["landline.client"]
        self._work: asyncio.Task[object] | None = None
        self.gone = False  # the client hung up
        self.keys: tuple[str, ...] = ()  # as presented
        self._goes_on = False  # the work is for somebody else, whatever the client does
        self._cancelled = False
        self._began = time.perf_counter()
        self.exchange = new_exchange(scope, line)

    async def __aenter__(self) -> Self:
        self._work = asyncio.current_task()
        self._line.open.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            return await self._ended(error)
        finally:
            self._settle()

    async def body(self, receive: Receive) -> bytes:
        """The whole request, if it carries a valid key. Once it is read, a hang-up cancels the work.

        Raises LandlineError, and ClientGone on a hang-up before.
        """
        gateway = self._line.settings.gateway
        presented = presented_keys(header(self._scope, b"authorization"), header(self._scope, b"x-api-key"))
        check_key(presented, gateway.keys)
        self.keys = tuple(presented)
        self.exchange.cache_salt = next(filter(None, map(self._line.salts.get, presented)), "")
        if self._line.kept.on:
            self.exchange.owner = owner(presented, gateway.keys)
        body = await read_body(self._scope, receive, limit=gateway.body_limit_mib * 2**20)
        self.client.on_hang_up(self._hang_up)
        return body

    @property
    def elapsed_s(self) -> float:
        """Since the request's head was read."""
        return time.perf_counter() - self._began

    def headers_arrived(self) -> None:
        self.exchange.headers_s = self.elapsed_s

    def first_event(self) -> None:
        self.exchange.ttft_s = self.elapsed_s
        self.exchange.status = 200

    async def _ended(self, error: BaseException | None) -> bool:
        match error:
            case None:
                return True
            case ClientGone():
                self.exchange.outcome = Outcome.CLIENT_CLOSED
            case asyncio.CancelledError() if self.gone:
                assert self._work is not None
                self._work.uncancel()
                if self.exchange.outcome is Outcome.OPEN:
                    self.exchange.outcome = Outcome.CLIENT_CLOSED
            case LandlineError():
                note_stranger(self.exchange, error, self._scope)
                await refuse(self._send, error, self.exchange)
            case _:
                self.exchange.outcome, self.exchange.error_logged = Outcome.FAILED, type(error).__name__
                return False
        return True

    def _settle(self) -> None:
        self._work = None  # a hang-up from now on has nothing to cancel
        self.exchange.total_s = self.elapsed_s
        self._line.open.discard(self)
        self._line.journal.put(self.exchange)

    def abandon(self, *, go_on: bool) -> None:
        """The client has repeated its request: this connection ends. `go_on`: the answer is for the repeat."""
        self._goes_on = go_on
        if not self.gone:
            self.client.cut()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._work is None:
            return
        self.gone = True
        if not self._goes_on and not self._cancelled:
            self._cancelled = True
            self._work.cancel()
