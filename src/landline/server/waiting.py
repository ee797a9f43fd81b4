"""How long a request waited for the backend, so that what landline itself took can be told from it."""

from __future__ import annotations

import time

from landline.core.exchange import Exchange


class Waiting:
    """A context manager: inside, nothing of ours is done. Each request enters some, so it is no generator."""

    __slots__ = ("_began", "_exchange")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._exchange.waited_s += time.perf_counter() - self._began
