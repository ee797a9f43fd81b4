"""The real clients for every test of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from landline.clients.install import ClientProgram
from tests.clients.claude import Claude
from tests.fixtures_real import CLAUDE_VERSIONS, claude_programs, weights

__all__ = ["claude_programs", "weights"]


@pytest.fixture(params=CLAUDE_VERSIONS)
def claude(request: pytest.FixtureRequest, claude_programs: Mapping[str, ClientProgram], tmp_path: Path) -> Claude:
    """The client in each pinned version, with an empty home."""
    return Claude(claude_programs[request.param], tmp_path / "home")
