"""Clients and SDKs from npm that only the tests run: pinned, in landline's own cache, each under its own licence."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from landline.clients import known
from landline.clients.install import find_npm
from landline.errors import LandlineError
from landline.upstream.packages import Installer, run_installer
from tests.fixtures_real import clients_required, real_cache


@dataclass(frozen=True)
class NpmClient:
    """`program` is the glob of what is started, below the folder that npm fills."""

    package: str
    version: str
    program: str

    @property
    def name(self) -> str:
        return f"{self.package.rpartition('/')[2]}-{self.version}"

    def path(self) -> Path:
        """The program, installed where it is missing; skips where it cannot be had."""
        home = real_cache() / "tests" / self.name
        if found := self._found(home):
            return found
        if not clients_required() and shutil.which("npm") is None:
            pytest.skip(f"{self.name} is not installed and there is no npm (LANDLINE_REQUIRE_CLIENTS=1 fetches)")
        try:
            self._install(home)
        except LandlineError as error:
            if clients_required():
                raise
            pytest.skip(f"{self.name} cannot be installed: {error.text}")
        found = self._found(home)
        assert found is not None, f"npm installed {self.name} without a program for this machine"
        return found

    def _install(self, home: Path) -> None:
        npm = find_npm(real_cache(), report=print)
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".install-", dir=home.parent) as folder:
            draft = Path(folder) / "draft"
            draft.mkdir()
            command = [*npm, "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(draft)]
            command += ["--include=optional", "--ignore-scripts", "--global=false", f"{self.package}@{self.version}"]
            run_installer(Installer(command, draft, self.name, "See what npm says."), report=print)
            if not home.exists():
                draft.rename(home)

    def _found(self, home: Path) -> Path | None:
        found = sorted(home.glob(f"node_modules/{self.program}"))
        return next((path for path in found if os.access(path, os.R_OK)), None)


def _pinned(client: known.KnownClient) -> NpmClient:
    """A client that `landline launch` knows, in the newest version that it is known to work with."""
    return NpmClient(client.package, client.newest, client.program[0])


CODEX, OPENCODE, QWEN_CODE = map(_pinned, (known.CODEX, known.OPENCODE, known.QWEN))
ANTHROPIC_SDK = NpmClient("@anthropic-ai/sdk", "1.14.0", "@anthropic-ai/sdk/package.json")
OPENAI_SDK = NpmClient("openai", "7.59.0", "openai/package.json")


def own_node() -> str:
    """Landline's own Node, which takes TypeScript as it is and is new enough for the SDKs; fetched where needed."""
    try:
        return find_npm(real_cache(), report=print, search_path="")[0]
    except LandlineError as error:
        if clients_required():
            raise
        pytest.skip(f"Node cannot be fetched: {error.text}")
