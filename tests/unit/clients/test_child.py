"""Running a client in the foreground: exit codes, signals, a program that cannot start. Real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from landline.clients.child import run_client
from landline.errors import SettingsError

ENV = {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
)
async def test_the_exit_code_is_the_clients(script: str, code: int):
    assert await run_client([sys.executable, "-c", script], ENV) == code


async def test_the_environment_is_the_given_one_only(tmp_path: Path):
    script = f"import os; open({str(tmp_path / 'out')!r}, 'w').write(','.join(sorted(os.environ)))"
    await run_client([sys.executable, "-c", script], {"ONLY": "1", "LC_CTYPE": "C.UTF-8"})
    assert (tmp_path / "out").read_text() == "LC_CTYPE,ONLY"


async def ready(path: Path) -> None:
    async with asyncio.timeout(10):
        while not path.exists():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_that_asks_us_to_end_reaches_the_client(tmp_path: Path, number: signal.Signals):
    mark = tmp_path / "ready"
    script = (
        "import signal, sys, time, pathlib\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(5))\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "time.sleep(20)"
    )
    before = signal.getsignal(number)
    running = asyncio.create_task(run_client([sys.executable, "-c", script], ENV))
    await ready(mark)
    os.kill(os.getpid(), number)
    assert await running == 5
    assert signal.getsignal(number) == before


async def test_an_interrupt_is_left_to_the_client_which_can_receive_it(tmp_path: Path):
    mark = tmp_path / "ready"
    script = (
        "import signal, sys, time, pathlib\n"
        "inherited = signal.getsignal(signal.SIGINT)\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "time.sleep(0.3)\n"
        "sys.exit(3 if inherited is signal.default_int_handler else 4)"
    )
    before = signal.getsignal(signal.SIGINT)
    running = asyncio.create_task(run_client([sys.executable, "-c", script], ENV))
    await ready(mark)
    os.kill(os.getpid(), signal.SIGINT)
    assert await running == 3
    assert signal.getsignal(signal.SIGINT) == before


async def test_a_cancelled_launch_ends_its_client(tmp_path: Path):
    mark = tmp_path / "pid"
    script = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(20)"
    running = asyncio.create_task(run_client([sys.executable, "-c", script], ENV))
    await ready(mark)
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


async def test_a_program_that_cannot_start_is_said_so(tmp_path: Path):
    with pytest.raises(SettingsError, match="could not be started"):
        await run_client([str(tmp_path / "absent")], ENV)
