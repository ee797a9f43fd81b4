"""A program on a terminal of its own: what is typed, and what it has written so far."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROWS, COLUMNS = 50, 200
_CODES = re.compile(r"\x1b(\[[0-9;?>=<]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")
_SPACES = re.compile(r"\s+")


@dataclass
class Screen:
    descriptor: int
    process: subprocess.Popen[bytes]
    written: bytes = b""

    @property
    def text(self) -> str:
        """All that was ever written, without spaces: a full-screen program moves the cursor in their place."""
        return _SPACES.sub("", _CODES.sub("", self.written.decode(errors="replace")))

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    async def shows(self, text: str, *, timeout_s: float = 30) -> None:
        wanted = _SPACES.sub("", text)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while wanted not in self.text:
            assert loop.time() < end, f"{text!r} did not appear:\n{self.text[-3000:]}"
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.text[-3000:]}"
            await asyncio.sleep(0.05)

    async def ends_with_words(self, text: str, *, timeout_s: float = 30) -> None:
        """It ends by itself, and has written this."""
        async with asyncio.timeout(timeout_s):
            while self.process.poll() is None:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)  # what it wrote last is read by the loop
        assert _SPACES.sub("", text) in self.text, self.text[-3000:]

    def take(self) -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            self.written += os.read(self.descriptor, 65_536)


@contextlib.asynccontextmanager
async def on_screen(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> AsyncIterator[Screen]:
    """The running program; at the end its whole session is killed."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(env), cwd=cwd, start_new_session=True
    )
    os.close(theirs)
    screen = Screen(ours, process)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, screen.take)
    try:
        yield screen
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        loop.remove_reader(ours)
        os.close(ours)
