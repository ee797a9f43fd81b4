"""Gathers the state: settings in force, the program, what answers at the addresses, and what the model says.

The only part of the doctor that does I/O to learn something. Never fails; writes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from landline.clients.claude_code import is_loopback
from landline.clients.doctor.apart import desktop_settings, read_log
from landline.clients.doctor.asking_servers import ask_as_client, look_at, look_at_server
from landline.clients.doctor.editors import read_editors
from landline.clients.doctor.model_probes import probe_model
from landline.clients.doctor.settings_in_force import Origin, SettingsInForce, read_settings
from landline.clients.doctor.state import Asked, Client, ModelServer, Place, State, is_url, sent_model
from landline.clients.install import default_cache, find_client, windows_claude
from landline.clients.known import CLAUDE
from landline.clients.remote_gateway import own_address
from landline.config.settings import Settings
from landline.upstream.backend import base_url
from landline.upstream.client import UpstreamClient
from landline.upstream.families import known_families

CONNECT_S = 1.0
SILENCE_S = 600.0  # probes have limits of their own
MOST_CANDIDATES = 4
OF_THE_PROJECT = frozenset({Origin.PROJECT, Origin.LOCAL})
WITHHELD = "its address stands in a file of the project: your token is not sent there"


@dataclass(frozen=True, kw_only=True)
class Where:
    """Whose settings are read, and what was named. `managed_root` is another than / in tests only."""

    home: Path
    cwd: Path
    environ: Mapping[str, str]
    gateway: str = ""  # a base without a slash or /v1
    backend: str = ""
    quick: bool = False
    timeout_s: float = 120.0  # for one probe of the model
    managed_root: Path = Path("/")
    server_log: Path | None = None


async def gather(where: Where, settings: Settings, *, begin: Callable[[str], None] = lambda _: None) -> State:
    """`begin` hears of each step before it is done."""
    begin("settings files")
    found = read_settings(home=where.home, cwd=where.cwd, environ=where.environ, managed_root=where.managed_root)
    looked_for = asyncio.create_task(_client(where))
    with closing(UpstreamClient(connect_timeout_s=CONNECT_S, idle_timeout_s=SILENCE_S)) as client:
        begin("gateway")
        gateway, pointed_at = await _places(where, settings, found, client)
        target = pointed_at or gateway
        model = sent_model(found, await looked_for).name
        begin("model server")
        server, better, asked = await asyncio.gather(
            _server(where, settings, target, model, client),
            _better(where, settings, found, target, client),
            _asked(target, found, model, client),
        )
    state = State(
        client=await looked_for,
        settings=found,
        named_gateway=where.gateway,
        gateway=gateway,
        pointed_at=pointed_at,
        better=better,
        server=server,
        asked=asked,
        gateway_key=_own_key(settings),
        editors=read_editors(home=where.home, environ=where.environ),
        quick=where.quick,
        desktop=desktop_settings(where.managed_root, user=where.environ.get("USER", "")),
        log=read_log(where.server_log) if where.server_log else None,
    )
    if where.quick or is_strangers(found):
        return state
    return await _with_probes(where, settings, state, begin)


async def _with_probes(where: Where, settings: Settings, state: State, begin: Callable[[str], None]) -> State:
    key = _key_for(settings, state.server.url) if state.server else ""
    probed, asked = await probe_model(state, key=key, timeout_s=where.timeout_s, begin=begin)
    return msgspec.structs.replace(state, probed=probed, asked=asked or state.asked)


async def _client(where: Where) -> Client:
    search_path = where.environ.get("PATH")
    program = await asyncio.to_thread(find_client, CLAUDE, default_cache(), search_path=search_path)
    foreign = str(windows_claude(search_path) or "")
    if program is None:
        return Client(foreign=foreign)
    version = tuple(int(part) for part in program.version.split(".") if part.isdecimal())
    return Client(str(program.path), version, foreign)


async def _places(
    where: Where, settings: Settings, found: SettingsInForce, client: UpstreamClient
) -> tuple[Place, Place | None]:
    """The gateway that should be talked to, and what the client's own base URL leads to."""
    set_to = found.text("ANTHROPIC_BASE_URL").rstrip("/")
    named, own = where.gateway or own_address(settings), _own_key(settings) or found.text("ANTHROPIC_AUTH_TOKEN")
    if not is_url(set_to):
        return await look_at(named, client, key=own), None
    # Our own key is for our own gateway; another address gets what the client would send it, if that.
    theirs = "" if is_strangers(found) else found.text("ANTHROPIC_AUTH_TOKEN")
    pointed_at = await _behind(set_to, client, own if root_of(set_to) == named else theirs)
    if not where.gateway or pointed_at.url == named:
        return pointed_at, pointed_at
    return await look_at(named, client, key=own), pointed_at


async def _behind(url: str, client: UpstreamClient, key: str) -> Place:
    """What answers at a base URL that may have a path: landline behind it (a reverse proxy's), or at the root."""
    root = root_of(url)
    if root == url:
        return await look_at(url, client, key=key)
    at_path, at_root = await asyncio.gather(look_at(url, client, key=key), look_at(root, client, key=key))
    return at_path if at_path.is_landline and not at_root.is_landline else at_root


async def _server(
    where: Where, settings: Settings, target: Place, model: str, client: UpstreamClient
) -> ModelServer | None:
    """The model server: named by --backend, told by the gateway, the client's own address, or of the settings."""
    url, named_by = where.backend, "--backend"
    told = next((backend.url for backend in target.snapshot.backends), "") if target.snapshot else ""
    if not url and told and (is_loopback(_host(target.url)) or not is_loopback(_host(told))):
        url, named_by = told, "the gateway"
    if not url and target.answers and not target.is_landline:
        url, named_by = target.url, "the client's own address"
    if not url and target.is_landline:
        return None  # it has one that cannot be asked from here
    if not url:
        url, named_by = settings.backend.url, "landline's settings"
    families = known_families(settings.models.families)
    window = settings.backend.window if base_url(url) == base_url(settings.backend.url) else 0
    key = _key_for(settings, url)
    return await look_at_server(url, client, key=key, named_by=named_by, families=families, model=model, window=window)


async def _better(
    where: Where, settings: Settings, found: SettingsInForce, target: Place, client: UpstreamClient
) -> str:
    """An address at which landline answers, where the client's own leads to nobody: named, set elsewhere, or ours."""
    if target.answers:
        return ""
    others = [
        value.text.rstrip("/") for value in reversed(found.all_values("ANTHROPIC_BASE_URL")) if is_url(value.text)
    ]
    wanted = [url for url in (where.gateway, *map(root_of, others), own_address(settings)) if url and url != target.url]
    for url in list(dict.fromkeys(wanted))[:MOST_CANDIDATES]:
        if (await look_at(url, client, key="")).is_landline:
            return url
    return ""


async def _asked(target: Place, found: SettingsInForce, model: str, client: UpstreamClient) -> Asked:
    """A 404 counts where the same server counts tokens for a name that it serves."""
    set_to = found.text("ANTHROPIC_BASE_URL")
    if not target.answers:
        return Asked()
    if is_strangers(found):
        return Asked(problem=WITHHELD, telling=False)
    asked = await ask_as_client(set_to.rstrip("/") if is_url(set_to) else target.url, client, found, model=model)
    if asked.status != 404 or target.is_landline:
        return asked
    served = next((served.id for served in target.models), "")
    other = await ask_as_client(target.url, client, found, model=served)
    return msgspec.structs.replace(asked, telling=other.status == 200)


def is_strangers(found: SettingsInForce) -> bool:
    """Whether files of the project name another machine, and the token or key is the user's, from elsewhere.

    Whoever wrote the project does not decide where the user's token goes (decision 0006).
    """
    value = found.value("ANTHROPIC_BASE_URL")
    if value is None or value.origin not in OF_THE_PROJECT or is_loopback(_host(value.text)):
        return False
    secrets = [found.value(name) for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")]
    return any(secret is not None and secret.origin not in OF_THE_PROJECT for secret in secrets)


def root_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _key_for(settings: Settings, url: str) -> str:
    """The backend's key, for the backend of the settings alone."""
    return settings.backend.key if base_url(url) == base_url(settings.backend.url) else ""


def _own_key(settings: Settings) -> str:
    return settings.gateway.keys[0] if settings.gateway.keys else ""
