"""Codex, OpenCode and Qwen Code, headless, each as a user would who set the gateway as its provider.

Every run gets a home of its own and an environment of its own; whatever it sends beside the gateway meets a proxy that
refuses. Must not know what answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.claude import NOWHERE, kill
from tests.clients.npm_clients import CODEX, OPENCODE, QWEN_CODE

MODEL = "local-model"
TIMEOUT_S = 240.0
WINDOW = 131_072
CODEX_CONFIG = """\
model = "{model}"
model_provider = "landline"
model_context_window = {window}
[model_providers.landline]
name = "landline"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "LANDLINE_KEY"
[analytics]
enabled = false
"""
Call = tuple[str, dict[str, Any], str]


@dataclass(frozen=True)
class Setup:
    """What a client is told: where the gateway is, and how long the window."""

    url: str
    prompt: str = "do the task"
    model: str = MODEL
    window: int = WINDOW
    output: int = 8_192


@dataclass(frozen=True)
class Run:
    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def said(self) -> str:
        """All that the user sees."""
        return f"{self.stdout}\n{self.stderr}"

    @property
    def explained(self) -> str:
        """For the message of a failed assertion."""
        return f"exit {self.exit_code} after {self.seconds:.1f} s\n{self.stdout[-2000:]}\n{self.stderr[-3000:]}"


@dataclass(frozen=True)
class Agent:
    """One client. `write` and `execute` are its tools' calls; `start` gives its command and its own environment."""

    name: str
    path: str
    write: Callable[[Path, str], Call]
    execute: Callable[[str], Call]
    start: Callable[[Path, Setup], tuple[list[str], dict[str, str]]]

    @contextlib.asynccontextmanager
    async def started(self, root: Path, setup: Setup) -> AsyncIterator[asyncio.subprocess.Process]:
        """The running client, which is killed with all its children at the end, if it still runs."""
        for folder in (root / "project", root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        command, own = self.start(root, setup)
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=root / "project",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(root),
                "TMPDIR": str(root / "tmp"),
                "TERM": "xterm",
                "LANG": "C.UTF-8",
                **own,
            },
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

    async def run(self, root: Path, setup: Setup, *, timeout_s: float = TIMEOUT_S) -> Run:
        """Runs to the end. Raises TimeoutError when it takes longer than `timeout_s`."""
        begun = time.monotonic()
        async with self.started(root, setup) as process:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate()
            code = process.returncode
            assert code is not None
        seconds = time.monotonic() - begun
        return Run(code, out.decode(errors="replace"), err.decode(errors="replace"), seconds)


def start_codex(root: Path, setup: Setup) -> tuple[list[str], dict[str, str]]:
    home = root / "codex"
    home.mkdir(exist_ok=True)
    config = CODEX_CONFIG.format(model=setup.model, url=setup.url, window=setup.window)
    (home / "config.toml").write_text(config)
    options = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    own = {"CODEX_HOME": str(home), "LANDLINE_KEY": "dummy", **_nowhere()}
    return [str(CODEX.path()), "exec", *options, setup.prompt], own


def start_opencode(root: Path, setup: Setup) -> tuple[list[str], dict[str, str]]:
    options = {"baseURL": f"{setup.url}/v1", "apiKey": "dummy"}
    limit = {"context": setup.window, "output": setup.output}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {setup.model: {"limit": limit}}}
    config: dict[str, Any] = {
        "model": f"own/{setup.model}",
        "small_model": f"own/{setup.model}",
        "autoupdate": False,
        "provider": {"own": provider},
    }
    (root / "project" / "opencode.json").write_text(json.dumps(config))
    return [str(OPENCODE.path()), "run", setup.prompt], dict(_nowhere())


def start_qwen_code(root: Path, setup: Setup) -> tuple[list[str], dict[str, str]]:
    """With a proxy set it would tunnel even 127.0.0.1 through it, so it gets none."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    own = {"OPENAI_API_KEY": "dummy", "OPENAI_BASE_URL": f"{setup.url}/v1", "OPENAI_MODEL": setup.model}
    return [node, str(QWEN_CODE.path()), "-y", "--auth-type", "openai", setup.prompt], own


def _nowhere() -> Mapping[str, str]:
    return {"HTTPS_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1,localhost"}


AGENTS = {
    "codex": Agent(
        "codex",
        "/v1/responses",
        lambda file, text: ("exec_command", {"cmd": f"printf '%s' '{text}' > {file.name}"}, ""),
        lambda command: ("exec_command", {"cmd": command}, ""),
        start_codex,
    ),
    "opencode": Agent(
        "opencode",
        "/v1/chat/completions",
        lambda file, text: ("write", {"filePath": str(file), "content": text}, ""),
        lambda command: ("bash", {"command": command, "description": "a step"}, ""),
        start_opencode,
    ),
    "qwen_code": Agent(
        "qwen_code",
        "/v1/chat/completions",
        lambda file, text: ("write_file", {"file_path": str(file), "content": text}, ""),
        lambda command: ("run_shell_command", {"command": command, "is_background": False}, ""),
        start_qwen_code,
    ),
}
