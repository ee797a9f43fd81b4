"""Responses that clients asked to be kept, as the requests of one process use them: off the loop, and never for long.

What cannot be kept is told once, and costs no answer: the response says `store: false`. After a failure that another
response would meet as well, the file is left alone for a while. Knows no wire format.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from landline.config.files import responses_file
from landline.config.settings import Store
from landline.core.exchange import Notes
from landline.errors import ErrorKind, LandlineError
from landline.server.response_file import KeptResponse, ResponseFile, Unkept

PATIENCE_S = 5.0  # an answer's end waits no longer for the file; for a lock of another process, BUSY_S
REST_S = 10.0  # after a failure of the file
SWEEP_S = 3600.0
TURN_ON = "store.responses = true in your landline.toml"
CLEAR = "`landline store` shows what is there, `landline store clear` begins anew."

_OURS = re.compile(r"resp_[0-9a-f]{24}")
Done = TypeVar("Done")


class KeptResponses:
    """`on`: whether anything is kept. `tell`: see Journal."""

    def __init__(self, settings: Store, *, tell: Callable[[str], None]) -> None:
        self.on = settings.responses
        self._tell = tell
        self._told: set[str] = set()
        self._file = ResponseFile(responses_file(settings.file), limit=settings.limit_mib * 2**20)
        self._thread: ThreadPoolExecutor | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._resting = (0.0, "")  # until when nothing is written, and why

    def start(self) -> None:
        if self.on:
            self._sweeping = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def keep(self, kept: KeptResponse, notes: Notes) -> bool:
        """Whether it is kept; where not, the record of the request says why."""
        until, why = self._resting
        try:
            if time.monotonic() < until:
                notes.alert(why)
                return False
            await self._run(lambda: self._file.put(kept))
        except Unkept as problem:
            self._explain(problem, notes)
            return False
        return True

    async def find(self, ident: str, owner: str) -> KeptResponse | None:
        """None: not kept, or not of that key. Raises LandlineError where the file cannot tell."""
        if not _OURS.fullmatch(ident):
            return None
        return await self._asked(lambda: self._file.find(ident, owner))

    async def remove(self, ident: str, owner: str) -> bool:
        """Whether it was there. Raises LandlineError."""
        return bool(_OURS.fullmatch(ident)) and await self._asked(lambda: self._file.remove(ident, owner))

    async def _asked(self, work: Callable[[], Done]) -> Done:
        try:
            return await self._run(work)
        except Unkept as problem:
            raise LandlineError(
                ErrorKind.BACKEND_UNAVAILABLE,
                f"The file of kept responses {problem}.",
                hint=CLEAR,
                final="locked" not in str(problem),
                retry_after=5 if "locked" in str(problem) else None,
            ) from None

    async def _run(self, work: Callable[[], Done]) -> Done:
        """Raises Unkept."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="landline-store")
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TimeoutError:
            raise Unkept("does not answer in time") from None

    def _explain(self, problem: Unkept, notes: Notes) -> None:
        if not problem.file:
            notes.alert(f"the response is not kept: {problem}")
            return
        told = f"responses are not kept: {self._file.path.name} {problem} ({CLEAR})"
        self._resting = (time.monotonic() + REST_S, told)
        notes.alert(told)
        if told not in self._told:
            self._told.add(told)
            self._tell(told)

    async def _sweep(self) -> None:
        while True:
            with contextlib.suppress(Unkept):
                await self._run(self._file.sweep)
            await asyncio.sleep(SWEEP_S)
