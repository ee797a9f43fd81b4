"""Looks for model servers on this machine, at the ports on which each kind listens by default.

Only 127.0.0.1 is asked, one question and a few more where a list of models came, and never with a key: anything may
listen there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from landline.errors import LandlineError
from landline.upstream.backend import Backend, BackendKind, Trouble
from landline.upstream.client import UpstreamClient
from landline.upstream.probe import probe

USUAL_PORTS: Mapping[int, str] = {
    8000: "vLLM",
    30000: "SGLang",
    8080: "llama.cpp",
    11434: "Ollama",
    1234: "LM Studio",
}
TITLES = {
    BackendKind.VLLM: "vLLM",
    BackendKind.SGLANG: "SGLang",
    BackendKind.LLAMACPP: "llama.cpp",
    BackendKind.OLLAMA: "Ollama",
    BackendKind.LMSTUDIO: "LM Studio",
    BackendKind.PLAIN: "a model server",
}
CONNECT_S = 0.5
TIMEOUT_S = 3.0  # for all that is asked of one port


class LocalServer(Struct, frozen=True):
    """`loading`: it answers that it is not ready. `window` in tokens, 0: not known."""

    url: str
    title: str
    model: str = ""
    models: int = 0
    window: int = 0
    loading: bool = False

    def __str__(self) -> str:
        if self.loading:
            return f"{self.title} at {self.url} (still loading)"
        more = f" and {self.models - 1} more" if self.models > 1 else ""
        window = f", {self.window:,} tokens" if self.window else ""
        return f"{self.title} at {self.url} ({self.model}{more}{window})"


async def local_servers(ports: Mapping[int, str] | None = None) -> tuple[LocalServer, ...]:
    """The model servers at `ports` (port to the title of what usually listens there), asked all at once."""
    client = UpstreamClient(connect_timeout_s=CONNECT_S, idle_timeout_s=TIMEOUT_S)
    try:
        asked = USUAL_PORTS if ports is None else ports
        found = await asyncio.gather(*(_at(port, title, client) for port, title in asked.items()))
    finally:
        client.close()
    return tuple(server for server in found if server is not None)


async def _at(port: int, title: str, client: UpstreamClient) -> LocalServer | None:
    backend = Backend(f"http://127.0.0.1:{port}")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await probe(backend, client)
            if backend.kind is BackendKind.PLAIN and await _is_gateway(backend, client):
                return None
    except TimeoutError:
        return None
    if backend.trouble is Trouble.LOADING:
        return LocalServer(backend.url, title, loading=True)
    if not backend.reachable or not backend.served:
        return None
    model = backend.served[0]
    return LocalServer(
        backend.url, TITLES.get(backend.kind, "a model server"), model, len(backend.served), backend.window(model)
    )


async def _is_gateway(backend: Backend, client: UpstreamClient) -> bool:
    """A landline that serves there lists models too, and is no backend."""
    try:
        status, body = await client.get(f"{backend.url}/health", {}, timeout_s=TIMEOUT_S)
    except LandlineError:
        return False
    return status == 200 and b'"landline"' in body
