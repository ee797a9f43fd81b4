"""Runs a client in the foreground: its terminal is ours, its signals are passed on, its exit code is returned."""

from __future__ import annotations

import asyncio
import signal
import sys
import termios
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from landline.errors import SettingsError

_FORWARDED = (signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128  # a shell's convention: 128 + number of the signal that ended the program


async def run_client(
    argv: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None, pass_fds: Sequence[int] = ()
) -> int:
    """Run `argv` with our terminal until it ends, in `cwd` or where we are; it inherits `pass_fds` and no other file.

    SIGTERM and SIGHUP reach it; SIGINT it gets from the terminal.

    The handlers are Python's own, not SIG_IGN: that would be inherited, and the client could not be interrupted.
    """
    with _terminal_restored():
        try:
            process = await asyncio.create_subprocess_exec(*argv, env=dict(env), cwd=cwd, pass_fds=pass_fds)
        except OSError as error:
            raise SettingsError(f"{argv[0]} could not be started: {error.strerror}.") from error
        with _signals_passed_to(process):
            code = await _ended(process)
    return _SIGNALLED - code if code < 0 else code


async def _ended(process: asyncio.subprocess.Process) -> int:
    try:
        return await process.wait()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise


@contextmanager
def _signals_passed_to(process: asyncio.subprocess.Process) -> Generator[None]:
    loop = asyncio.get_running_loop()

    def forward(number: int) -> None:
        if process.returncode is None:
            process.send_signal(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *_FORWARDED)}
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    for number in _FORWARDED:
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


@contextmanager
def _terminal_restored() -> Generator[None]:
    """A client that is killed leaves the terminal without echo; give it back as it was."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
