"""What all requests share: the settings, the backend as it is known, the pool towards it, and the journal.

Built once by `app.py`; nothing here is global.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

from landline.config.settings import Settings
from landline.core.exchange import Exchange
from landline.policy.routing import Names
from landline.server.asgi import Scope, header
from landline.server.journal import Journal
from landline.upstream.backend import Backend
from landline.upstream.client import UpstreamClient
from landline.upstream.probe import probe

LOOK_AGAIN_S = 15.0  # while the backend answers
LOOK_SOON_S = 1.0  # while it does not


def random_ids() -> Callable[[], str]:
    """The one source of the ids of exchanges: 96 random bits as 24 hex digits. They name things and guard nothing."""
    bits = random.Random().getrandbits  # noqa: S311
    return lambda: f"{bits(96):024x}"


class Line:
    """The shared state of one gateway process."""

    def __init__(self, settings: Settings, *, journal: Journal, ids: Callable[[], str] | None = None) -> None:
        self.settings = settings
        self.journal = journal
        self.ids = ids or random_ids()
        self.backend = Backend(
            settings.backend.url,
            key=settings.backend.key,
            window=settings.backend.window,
            native=settings.backend.protocol == "anthropic_messages",
        )
        self.client = UpstreamClient(
            connect_timeout_s=settings.backend.connect_timeout_s, idle_timeout_s=settings.backend.idle_timeout_s
        )
        self.open: set[object] = set()  # calls that run now
        self._probe: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def names(self) -> Names:
        models = self.settings.models
        return Names(self.backend.served, models.default, models.aliases, models.tiers)

    async def start(self) -> None:
        self.journal.start()
        self._watch = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        for task in (self._watch, self._probe):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self.client.close()
        await self.journal.stop()

    async def look(self) -> None:
        """Asks the backend what it is. Calls at the same time share one question."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(probe(self.backend, self.client))
        await asyncio.shield(self._probe)

    async def know(self) -> None:
        """Before a request: a backend that has never answered is asked once more."""
        if not self.backend.seen:
            await self.look()

    async def _keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_AGAIN_S if self.backend.reachable else LOOK_SOON_S)


def new_exchange(scope: Scope, line: Line) -> Exchange:
    """The record of a request that has just come in."""
    return Exchange(
        id=f"req_{line.ids()}",
        path=scope["path"],
        warning=scope.get("landline_warning", ""),
        client=header(scope, b"user-agent")[:120],
        session=header(scope, b"x-claude-code-session-id")[:120],
        agent=header(scope, b"x-claude-code-agent-id")[:120],
        started_at=time.time(),
    )
