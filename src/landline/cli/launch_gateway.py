"""The gateway that `landline launch` points a client at: one of its own over a backend, or one that runs already."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from landline.cli.output import notice
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.clients.launching import Target
    from landline.config.settings import Settings
    from landline.core.exchange import Exchange
    from landline.server.readiness import Tell
    from landline.server.run import RunningGateway

_LOCAL_TOKEN = "landline"  # noqa: S105 - a gateway on loopback without keys takes any; clients insist on one
TOLD_EVERY_S = 15.0  # where nobody watches the line change
_LINE = "\r\x1b[K"


@dataclass(slots=True)
class Tally:
    """What went through a gateway, in tokens and requests."""

    requests: int = 0
    failed: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0

    def add(self, exchange: Exchange) -> None:
        self.requests += 1
        self.failed += exchange.outcome in {"refused", "failed"}
        if exchange.usage is not None:
            self.prompt += exchange.usage.prompt
            self.cached += exchange.usage.cached
            self.output += exchange.usage.output

    def text(self) -> str:
        """Nothing at all is worth a word: a client that did answer talked to somebody else."""
        if self.requests == 0:
            return "no request reached the gateway. If the client did answer, it was not from your model."
        failed = f" ({self.failed} failed)" if self.failed else ""
        cached = f", {100 * self.cached / self.prompt:.0f} % of them from cache" if self.prompt else ""
        return f"{self.requests} requests{failed}; {self.prompt:,} prompt tokens{cached}; {self.output:,} answered"


def provisional(settings: Settings, gateway: str | None) -> Target:
    """What is known of the target before anything is started."""
    from landline.clients.launching import Target
    from landline.clients.remote_gateway import gateway_base

    base_url = gateway_base(gateway) if gateway else "http://127.0.0.1"
    return Target(base_url=base_url, token=_token(settings), model=settings.models.default)


def _token(settings: Settings) -> str:
    return settings.gateway.keys[0] if settings.gateway.keys else _LOCAL_TOKEN


@asynccontextmanager
async def opened_gateway(
    settings: Settings, *, gateway: str | None, embedded: bool, wait_s: float | None
) -> AsyncGenerator[tuple[Target, Tally | None]]:
    """A gateway of our own with a tally of its requests, or a running one, whose requests are not ours to count."""
    if gateway is not None:
        yield await _running_target(settings, gateway), None
        return
    from landline.server.journal import Journal
    from landline.server.readiness import wait_until_ready
    from landline.server.run import running_gateway

    tally, journal = Tally(), Journal()
    journal.observers.append(tally.add)
    async with (
        _backend(settings, embedded=embedded) as used,
        running_gateway(used, journal=journal, port=used.gateway.port) as running,
    ):
        with waiting() as tell:
            await wait_until_ready(running.line, wait_s=wait_s, tell=tell)
        yield await _own_target(running, used), tally


async def _own_target(running: RunningGateway, settings: Settings) -> Target:
    from landline.clients.launching import Target
    from landline.server.live import without_credentials
    from landline.upstream.caching import cache_in_words

    line = running.line
    backend = line.backend
    await line.caches.look(backend, line.client)
    metrics = line.caches.watch(backend).metrics
    words = (backend.kind.value, backend.version, f"at {without_credentials(backend.url)}")
    search = settings.search
    return Target(
        base_url=running.url,
        token=running.token,
        model=running.model,
        window=running.window,
        tiers=dict(settings.models.tiers),
        backend=" ".join(filter(None, words)),
        cache=cache_in_words(backend.kind, metrics, backend.slots),
        searches=without_credentials(search.url) if search.url else "".join(search.command[:1]),
    )


@contextmanager
def waiting() -> Generator[Tell]:
    """Tells how long the backend is waited for: one line that changes on a terminal, now and then a line elsewhere."""
    live, said_at = sys.stderr.isatty(), -TOLD_EVERY_S
    shown = False

    def tell(waited_s: float, problem: str) -> None:
        nonlocal said_at, shown
        text = f"waiting for the backend, {waited_s:.0f} s: {' '.join(problem.split())} Ctrl-C ends."
        if live:
            shown = True
            click.echo(f"{_LINE}landline: {_cut(text)}", err=True, nl=False)
        elif waited_s - said_at >= TOLD_EVERY_S:
            said_at = waited_s
            notice(text)

    try:
        yield tell
    finally:
        if shown:
            click.echo(_LINE, err=True, nl=False)


def _cut(text: str) -> str:
    """One line of the terminal, and nothing in it that could move the cursor: the backend's words are foreign."""
    import shutil

    from landline.config.display import printable

    return printable(text)[: max(shutil.get_terminal_size().columns - 12, 20)]


@asynccontextmanager
async def _backend(settings: Settings, *, embedded: bool) -> AsyncGenerator[Settings]:
    """The settings with the embedded model as the only one while it runs, or just the settings."""
    if not embedded:
        yield settings
        return
    import asyncio
    from functools import partial

    import msgspec

    from landline.cli.embedded import open_embedded

    model = await asyncio.to_thread(partial(open_embedded, settings, report=notice))
    try:
        local = msgspec.structs.replace(
            settings.backend, url=model.url, replicas=(), protocol="openai_chat", window=model.window
        )
        models = msgspec.structs.replace(settings.models, default="", aliases={}, tiers={})
        yield msgspec.structs.replace(settings, backend=local, models=models)
    finally:
        model.close()


async def _running_target(settings: Settings, gateway: str) -> Target:
    import asyncio

    from landline.clients.remote_gateway import served_models

    target = provisional(settings, gateway)
    models = await asyncio.to_thread(served_models, target.base_url, key=target.token)
    chosen = next((model for model in models if model.id == target.model), None)
    if chosen is None and target.model:
        names = ", ".join(model.id for model in models)
        raise SettingsError(f"The gateway does not serve {target.model}.", hint=f"It serves: {names}")
    chosen = chosen or models[0]
    return replace(target, model=chosen.id, window=chosen.window)
