"""`landline serve` as a process of its own, with a temporary HOME, for what only a process shows."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.gateway_client import GatewayClient, until

ADDRESS = re.compile(r"landline listens on (https?://127\.0\.0\.1:\d+)")
START_S = 20


def environment(home: Path) -> dict[str, str]:
    """Nothing of the user's: no settings, no keys, no proxies."""
    return {"HOME": str(home), "PATH": os.environ["PATH"]}


@dataclass
class Served:
    """A running gateway; `client` calls it."""

    process: asyncio.subprocess.Process
    client: GatewayClient
    log_file: Path
    settings: Path

    def stderr(self) -> str:
        return self.log_file.read_text()

    def signal(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def stop(self) -> int:
        """Ends it as a service manager does; its exit code."""
        if self.process.returncode is None:
            self.signal()
        async with asyncio.timeout(START_S):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def served(
    backend: str, home: Path, *arguments: str, settings: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Served]:
    """Starts the gateway on a free port and waits until it answers; ends it by force if the test did not."""
    config, log = home / "landline-under-test.toml", home / "stderr.log"
    config.write_text(settings)
    command = (sys.executable, "-m", "landline", "serve", "--config", str(config), "--port", "0", "--backend", backend)
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, env=environment(home), cwd=home, stdout=out, stderr=out
        )
    try:
        await until(lambda: bool(ADDRESS.search(log.read_text())) or process.returncode is not None, timeout_s=START_S)
        found = ADDRESS.search(log.read_text())
        assert found, log.read_text()
        client = GatewayClient(found[1], tls=tls)
        await _answers(client)
        yield Served(process, client, log, config)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answers(client: GatewayClient) -> None:
    async with asyncio.timeout(START_S):
        while not await _is_up(client):
            await asyncio.sleep(0.02)


async def _is_up(client: GatewayClient) -> bool:
    try:
        return (await client.call("GET", "/health")).status == 200
    except OSError:
        return False


async def run_serve(home: Path, *arguments: str) -> tuple[int, str]:
    """Runs it to its own end; exit code and everything it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "landline", "serve", *arguments),
        env=environment(home),
        cwd=home,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(START_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
    assert process.returncode is not None
    return process.returncode, out.decode()
