"""`landline doctor` on broken setups: real files, real gateways, real sockets; what it finds, and what --fix makes of it.

Servers of models are the scripted ones; everything else on the path is real.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import agent_model
from tests.fakes.client_setup import MODEL, Setup, good_env
from tests.fakes.gateway_client import GatewayClient, gateway_to
from tests.fakes.model_server import ModelServer

CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "home")


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with agent_model.server() as running:
        yield running


@pytest.fixture
async def gateway(server: ModelServer) -> AsyncIterator[GatewayClient]:
    async with gateway_to(server.url) as running:
        yield running


async def test_a_healthy_setup(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url))
    began = time.monotonic()
    doctored = await setup.doctor()
    assert time.monotonic() - began < 3
    assert doctored.wrong == {}
    assert doctored.edits == ()
    assert doctored.state.behind_landline
    assert set(doctored.not_tried) <= {"tool_parser", "reasoning_parser", "streaming", "prefix_cache"}


async def test_a_healthy_setup_with_its_model(setup: Setup, gateway: GatewayClient) -> None:
    setup.user(good_env(gateway.url))
    doctored = await setup.doctor(quick=False)
    assert doctored.wrong == {}
    assert set(doctored.not_tried) <= {"streaming"}  # the scripted model is too quick to tell
