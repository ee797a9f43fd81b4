"""What is known of the clients on this machine: where each is, its version, and where its own settings point it.

Reads files and asks each program for its version; connects to nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import cast
from urllib.parse import urlsplit

from msgspec import Struct

from landline.clients import opencode, qwen_code
from landline.clients.codex_launch import config_file, read_config
from landline.clients.doctor.settings_in_force import read_settings
from landline.clients.install import default_cache, find_client
from landline.clients.known import CLIENTS, KnownClient
from landline.clients.permanent_files import Places, objects
from landline.config.display import hide_logins
from landline.errors import SettingsError


class State(StrEnum):
    LANDLINE = "landline"  # its settings lead to our gateway's address
    ELSEWHERE = "elsewhere"  # they lead to another address
    OWN = "its own"  # they name none
    UNKNOWN = "unknown"  # they cannot be read


class Installed(Struct, frozen=True, kw_only=True):
    """One known client. `version` empty: not installed. `points_at` has no credentials in it."""

    client: str
    title: str
    version: str = ""
    path: str = ""
    origin: str = ""
    tested: tuple[str, ...]
    works: bool | None = None
    state: State
    points_at: str = ""
    next: str


def inventory(places: Places, *, own_address: str) -> tuple[Installed, ...]:
    """Every known client, in the order of the table. Blocks for the time that the slowest `--version` takes."""
    with ThreadPoolExecutor(len(CLIENTS)) as pool:
        looks = [pool.submit(_looked_at, known, places, own_address) for known in CLIENTS.values()]
        return tuple(look.result() for look in looks)


def _looked_at(known: KnownClient, places: Places, own_address: str) -> Installed:
    program = find_client(known, default_cache(), search_path=places.environ.get("PATH"))
    state, points_at = state_of(known.name, places, own_address=own_address)
    version = program.version if program else ""
    return Installed(
        client=known.name,
        title=known.title,
        version=version,
        path=str(program.path) if program else "",
        origin=program.origin if program else "",
        tested=known.tested,
        works=version in known.tested if version else None,
        state=state,
        points_at=points_at,
        next=next_step(known, version, state),
    )


def next_step(known: KnownClient, version: str, state: State) -> str:
    start = f"landline launch {known.name}"
    if not version:
        return f"`{start}` offers to install {known.newest}"
    if state is State.UNKNOWN:
        return "correct its settings file by hand: the client cannot read it either"
    if state is State.LANDLINE:
        return f"`{known.command}`, while `landline serve` runs"
    return f"`{start}`, or `landline settings write {known.name}` for good"


def state_of(client: str, places: Places, *, own_address: str) -> tuple[State, str]:
    """Where the client's own settings point it, with the address that they name."""
    look = {"claude": _claude, "codex": _codex, "opencode": _opencode, "qwen": _qwen}[client]
    try:
        url = look(places)
    except SettingsError:
        return State.UNKNOWN, ""
    if not url:
        return State.OWN, ""
    return State.LANDLINE if _same(url, own_address) else State.ELSEWHERE, str(hide_logins(url))


def _same(url: str, own_address: str) -> bool:
    """By host and port; names of this machine's loopback are one."""
    try:
        one, other = urlsplit(url), urlsplit(own_address)
        hosts = {"localhost" if host in {"127.0.0.1", "::1"} else host for host in (one.hostname, other.hostname)}
        return len(hosts) == 1 and one.port == other.port
    except ValueError:
        return False


def _claude(places: Places) -> str:
    found = read_settings(home=places.home, cwd=places.cwd, environ=places.environ)
    if found.unreadable:
        raise SettingsError("unreadable")
    return found.text("ANTHROPIC_BASE_URL")


def _codex(places: Places) -> str:
    config = read_config(config_file(places.home, places.environ))
    chosen = config.get("model_provider")
    url = objects(objects(config.get("model_providers")).get(str(chosen))).get("base_url")
    return url if isinstance(url, str) else ""


def _opencode(places: Places) -> str:
    files = opencode.config_files(home=places.home, cwd=places.cwd, environ=places.environ)
    document = opencode.merged({}, *opencode.read_documents(files, strict=True))
    provider, _, model = str(document.get("model", "")).partition("/")
    options = objects(objects(objects(document.get("provider")).get(provider)).get("options"))
    url = options.get("baseURL")
    return url if model and isinstance(url, str) else ""


def _qwen(places: Places) -> str:
    files = [qwen_code.user_file(places.home, places.environ), places.cwd / ".qwen" / "settings.json"]
    document = opencode.merged({}, *opencode.read_documents(files, strict=True))
    chosen = objects(document.get("model")).get("name")
    models = objects(document.get("modelProviders")).get("openai")
    for entry in cast("list[object]", models) if isinstance(models, list) else []:
        url = objects(entry).get("baseUrl")
        if objects(entry).get("id") == chosen and isinstance(url, str):
            return url
    return places.environ.get("OPENAI_BASE_URL", "")
