"""Runs the real Codex, headless, as a user would who set the gateway as its provider.

Every run gets a home of its own and an environment of its own; whatever it sends beside the gateway meets a proxy that
refuses. Must not know what answers.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.clients.agents import CODEX_CONFIG, WINDOW, Run
from tests.clients.claude import NOWHERE, kill

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Codex:
    """The client with an empty home and an empty project folder."""

    program: Path
    root: Path

    @property
    def project(self) -> Path:
        return self.root / "project"

    async def run(self, url: str, prompt: str, *, model: str = "local-model", timeout_s: float = TIMEOUT_S) -> Run:
        """Runs to the end. Raises TimeoutError when it takes longer than `timeout_s`."""
        home = self.root / "codex"
        for folder in (home, self.project, self.root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(CODEX_CONFIG.format(model=model, url=url, window=WINDOW))
        begun = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            str(self.program),
            *("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", prompt),
            cwd=self.project,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "CODEX_HOME": str(home),
                "TMPDIR": str(self.root / "tmp"),
                "TERM": "xterm",
                "LANG": "C.UTF-8",
                "LANDLINE_KEY": "dummy",
                "HTTPS_PROXY": NOWHERE,
                "NO_PROXY": "127.0.0.1,localhost",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate()
        finally:
            kill(process)
            await process.wait()
        assert process.returncode is not None
        seconds = time.monotonic() - begun
        return Run(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), seconds)
