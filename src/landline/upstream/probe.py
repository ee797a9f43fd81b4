"""Asks a model server what it is: its kind and version, its models, their window, checkpoint and template.

Never fails; what stays unknown stays unknown.

What a server writes is not trusted to have any shape, size or speed.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from landline.errors import LandlineError
from landline.upstream.backend import Backend, ServedModel, Trouble
from landline.upstream.client import UpstreamClient
from landline.upstream.dialects import OWNERS, QUESTIONS, BackendKind

TIMEOUT_S = 5.0  # for the models; and for all further questions together
MOST_MODELS = 1000
LONGEST_ID = 512
LONGEST_TEXT = 100_000  # characters of a template
LARGEST_WINDOW = 100_000_000  # tokens; a larger one is no window
MOST_SHOWN = 8  # models that Ollama is asked about one by one, when it is first seen

_NUM_CTX = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)

Row = dict[str, Any]


async def probe(backend: Backend, client: UpstreamClient) -> None:
    """Fills `backend`. One request where the server is unreachable, a few where it is new, two at most from then on."""
    try:
        status, body = await client.get(f"{backend.url}/v1/models", backend.headers, timeout_s=TIMEOUT_S)
    except LandlineError as error:
        backend.failed(error.text, Trouble.AWAY)
        return
    if status in (401, 403):
        backend.failed(f"The backend {backend.url} refused landline's key ({status}). Set backend.key.")
        return
    if status >= 500:  # llama.cpp answers so while it loads: what it is and serves can only be asked later
        problem = f"The backend {backend.url} answered {status} when asked for its models: is it still loading?"
        backend.failed(problem, Trouble.LOADING)
        return
    rows = _models(body) if status == 200 else []
    if status == 200 and not rows and not backend.native:
        backend.failed(f"{backend.url}/v1/models does not list a model: is this a model server?")
        return
    # What was learned otherwise (from /props, from an overflow) holds until the server was away.
    known = {model.id: model for model in backend.models} if backend.reachable else {}
    places = {name: place for place, name in enumerate(known)}
    roots = {row["id"]: _name(row, "root") for row in rows}
    backend.models = tuple(_served(row, roots, known.get(row["id"])) for row in rows)
    if not backend.native:
        await _look_closer(backend, client, rows)
    # The first model answers for names that nothing maps: one that was pulled or loaded since must not take its place.
    backend.models = tuple(sorted(backend.models, key=lambda model: places.get(model.id, len(places))))
    backend.answered()  # last: from now on, requests rely on what was found


def _served(row: Row, roots: dict[str, str], known: ServedModel | None) -> ServedModel:
    """A model as the list has it. An adapter (LoRA) is of the family of the model that it belongs to."""
    known = known or ServedModel(row["id"])
    parent = _name(row, "parent")
    root = (roots.get(parent) or parent) if parent else _name(row, "root")
    return replace(known, window=_window(row) or known.window, root=root or known.root)


async def _look_closer(backend: Backend, client: UpstreamClient, rows: list[Row]) -> None:
    """The kind, and the window where the list of models does not tell it. A slow server is left as it is known."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            backend.kind = await _kind(backend, client, rows)
            match backend.kind:
                case BackendKind.VLLM:
                    await _version(backend, client, "/version")
                case BackendKind.SGLANG:
                    await _sglang_model(backend, client)
                case BackendKind.LLAMACPP:
                    await _llamacpp_model(backend, client)
                case BackendKind.OLLAMA:
                    await _version(backend, client, "/api/version")
                    await _ollama_models(backend, client)
                case BackendKind.LMSTUDIO:
                    await _lmstudio_models(backend, client)
                case _:
                    pass
    except TimeoutError:
        if backend.kind is BackendKind.UNKNOWN:
            backend.kind = BackendKind.PLAIN


async def _kind(backend: Backend, client: UpstreamClient, rows: list[Row]) -> BackendKind:
    told = [OWNERS[owner] for row in rows if isinstance(owner := row.get("owned_by"), str) and owner in OWNERS]
    if told:
        return told[0]
    if any(isinstance(row.get("meta"), dict) for row in rows):
        return BackendKind.LLAMACPP
    if backend.reachable and backend.kind is not BackendKind.UNKNOWN:
        return backend.kind  # it was asked when it came
    for question in QUESTIONS:
        if question.answer in await _object(backend, client, question.path):
            return question.kind
    return BackendKind.PLAIN


async def _version(backend: Backend, client: UpstreamClient, path: str) -> None:
    if not backend.reachable:  # it is another one only after a restart
        backend.version = _name(await _object(backend, client, path), "version")


async def _sglang_model(backend: Backend, client: UpstreamClient) -> None:
    await _version(backend, client, "/server_info")
    if not backend.reachable and (path := _name(await _object(backend, client, "/get_model_info"), "model_path")):
        backend.models = tuple(replace(model, root=path) for model in backend.models)


async def _llamacpp_model(backend: Backend, client: UpstreamClient) -> None:
    """llama.cpp divides its context over the slots: /props tells what one request gets. It serves one model."""
    props = await _object(backend, client, "/props")
    backend.slots = _tokens(props.get("total_slots"))
    vision = _dict(props.get("modalities")).get("vision")
    backend.images = vision if isinstance(vision, bool) else None
    window = _tokens(_dict(props.get("default_generation_settings")).get("n_ctx")) or _tokens(props.get("n_ctx"))
    backend.version = _name(props, "build_info") or backend.version
    root, template = _name(props, "model_path"), _text(props, "chat_template")
    backend.models = tuple(
        replace(model, window=window or model.window, root=root or model.root, template=template or model.template)
        for model in backend.models
    )


async def _ollama_models(backend: Backend, client: UpstreamClient) -> None:
    """A loaded model runs in the window that /api/ps tells; one that is not loaded may say it in its parameters."""
    new = not backend.reachable
    running = _list(await _object(backend, client, "/api/ps"), "models")
    backend.believe({_name(row, "model") or _name(row, "name"): _tokens(row.get("context_length")) for row in running})
    if new:
        unknown = [model.id for model in backend.models if not model.window or backend.match(model.id) is None]
        shown = {name: await _shown(backend, client, name) for name in unknown[:MOST_SHOWN]}
        backend.models = tuple(_as_shown(model, shown.get(model.id, {})) for model in backend.models)


async def _shown(backend: Backend, client: UpstreamClient, model: str) -> Row:
    return await _object(backend, client, "/api/show", msgspec.json.encode({"model": model}))


def _as_shown(model: ServedModel, shown: Row) -> ServedModel:
    """num_ctx of the model's Modelfile; without one, the server's own default counts, which nothing tells."""
    found = _NUM_CTX.search(_text(shown, "parameters"))
    details = _dict(shown.get("details"))
    return replace(
        model,
        window=model.window or (_tokens(int(found[1])) if found else 0),
        root=_name(details, "parent_model") or model.root,
        template=_text(shown, "template") or model.template,
        architecture=_name(details, "family") or model.architecture,
    )


async def _lmstudio_models(backend: Backend, client: UpstreamClient) -> None:
    """Loaded models come first, so that none is loaded unasked; what only embeds is not served."""
    rows = _list(await _object(backend, client, "/api/v0/models"), "data")
    embed = {_name(row, "id") for row in rows if row.get("type") == "embeddings"}
    up = [row for row in rows if row.get("state") == "loaded"]
    loaded = {_name(row, "id"): _tokens(row.get("loaded_context_length")) for row in up}
    kinds = {_name(row, "id"): _name(row, "arch") for row in rows}
    if not rows:  # 0.4 and later may serve the newer address only
        rows = _list(await _object(backend, client, "/api/v1/models"), "models")
        embed = {_name(row, "key") for row in rows if row.get("type") == "embedding"}
        kinds = {_name(row, "key"): _name(row, "architecture") for row in rows}
        up = [one for row in rows for one in _list(row, "loaded_instances")]
        loaded = {_name(one, "id"): _tokens(_dict(one.get("config")).get("context_length")) for one in up}
    backend.believe(loaded)
    serving = [
        replace(model, architecture=kinds.get(model.id) or model.architecture)
        for model in backend.models
        if model.id not in embed
    ]
    backend.models = tuple(sorted(serving, key=lambda model: model.id not in loaded))


async def _object(backend: Backend, client: UpstreamClient, path: str, question: bytes | None = None) -> Row:
    url = backend.url + path
    try:
        if question is None:
            status, body = await client.get(url, backend.headers, timeout_s=TIMEOUT_S)
        else:
            status, body = await client.post_small(url, question, backend.headers, timeout_s=TIMEOUT_S)
    except LandlineError:
        return {}
    return _dict(_value(body)) if status == 200 else {}


def _value(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _dict(value: object) -> Row:
    return cast("Row", value) if isinstance(value, dict) else {}


def _list(value: object, name: str) -> list[Row]:
    """The objects in a field; whatever else stands in it is left out."""
    rows = _dict(value).get(name)
    return [_dict(row) for row in cast("list[object]", rows[:MOST_MODELS])] if isinstance(rows, list) else []


def _models(body: bytes) -> list[Row]:
    return [row for row in _list(_value(body), "data") if _name(row, "id")]


def _name(row: Row, field: str) -> str:
    name = row.get(field)
    return name if isinstance(name, str) and len(name) <= LONGEST_ID else ""


def _text(row: Row, field: str) -> str:
    text = row.get(field)
    return text[:LONGEST_TEXT] if isinstance(text, str) else ""


def _window(row: Row) -> int:
    """vLLM and SGLang say max_model_len, others one of the rest; 0 when the server does not tell."""
    for name in ("max_model_len", "context_length", "max_context_length", "loaded_context_length", "context_window"):
        if window := _tokens(row.get(name)):
            return window
    return 0


def _tokens(value: object) -> int:
    """A number of tokens, or 0 for what cannot be one. JSON's true is no number."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < LARGEST_WINDOW else 0
