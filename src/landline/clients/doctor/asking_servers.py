"""Asks what stands at an address: landline, another server or nobody; and asks it once as the client would.

Never fails: what answers may be anything, and what cannot be read is a problem in words. Quotes no key.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec

from landline.clients.checking.asking import json_object, refusal_text
from landline.clients.checking.opening import server_facts
from landline.clients.doctor.settings_in_force import SettingsInForce
from landline.clients.doctor.state import Asked, ModelServer, Place
from landline.clients.live_gateway import PATH, Snapshot, read_snapshot
from landline.clients.remote_gateway import ServedModel
from landline.config.display import hide_logins
from landline.errors import ErrorKind, LandlineError
from landline.families.registry import Registry
from landline.server.model_facts import older
from landline.upstream.backend import Backend
from landline.upstream.caching import CacheWatch, read_cache_metrics
from landline.upstream.client import UpstreamClient
from landline.upstream.dialects import BackendKind
from landline.upstream.probe import probe

TIMEOUT_S = 2.0  # for each small question; --quick has three seconds in all
MOST_MODELS = 200


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


async def look_at(url: str, client: UpstreamClient, *, key: str) -> Place:
    """What answers at `url`, a base without a slash at its end."""
    try:
        status, body = await client.get(f"{url}/health", {}, timeout_s=TIMEOUT_S)
    except LandlineError as error:
        return Place(url=url, problem=_why(error).replace("/health", ""))
    version = (json_object(body) or {}).get("landline") if status == 200 else None
    listed, models = await _models(url, client, key)
    place = Place(url=url, answers=True, status=listed, models=models)
    if not isinstance(version, str) or not version:
        return place
    ready, snapshot = await asyncio.gather(_get(url + "/ready", client, key), _live(url, client, key))
    said = json_object(ready[1]) or {}
    found = cast("list[object]", said["findings"]) if isinstance(said.get("findings"), list) else []
    return msgspec.structs.replace(
        place,
        version=version[:40],
        not_ready="" if ready[0] == 200 else str(said.get("problem") or "its model server does not answer")[:500],
        findings=tuple(text[:500] for text in found[:20] if isinstance(text, str)),
        snapshot=snapshot,
    )


async def ask_as_client(url: str, client: UpstreamClient, settings: SettingsInForce, *, model: str) -> Asked:
    """Has tokens counted at exactly the address, under the name and with the credentials that the client would send.

    A server without that address says 404 to any of it; then nothing is known of the request itself.
    """
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]}
    address = f"{url}/v1/messages/count_tokens?beta=true"
    headers = client_headers(settings)
    try:
        status, answer = await client.post_small(address, msgspec.json.encode(body), headers, timeout_s=TIMEOUT_S)
    except LandlineError as error:
        return Asked(problem=_why(error))
    except ValueError:
        return Asked(problem="the token or the key holds a letter that no header can have")
    return Asked(
        status=status, problem="" if status == 200 else without_secrets(refusal_text(status, answer), settings)
    )


def client_headers(settings: SettingsInForce) -> dict[str, str]:
    """Both credentials, where both are set: so does the client."""
    key = settings.text("ANTHROPIC_API_KEY")
    headers = {"anthropic-version": "2023-06-01", "user-agent": "landline-doctor"}
    return headers | bearer(settings.text("ANTHROPIC_AUTH_TOKEN")) | ({"x-api-key": key} if key else {})


def without_secrets(text: str, settings: SettingsInForce) -> str:
    """Some servers repeat the key that they refuse."""
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"):
        for value in settings.all_values(name):
            text = text.replace(value.text, "[key]") if len(value.text) >= 4 else text
    return text[:500]


async def look_at_server(
    url: str, client: UpstreamClient, *, key: str, named_by: str, families: Registry, model: str, window: int
) -> ModelServer:
    """The model server itself; `model` is the one that is asked for, where it is served."""
    backend = Backend(url, key=key, window=window, families=families)
    server = ModelServer(url=str(hide_logins(backend.url)), named_by=named_by)
    status, problem, closes = await _list_status(backend, client)
    if problem:
        return msgspec.structs.replace(server, problem=problem)
    await probe(backend, client)
    told = backend.without_key(backend.problem.encode()).decode()
    server = msgspec.structs.replace(
        server,
        answers=True,
        loading=status >= 500,
        key_refused=status in (401, 403),
        problem=str(hide_logins(told)),
        closes=closes,
    )
    if not backend.reachable:
        return server
    chosen = model if model in backend.served else next(iter(backend.served), "")
    facts = await server_facts(backend, chosen)
    watch = CacheWatch()
    await read_cache_metrics(backend, client, watch)
    family = backend.family(chosen)
    least = family.min_version if family and backend.kind is BackendKind.VLLM else ""
    outdated = (
        f"{facts.version} is older than {least}, which {facts.family} needs" if older(facts.version, least) else ""
    )
    return msgspec.structs.replace(
        server,
        kind=backend.kind,
        version=facts.version,
        model=chosen,
        served=tuple(name for name in backend.served[:MOST_MODELS] if name.isprintable()),
        window=facts.window,
        family=facts.family,
        parsers=facts.parsers,
        findings=(outdated,) if outdated else (),
        metrics=watch.metrics,
        facts=facts,
    )


async def _list_status(backend: Backend, client: UpstreamClient) -> tuple[int, str, bool]:
    """Status of its list of models, why there is none, and whether the connection was closed behind it."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async with await client.request("GET", f"{backend.url}/v1/models", None, backend.headers) as answer:
                await answer.body()
                return answer.status, "", answer.headers.get("connection", "").lower() == "close"
    except TimeoutError:
        return 0, f"{hide_logins(backend.url)} did not answer within {TIMEOUT_S:g} s.", False
    except LandlineError as error:
        return 0, str(hide_logins(_why(error))), False


async def _models(url: str, client: UpstreamClient, key: str) -> tuple[int, tuple[ServedModel, ...]]:
    status, body = await _get(url + "/v1/models", client, key)
    rows = (json_object(body) or {}).get("data") if status == 200 else None
    models: list[ServedModel] = []
    for row in cast("list[object]", rows)[:MOST_MODELS] if isinstance(rows, list) else []:
        entry = cast("dict[str, object]", row) if isinstance(row, dict) else {}
        name, window = entry.get("id"), entry.get("max_model_len")
        if isinstance(name, str) and 0 < len(name) <= 512 and name.isprintable():  # it may be written into a file
            known = window if isinstance(window, int) and not isinstance(window, bool) and window > 0 else 0
            models.append(ServedModel(name, known))
    return status, tuple(models)


async def _live(url: str, client: UpstreamClient, key: str) -> Snapshot | None:
    status, body = await _get(url + PATH, client, key)
    try:
        return read_snapshot(body, url) if status == 200 else None
    except LandlineError:
        return None


async def _get(url: str, client: UpstreamClient, key: str) -> tuple[int, bytes]:
    """Status 0: no answer."""
    try:
        return await client.get(url, bearer(key), timeout_s=TIMEOUT_S)
    except (LandlineError, ValueError):
        return 0, b""


def _why(error: LandlineError) -> str:
    """The words of a failure, without calling everything a backend."""
    if error.kind is ErrorKind.BACKEND_TIMEOUT:
        return error.message.removeprefix("The backend ").replace("in time", f"within {TIMEOUT_S:g} s")
    return error.message.removeprefix("The backend ")
