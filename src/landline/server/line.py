"""What all requests share: the settings, the backend as it is known, the pool towards it, and the journal.

Built once by `app.py`; nothing here is global.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import secrets
import time
from collections.abc import Callable

from landline.config.settings import Settings
from landline.core.exchange import Exchange
from landline.errors import ErrorKind, LandlineError
from landline.policy.affinity import ranked
from landline.policy.identity import IDENTITY_HEADERS, agent_of, session_of, told_to
from landline.policy.prefill import PrefillRate
from landline.policy.routing import Names, Route, route
from landline.protocols.anthropic_messages.known import Known
from landline.server.asgi import Scope
from landline.server.health import Health
from landline.server.journal import Journal
from landline.server.kept_responses import KeptResponses
from landline.server.prompt_caches import PromptCaches, salts
from landline.server.repeats import Repeats
from landline.transforms.recovering import prepare
from landline.upstream.backend import Backend, ServedModel, Trouble, base_url
from landline.upstream.client import UpstreamClient
from landline.upstream.documents import DocumentReader
from landline.upstream.families import known_families
from landline.upstream.probe import probe
from landline.upstream.search import searcher

LOOK_AGAIN_S = 15.0  # while the backend answers
LOOK_SOON_S = 1.0  # while it does not
ROUTES = 256  # names that are remembered: a client may ask for any
CACHE_LOOKS = 4  # every so many looks, its cache's numbers are read too
CLIENT_HEADER = b"user-agent"
_KEPT = IDENTITY_HEADERS | {CLIENT_HEADER}


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
        self.backends = known_backends(settings)
        self.client = UpstreamClient(
            connect_timeout_s=settings.backend.connect_timeout_s, idle_timeout_s=settings.backend.idle_timeout_s
        )
        search = settings.search
        self.searcher = searcher(url=search.url, command=search.command, timeout_s=search.timeout_s, client=self.client)
        self.caches = PromptCaches(pinning=settings.gateway.workers == 1)
        self.salts = salts(settings.gateway.keys) if settings.backend.cache_salt == "per_key" else {}
        self.documents = DocumentReader()
        self.kept = KeptResponses(settings.store, tell=journal.tell)
        self.known = Known(secret=secrets.token_hex(16))
        self.open: set[object] = set()  # calls that run now
        self.repeats = Repeats()
        self.health = Health(self.client)
        self.prefill = {backend: PrefillRate() for backend in self.backends}
        self._routes: dict[str, Route] = {}  # by the name asked for
        self._routes_of: tuple[ServedModel, ...] | None = None
        self._told: set[str] = set()  # findings that stand in the log already
        self._looked = False  # every backend has been asked once
        self._probes: dict[Backend, asyncio.Task[None]] = {}
        self._watches: list[asyncio.Task[None]] = []

    @property
    def backend(self) -> Backend:
        """The one to show where one is shown: the first that answers, or else the first."""
        for backend in self.backends:
            if backend.reachable:
                return backend
        return self.backends[0]

    def backend_for(self, exchange: Exchange) -> Backend:
        """The replica of the exchange's session; without a session, any. Chosen once, and kept in the exchange."""
        if len(self.backends) == 1:
            exchange.backend = self.backends[0].url
            return self.backends[0]
        if not exchange.backend:
            exchange.backend = self._first(exchange, self.backends).url
        return next(backend for backend in self.backends if backend.url == exchange.backend)

    def after_failure(self, backend: Backend, exchange: Exchange, error: LandlineError) -> Backend | None:
        """The replica to ask instead of one that could not be reached; None: the error is for the client."""
        backend.failed(error.text, Trouble.AWAY, check=error.check)
        error.retry_after = 5 if backend.seen else None
        error.final = not backend.seen
        rest = tuple(other for other in self.backends if other.reachable)
        if not rest or error.kind is not ErrorKind.BACKEND_UNAVAILABLE:
            return None
        exchange.notes.repaired("sent to another replica: the session's own could not be reached")
        exchange.backend = self._first(exchange, rest).url
        return self.backend_for(exchange)

    def headers_for(self, backend: Backend, exchange: Exchange) -> dict[str, str]:
        """The backend's own headers, and session and subagent for routers that keep those together."""
        own = self.settings.backend
        return told_to(backend.headers, exchange.session, exchange.agent, own.session_headers, own.agent_header)

    @staticmethod
    def _first(exchange: Exchange, backends: tuple[Backend, ...]) -> Backend:
        order = ranked(exchange.session or exchange.id, [backend.url for backend in backends])
        places = {backend.url: backend for backend in backends}
        return next((places[url] for url in order if places[url].reachable), places[order[0]])

    @property
    def names(self) -> Names:
        models = self.settings.models
        return Names(self.backend.served, models.default, models.aliases, models.tiers)

    def route(self, asked: str) -> Route:
        """The served model for a name that a client asks for. Remembered while the same models are served."""
        models = self.backend.models
        if models is not self._routes_of or len(self._routes) >= ROUTES:
            self._routes_of, self._routes = models, {}
        found = self._routes.get(asked)
        if found is None:
            found = self._routes[asked] = route(asked, self.names)
        return found

    async def start(self) -> None:
        self.journal.start()
        self.kept.start()
        self._watches = [asyncio.create_task(self._keep_looking(backend)) for backend in self.backends]

    async def stop(self) -> None:
        for task in (*self._watches, *self._probes.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.client.close()
        await self.kept.stop()
        await self.journal.stop()

    async def look(self) -> None:
        """Asks each backend what it is. Calls at the same time share one question."""
        await asyncio.gather(*(self._ask(backend) for backend in self.backends))
        self._looked = True

    async def know(self) -> None:
        """Before a request: a backend that has never answered is asked once more.

        Each was asked once before the first request goes anywhere: a replica that is not known to answer would lose
        its sessions at every restart of the gateway.
        """
        if not self.backend.seen or not self._looked:
            await self.look()

    async def _ask(self, backend: Backend) -> None:
        asking = self._probes.get(backend)
        if asking is None or asking.done():
            asking = self._probes[backend] = asyncio.create_task(probe(backend, self.client))
        await asyncio.shield(asking)

    async def _keep_looking(self, backend: Backend) -> None:
        for round_ in itertools.count():
            await self._ask(backend)
            for model in backend.models:
                prepare(backend.dialect(model.id))
            for finding in backend.findings:
                if finding not in self._told:
                    self._told.add(finding)
                    self.journal.tell(finding)
            if round_ % CACHE_LOOKS == CACHE_LOOKS - 1:
                await self.caches.look(backend, self.client)
            await asyncio.sleep(LOOK_AGAIN_S if backend.reachable else LOOK_SOON_S)


def known_backends(settings: Settings) -> tuple[Backend, ...]:
    """The backend and its replicas, each address once. Raises SettingsError for a broken file of families."""
    own = settings.backend
    native = own.protocol == "anthropic_messages"
    families = known_families(settings.models.families)
    return tuple(
        Backend(url, key=own.key, window=own.window, native=native, families=families, tools=settings.models.tools)
        for url in dict.fromkeys(base_url(url) for url in (own.url, *own.replicas))
    )


def new_exchange(scope: Scope, line: Line) -> Exchange:
    """The record of a request that has just come in."""
    told = {name: value.decode("latin-1") for name, value in reversed(scope["headers"]) if name in _KEPT}
    return Exchange(
        id=f"req_{line.ids()}",
        path=scope["path"],
        warning=scope.get("landline_warning", ""),
        client=told.get(CLIENT_HEADER, "")[:120],
        session=session_of(told),
        agent=agent_of(told),
        started_at=time.time(),
    )
