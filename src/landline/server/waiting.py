"""How long a request waited for the backend, so that what landline itself took can be told from it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from landline.core.exchange import Exchange


@contextmanager
def waiting(exchange: Exchange) -> Generator[None]:
    """Inside, nothing of ours is done."""
    began = time.perf_counter()
    try:
        yield
    finally:
        exchange.waited_s += time.perf_counter() - began
