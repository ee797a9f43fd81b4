"""Waits until a backend answers requests, as long as that has a point: while it loads, or as long as was asked for.

A server that says that it is loading will be ready; one that nothing answers for may never come, and is waited for only
when asked. Prints nothing: `tell` hears how long it has taken and what the server said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from landline.errors import ErrorKind, LandlineError
from landline.server.line import Line
from landline.upstream.backend import Trouble

LOADING_S = 1800.0  # a large checkpoint from a slow disk
EVERY_S = 1.0

Tell = Callable[[float, str], None]


async def wait_until_ready(line: Line, *, wait_s: float | None, tell: Tell, every_s: float = EVERY_S) -> None:
    """Returns when the backend is ready; its models and windows are known then. Raises LandlineError when it is not.

    `wait_s` None: only a server that loads is waited for, at most LOADING_S; 0: nothing is.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    while problem := await _problem(line):
        waited_s = clock() - began
        if waited_s >= _patience_s(line.backend.trouble, wait_s):
            raise _not_ready(line, problem, waited_s)
        tell(waited_s, problem)
        await asyncio.sleep(every_s)


async def _problem(line: Line) -> str:
    """Why the backend cannot be used yet; empty when it can. llama.cpp lists its models while it loads them."""
    backend = line.backend
    was_loading = backend.trouble is Trouble.LOADING
    await line.look()
    backend = line.backend
    if not backend.reachable:
        return backend.problem
    try:
        await line.health.suspect(backend)
    except LandlineError as error:
        return error.text
    if was_loading:
        await line.look()  # what it did not tell while it loaded
    return ""


def _patience_s(trouble: Trouble | None, wait_s: float | None) -> float:
    if trouble is Trouble.OTHER:  # it will not get better: a wrong key, or no model server at all
        return 0
    if wait_s is not None:
        return wait_s
    return LOADING_S if trouble is Trouble.LOADING else 0


def _not_ready(line: Line, problem: str, waited_s: float) -> LandlineError:
    backend = line.backend
    after = f" after {waited_s:.0f} s" if waited_s >= 1 else ""
    hint = "Start it, name another with --backend URL, or try --embedded; --wait SECONDS waits for it to come."
    match backend.trouble:
        case Trouble.LOADING:
            said, hint = f"The model server at {backend.url} is not ready", "See its log; --wait SECONDS waits longer."
        case Trouble.OTHER:
            said = f"The model server at {backend.url} cannot be used"
        case _:
            said = f"No model server answers at {backend.url}"
    return LandlineError(ErrorKind.BACKEND_UNAVAILABLE, f"{said}{after}: {problem}", hint=hint)
