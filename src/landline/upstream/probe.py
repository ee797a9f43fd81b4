"""Asks a model server what it is: its kind, its models, their window. Never fails; what stays unknown stays unknown."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from landline.errors import LandlineError
from landline.upstream.backend import Backend, BackendKind, ServedModel
from landline.upstream.client import UpstreamClient

TIMEOUT_S = 5.0


async def probe(backend: Backend, client: UpstreamClient) -> None:
    """Fills `backend`. One request where the server is unreachable, three at most."""
    try:
        status, body = await client.get(f"{backend.url}/v1/models", backend.headers, timeout_s=TIMEOUT_S)
    except LandlineError as error:
        backend.failed(error.text)
        return
    if status in (401, 403):
        backend.failed(f"The backend {backend.url} refused landline's key ({status}). Set backend.key.")
        return
    if status >= 500:  # llama.cpp answers so while it loads: what it is and serves can only be asked later
        backend.failed(f"The backend {backend.url} answered {status} when asked for its models: is it still loading?")
        return
    rows = _rows(body) if status == 200 else []
    if status == 200 and not rows and not backend.native:
        backend.failed(f"{backend.url}/v1/models does not list a model: is this a model server?")
        return
    # A window that was learned otherwise (from /props, from an overflow) holds until the server was away.
    known = {model.id: model.window for model in backend.models} if backend.reachable else {}
    backend.models = tuple(ServedModel(str(row["id"]), _window(row) or known.get(str(row["id"]), 0)) for row in rows)
    if not backend.native:
        await _find_kind(backend, client, rows)
    backend.answered()  # last: from now on, requests rely on what was found


async def _find_kind(backend: Backend, client: UpstreamClient, rows: list[dict[str, Any]]) -> None:
    owners = {str(row.get("owned_by", "")).lower() for row in rows}
    if "llamacpp" in owners or any("meta" in row for row in rows):
        backend.kind = BackendKind.LLAMACPP
        await _llamacpp_window(backend, client)
    elif "vllm" in owners or await _answers(backend, client, "/version"):
        backend.kind = BackendKind.VLLM
    else:
        backend.kind = BackendKind.PLAIN


async def _llamacpp_window(backend: Backend, client: UpstreamClient) -> None:
    """llama.cpp divides its context over the slots: /props tells what one request gets."""
    props = await _object(backend, client, "/props")
    settings = cast("dict[str, Any]", props.get("default_generation_settings") or {})
    window = settings.get("n_ctx") or props.get("n_ctx")
    if isinstance(window, int) and window > 0:
        backend.models = tuple(ServedModel(model.id, window) for model in backend.models)


async def _answers(backend: Backend, client: UpstreamClient, path: str) -> bool:
    return "version" in await _object(backend, client, path)


async def _object(backend: Backend, client: UpstreamClient, path: str) -> dict[str, Any]:
    try:
        status, body = await client.get(backend.url + path, backend.headers, timeout_s=TIMEOUT_S)
        value = msgspec.json.decode(body) if status == 200 else None
    except (LandlineError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    data: Any = cast("dict[str, Any]", value).get("data") if isinstance(value, dict) else None
    if not isinstance(data, list):
        return []
    rows = cast("list[Any]", data)
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict) and "id" in row]


def _window(row: dict[str, Any]) -> int:
    """vLLM and SGLang say max_model_len, others one of the rest; 0 when the server does not tell."""
    for name in ("max_model_len", "context_length", "max_context_length", "loaded_context_length", "context_window"):
        value = row.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return 0
