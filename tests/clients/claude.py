"""Runs the real Claude Code, headless, as a user would who knows nothing but a base URL and a token.

Every run gets a home of its own and an environment of its own; whatever it sends beside the gateway meets a proxy that
refuses. Must not know what answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landline.clients.install import ClientProgram

NOWHERE = "http://127.0.0.1:9"
TIMEOUT_S = 45.0


@dataclass(frozen=True)
class Run:
    """What one run of the client left. `result` is its JSON object, empty when it printed none."""

    exit_code: int
    result: Mapping[str, Any]
    stdout: str
    stderr: str
    seconds: float

    @property
    def said(self) -> str:
        """The text that the user sees at the end."""
        return str(self.result.get("result", ""))

    @property
    def explained(self) -> str:
        """For the message of a failed assertion."""
        return f"exit {self.exit_code} after {self.seconds:.1f} s\n{self.stdout[-2000:]}\n{self.stderr[-2000:]}"


@dataclass(frozen=True)
class Claude:
    """One version of the client, with an empty home and an empty project folder."""

    program: ClientProgram
    root: Path

    @property
    def project(self) -> Path:
        return self.root / "project"

    def environment(self, url: str, *, model: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "TMPDIR": str(self.root / "tmp"),
            "CLAUDE_CODE_TMPDIR": str(self.root / "tmp"),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "IS_SANDBOX": "1",  # a test may run as root
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": "dummy",
            "ANTHROPIC_MODEL": model,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1,localhost",
        } | dict(extra or {})

    @contextlib.asynccontextmanager
    async def started(
        self,
        url: str,
        prompt: str,
        *,
        model: str = "local-model",
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The running client, which is killed with all its children at the end, if it still runs."""
        for folder in (self.project, self.root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        command = [str(self.program.path), "-p", prompt, "--dangerously-skip-permissions", "--output-format", "json"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *args,
            cwd=self.project,
            env=self.environment(url, model=model, extra=env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill(process)
            await process.communicate()

    async def run(self, url: str, prompt: str, *, timeout_s: float = TIMEOUT_S, **options: Any) -> Run:
        """Runs to the end. Raises TimeoutError when it takes longer than `timeout_s`."""
        begun = time.monotonic()
        async with self.started(url, prompt, **options) as process:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate()
            code = process.returncode
            assert code is not None
        stdout = out.decode(errors="replace")
        seconds = time.monotonic() - begun
        return Run(code, _json_object(stdout), stdout, err.decode(errors="replace"), seconds)


def kill(process: asyncio.subprocess.Process) -> None:
    """The client and the commands it runs, at once and without a chance to say goodbye."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _json_object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
