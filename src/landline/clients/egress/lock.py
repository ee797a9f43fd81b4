"""The other end of `inside.py`: starts it, tells it what to do, and answers on the sockets that it opened.

A listening socket belongs to the namespace that it was made in, whoever holds it: handed out over a Unix socket, it
lets this process answer in there, and no process of ours stays inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from landline.clients.child import run_client
from landline.clients.egress import sockets
from landline.clients.egress.destinations import Destination
from landline.errors import SettingsError

_ANSWER_TIMEOUT_S = 30.0
_LONGEST_ANSWER = 65_536
_OTHERWISE = "Without the kernel: --egress proxy-only refuses what asks the proxy, and says that this is not enforced."

Answering = Callable[[list[socket.socket]], contextlib.AbstractAsyncContextManager[None]]


class Answer(msgspec.Struct, frozen=True):
    """What comes back from inside: the ports, in the order asked for, or why not."""

    ports: tuple[int, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What the client gets inside. `keep`: paths that must still be there."""

    listen: Sequence[tuple[str, int]]
    cwd: Path
    keep: Sequence[Path]
    hide: Sequence[str] = ()
    argv: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def encoded(self) -> bytes:
        whole: dict[str, Any] = {"listen": self.listen, "cwd": str(self.cwd), "keep": [str(one) for one in self.keep]}
        return json.dumps(whole | {"hide": self.hide, "argv": self.argv, "env": self.env}).encode()


def hidden_paths(environ: Mapping[str, str], home: Path) -> list[str]:
    """What of this machine is hidden. Looked at from outside: inside, the list of sockets is another one."""
    try:
        table = Path("/proc/net/unix").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        table = ""
    return sockets.hidden(table, environ, uid=os.geteuid(), home=str(home))


def inside_addresses(gateway: Destination) -> list[tuple[str, int]]:
    """Where the gateway is found in there: at the same address as outside, so that nothing else needs to be told."""
    return [("127.0.0.1" if gateway.host == "localhost" else gateway.host, gateway.port)]


def check(cell: Cell) -> None:
    """Try everything but the client. Raises SettingsError with the reason where the kernel does not hold it."""
    if not sys.platform.startswith("linux"):
        _refuse(f"{sys.platform} has no network namespaces")
    with _pair() as (near, far):
        command = _command(far)
        process = subprocess.Popen(command, pass_fds=(far.fileno(),), stdin=subprocess.DEVNULL)
        far.close()
        near.sendall(cell.encoded())
        near.shutdown(socket.SHUT_WR)
        answer, descriptors = _received(near)
        for descriptor in descriptors:
            os.close(descriptor)
        process.wait()
    if answer.refused:
        _refuse(answer.refused)


async def run_locked(cell: Cell, answering: Answering) -> int:
    """Run the client in the cell to its end. `answering` gets the listening sockets, in the order of `cell.listen`."""
    with _pair() as (near, far):
        talk = asyncio.create_task(asyncio.to_thread(_converse, near, cell))
        serving = asyncio.create_task(_serve(talk, answering))
        try:
            code = await run_client(_command(far), os.environ, pass_fds=(far.fileno(),))
        finally:
            far.close()  # ends a conversation that the other side never began
            await asyncio.wait([talk])
            serving.cancel()
            await asyncio.wait([serving])
        talk.result()
    return code


async def _serve(talk: asyncio.Task[list[socket.socket]], answering: Answering) -> None:
    async with answering(await asyncio.shield(talk)):
        await asyncio.Event().wait()  # until it is cancelled


def _converse(near: socket.socket, cell: Cell) -> list[socket.socket]:
    near.sendall(cell.encoded())
    near.shutdown(socket.SHUT_WR)
    answer, descriptors = _received(near)
    if answer.refused:
        _refuse(answer.refused)
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def _received(near: socket.socket) -> tuple[Answer, list[int]]:
    try:
        content, descriptors, _, _ = socket.recv_fds(near, _LONGEST_ANSWER, 8)
        answer = msgspec.json.decode(content, type=Answer)
    except (OSError, msgspec.DecodeError):
        return Answer(refused="the process that shuts the namespace gave no answer"), []
    return answer, descriptors


@contextlib.contextmanager
def _pair() -> Generator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.settimeout(_ANSWER_TIMEOUT_S)
    with near, far:
        yield near, far


def _command(far: socket.socket) -> list[str]:
    return [sys.executable, "-P", "-m", "landline.clients.egress.inside", str(far.fileno())]


def _refuse(why: str) -> NoReturn:
    raise SettingsError(f"--egress lock cannot be held on this machine: {why}.", hint=f"{_hint(why)}{_OTHERWISE}")


def _hint(why: str) -> str:
    """What whoever manages the machine can change."""
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restricted.exists() and restricted.read_text(encoding="ascii").strip() == "1":
        return (
            "This kernel lets AppArmor forbid user namespaces (kernel.apparmor_restrict_unprivileged_userns); an "
            "AppArmor profile with `userns,` for this Python permits them. "
        )
    if why.startswith("unshare"):
        return "In a container, its runtime must permit unshare (seccomp, user namespaces). "
    return ""
