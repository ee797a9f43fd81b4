"""A breaker for servers whose engine is dead: they accept requests and fail each of them.

Opened only by what the server says of itself: after an answer of 5xx, its /health is asked, and 503 there is believed.
Errors of requests (4xx) never count, and neither does a server without /health.
"""

from __future__ import annotations

import asyncio

from landline.errors import ErrorKind, LandlineError
from landline.upstream.backend import Backend, Trouble
from landline.upstream.client import UpstreamClient

ASK_AGAIN_S = 1.0  # between two questions to a server that is known to be sick
TIMEOUT_S = 2.0
RETRY_AFTER_S = 5


class Health:
    """One per gateway process: which servers called themselves unhealthy, and when they were last asked."""

    def __init__(self, client: UpstreamClient) -> None:
        self._client = client
        self._sick: dict[Backend, float] = {}

    async def check(self, backend: Backend) -> None:
        """Before a request. Raises LandlineError at once while the server is known to be sick."""
        asked_at = self._sick.get(backend)
        if asked_at is None:
            return
        if asyncio.get_running_loop().time() - asked_at < ASK_AGAIN_S:
            raise _sick(backend)
        await self.suspect(backend)

    async def suspect(self, backend: Backend) -> None:
        """Asks the server how it is. Raises LandlineError when it says that it is sick."""
        try:
            status, _ = await self._client.get(f"{backend.url}/health", backend.headers, timeout_s=TIMEOUT_S)
        except LandlineError:
            status = 0
        if status != 503:
            self._sick.pop(backend, None)
            return
        self._sick[backend] = asyncio.get_running_loop().time()
        error = _sick(backend)
        backend.failed(error.text, Trouble.LOADING)
        raise error


def _sick(backend: Backend) -> LandlineError:
    return LandlineError(
        ErrorKind.BACKEND_UNAVAILABLE,
        f"The backend {backend.url} says that it is not healthy (503 at /health).",
        hint="Is its engine dead, out of memory, or still loading? See its log, and start it again.",
        retry_after=RETRY_AFTER_S,
    )
