"""Opens the bench: a gateway in front of the backend, or a running one, and what is known of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing

import msgspec

from landline.clients.checking.asking import CONNECT_S, Asker, json_object
from landline.clients.checking.bench import Bench, Server
from landline.clients.checking.direct import DirectAsker
from landline.clients.checking.mends import family_parsers
from landline.clients.live_gateway import LiveBackend, live_answer, read_snapshot
from landline.clients.remote_gateway import gateway_base, served_models
from landline.config.display import hide_logins
from landline.config.settings import Settings
from landline.errors import ErrorKind, LandlineError, SettingsError
from landline.families.rows import Family
from landline.protocols.openai_chat.dialect import Tooling
from landline.server.journal import Journal
from landline.server.run import running_gateway
from landline.upstream.backend import Backend
from landline.upstream.client import UpstreamClient
from landline.upstream.dialects import BackendKind
from landline.upstream.families import known_families
from landline.upstream.probe import probe

LONGEST_SILENCE_S = 3_600.0  # probes have limits of their own
NATIVE = "the backend speaks Anthropic Messages itself"
NO_BACKEND = "with --gateway alone the backend cannot be asked itself; name it too, with --backend URL"

# Where each kind of server tells its version.
_VERSIONS = {
    BackendKind.VLLM: ("/version", "version"),
    BackendKind.SGLANG: ("/server_info", "version"),
    BackendKind.OLLAMA: ("/api/version", "version"),
    BackendKind.LLAMACPP: ("/props", "build_info"),
}


@asynccontextmanager
async def own_bench(settings: Settings) -> AsyncGenerator[Bench]:
    """A gateway of our own on a free port of loopback. Raises LandlineError when no model server answers."""
    gateway = msgspec.structs.replace(settings.gateway, drain_s=1)
    async with running_gateway(msgspec.structs.replace(settings, gateway=gateway), journal=Journal()) as running:
        await running.line.know()
        backend = running.line.backend
        _must_answer(backend)
        model = _served(running.model, backend.served, backend.kind)
        asker = Asker(running.url, token=running.token, model=model, silence_s=LONGEST_SILENCE_S)
        with closing(asker):
            async with _bench(asker, await server_facts(backend, model), backend) as bench:
                yield bench


@asynccontextmanager
async def remote_bench(settings: Settings, gateway: str, *, direct: bool) -> AsyncGenerator[Bench]:
    """A gateway that runs already. `direct`: the backend of the settings is the one behind it. Raises LandlineError."""
    base, token = gateway_base(gateway), settings.gateway.keys[0] if settings.gateway.keys else "landline"
    models = await asyncio.to_thread(served_models, base, key=token)
    windows = {model.id: model.window for model in models}
    model = _served(settings.models.default or models[0].id, tuple(windows), BackendKind.UNKNOWN)
    asker = Asker(base, token=token, model=model, silence_s=LONGEST_SILENCE_S)
    with closing(asker):
        if direct:
            families = known_families(settings.models.families)
            own = settings.backend
            backend = Backend(own.url, key=own.key, window=own.window, families=families)
            with closing(_client()) as client:
                await probe(backend, client)
            _must_answer(backend)
            facts = msgspec.structs.replace(await server_facts(backend, model), window=windows[model])
        else:
            backend, facts = None, await _told(base, token, model, windows[model])
        async with _bench(asker, facts, backend) as bench:
            yield bench


@asynccontextmanager
async def _bench(asker: Asker, server: Server, backend: Backend | None) -> AsyncGenerator[Bench]:
    if backend is None or backend.native:
        yield Bench(asker, server, None, NO_BACKEND if backend is None else NATIVE)
        return
    with closing(DirectAsker(backend, model=server.model, silence_s=LONGEST_SILENCE_S)) as direct:
        yield Bench(asker, server, direct)


async def server_facts(backend: Backend, model: str) -> Server:
    """What is known of a backend that was probed, and of one of its models."""
    dialect = backend.dialect(model)
    return _server(
        Server(
            url=_shown(backend.url),
            kind=backend.kind,
            version=await _version(backend),
            model=model,
            window=backend.window(model),
            images=dialect.images,
            tool_choice=dialect.tool_choice,
            tools_in_words=dialect.tools is Tooling.WORDS,
        ),
        backend.family(model),
    )


async def _told(base: str, token: str, model: str, window: int) -> Server:
    """What a running gateway says of its backend; one that does not say it may be older, and is used all the same."""
    found = LiveBackend()
    try:
        answer = await asyncio.to_thread(live_answer, base, key=token)
        backends = read_snapshot(answer, base).backends
        found = next((backend for backend in backends if backend.reachable), found)
    except LandlineError:
        pass
    kinds = {kind.value: kind for kind in BackendKind}
    kind = kinds.get(found.kind, BackendKind.UNKNOWN)
    server = Server(url=_shown(found.url or base), kind=kind, model=model, window=window)
    return _server(server, known_families().family(model))


def _server(server: Server, family: Family | None) -> Server:
    """With what the row of its family says of the model."""
    name = family.name if family else ""
    return msgspec.structs.replace(server, family=name, parsers=family_parsers(family))


async def _version(backend: Backend) -> str:
    if backend.kind not in _VERSIONS:
        return ""
    path, name = _VERSIONS[backend.kind]
    with closing(_client()) as client:
        try:
            status, body = await client.get(backend.url + path, backend.headers, timeout_s=CONNECT_S)
        except LandlineError:
            return ""
    version = (json_object(body) or {}).get(name) if status == 200 else None
    return version[:40] if isinstance(version, str) else ""


def _must_answer(backend: Backend) -> None:
    if not backend.seen:
        raise LandlineError(
            ErrorKind.BACKEND_UNAVAILABLE,
            f"No model server answers at {_shown(backend.url)}: {backend.problem}.",
            hint="Start it, or name another with --backend URL.",
        )


def _served(model: str, served: tuple[str, ...], kind: BackendKind) -> str:
    """The model, if it is one. Ollama takes names without their tag, llama.cpp takes any."""
    if not model:
        raise SettingsError("The server does not say which models it serves.", hint="Name one with --model NAME.")
    if served and model not in served and kind not in (BackendKind.OLLAMA, BackendKind.LLAMACPP):
        names = ", ".join(served[:12])
        raise SettingsError(f"{model} is not served.", hint=f"Served here: {names}. Name one with --model.")
    return model


def _client() -> UpstreamClient:
    return UpstreamClient(connect_timeout_s=CONNECT_S, idle_timeout_s=CONNECT_S)


def _shown(url: str) -> str:
    return str(hide_logins(url))
