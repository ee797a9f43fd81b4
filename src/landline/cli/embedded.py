"""The embedded model for a verb: its weights are fetched when they are missing, then it is started."""

from __future__ import annotations

from collections.abc import Callable

from landline.clients.install import default_cache
from landline.config.settings import Settings
from landline.upstream.embedded import EmbeddedModel, start_embedded
from landline.upstream.weights import fetch_weights


def open_embedded(settings: Settings, *, report: Callable[[str], None]) -> EmbeddedModel:
    """The running model; the caller closes it. Blocks for the download (93 MB, once) and the start (about a second)."""
    weights = fetch_weights(default_cache(), report=report)
    report("starting the embedded model")
    return start_embedded(weights, window=settings.embedded.window, threads=settings.embedded.threads)
