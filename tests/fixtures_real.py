"""Fixtures of real parts: the embedded model and the real clients, shared by the test folders that need them.

A conftest.py imports the names it wants. Everything is kept in landline's own cache of the user who runs the tests, so
that a second run downloads nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs
import pytest

from landline.clients.install import ClientProgram, find_client, install_client
from landline.clients.known import CLAUDE, KnownClient
from landline.errors import LandlineError
from landline.upstream.embedded import EmbeddedModel, start_embedded
from landline.upstream.weights import fetch_weights

CLAUDE_VERSIONS = CLAUDE.tested
MODEL_WINDOW = 4096


def real_cache() -> Path:
    """Where landline keeps what it fetches for this user."""
    return platformdirs.user_cache_path("landline")


def clients_required() -> bool:
    """Whether a missing client fails the tests instead of skipping them."""
    return os.environ.get("LANDLINE_REQUIRE_CLIENTS") == "1"


@pytest.fixture(scope="session")
def weights() -> Path:
    """The weights of the demo model, fetched if they are not in the cache."""
    return fetch_weights(real_cache(), report=print)


@pytest.fixture(scope="session")
def embedded_model(weights: Path) -> Iterator[EmbeddedModel]:
    """One running model for all tests; two slots, so that a test is not held up by what another one left running."""
    model = start_embedded(weights, window=MODEL_WINDOW, threads=1, parallel=2)
    yield model
    model.close()


@pytest.fixture(scope="session")
def claude_programs() -> Mapping[str, ClientProgram]:
    """Claude Code in each pinned version: version to program."""
    return {version: claude_program(version) for version in CLAUDE_VERSIONS}


def claude_program(version: str) -> ClientProgram:
    return client_program(CLAUDE, version)


def client_program(client: KnownClient, version: str = "") -> ClientProgram:
    """That version (empty: the newest tested), installed where it is missing; skips where it cannot be had."""
    version = version or client.newest
    found = find_client(client, real_cache(), version=version)
    if found is not None:
        return found
    if not clients_required() and shutil.which("npm") is None:
        pytest.skip(
            f"{client.title} {version} is not installed and there is no npm (LANDLINE_REQUIRE_CLIENTS=1 fetches)"
        )
    try:
        return install_client(client, real_cache(), version=version, report=print)
    except LandlineError as error:
        if clients_required():
            raise
        pytest.skip(f"{client.title} {version} cannot be installed: {error.text}")
