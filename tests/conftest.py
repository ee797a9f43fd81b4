"""Hypothesis profiles of the whole suite: few examples by default, `--hypothesis-profile nightly` for a long run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.failure_modes.plugin", "tests.clients.plugin"]

SLOW = [HealthCheck.too_slow]

settings.register_profile("default", max_examples=60, deadline=None, suppress_health_check=SLOW)
settings.register_profile("nightly", max_examples=100_000, deadline=None, suppress_health_check=SLOW)
settings.load_profile("default")
