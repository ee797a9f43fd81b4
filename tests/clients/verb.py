"""`landline launch claude` as a process of its own, over a temporary HOME."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from landline.clients.install import ClientProgram


@dataclass(frozen=True)
class Verb:
    """The verb over a temporary HOME; the client is the only `claude` on its PATH."""

    home: Path
    program: ClientProgram

    def environ(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        programs = self.home / "bin"
        programs.mkdir(exist_ok=True)
        if not (programs / "claude").exists():
            (programs / "claude").symlink_to(self.program.path)
        scratch = self.home / "scratch"
        scratch.mkdir(exist_ok=True)
        base = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(self.home), "TMPDIR": str(scratch)}
        base |= {"HTTPS_PROXY": "http://127.0.0.1:9", "LANG": "C.UTF-8", "CLAUDE_CODE_MAX_RETRIES": "0"}
        base |= {"TERM": "xterm-256color", "CLAUDE_CODE_TMPDIR": str(scratch)}
        return base | dict(extra or {})

    async def start(self, *args: str, **environ: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "landline", "launch", "claude", *args,
            cwd=self.home, env=self.environ(environ),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, *args: str, **environ: str) -> tuple[int, str, str]:
        process = await self.start(*args, **environ)
        out, err = await asyncio.wait_for(process.communicate(), 40)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    @property
    def left_over(self) -> list[str]:
        return [path.name for path in (self.home / "scratch").glob("landline-*")]
