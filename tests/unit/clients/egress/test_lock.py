"""The namespace with real processes in it; what clients find there is in tests/clients/test_egress.py."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from landline.clients.egress import kernel, lock
from landline.clients.egress.destinations import Destination, Mode
from landline.clients.egress.line import Line, check_lock, opened, planned
from landline.errors import SettingsError
from tests.fakes.outside import BODY, door
from tests.fixtures_real import clients_required

pytestmark = pytest.mark.timeout(120)
HOME_SOCKET = Path(".docker/run/docker.sock")


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    """Skips where the kernel gives none; in CI that is a failure."""
    try:
        lock.check(lock.Cell(listen=[("127.0.0.1", 1024)], cwd=Path("/"), keep=[]))
    except SettingsError as error:
        if clients_required():
            raise
        pytest.skip(error.text)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eg-") as folder:
        yield Path(folder)


@contextlib.asynccontextmanager
async def line(home: Path, *, gateway: int, allow: tuple[str, ...] = (), **environ: str) -> AsyncIterator[Line]:
    plan = planned("claude", Mode.LOCK, allow=allow, environ=dict(os.environ) | environ)
    async with opened(plan, base_url=f"http://127.0.0.1:{gateway}", keep=[home], tell=lambda text: None) as one:
        yield one


async def inside(one: Line, home: Path, code: str, *args: str) -> Any:
    """What that Python says in there, by the file that its last argument names."""
    told = home / "told.json"
    argv = [sys.executable, "-c", f"import json, os, socket, sys\n{code}", *args, str(told)]
    status = await one.run(argv, {"PATH": os.environ["PATH"]}, cwd=home, home=home)
    assert status == 0
    return json.loads(told.read_text())


CONNECT = """
def answer(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(3)
        try:
            one.connect(path)
            return one.recv(100).decode()
        except OSError as error:
            return type(error).__name__
def tell(value):
    open(sys.argv[-1], "w").write(json.dumps(value))
"""


async def test_the_gateway_answers_where_it_does_outside_and_the_exit_code_is_the_clients(home: Path):
    async with door() as gateway, line(home, gateway=gateway.port) as one:
        code = "one = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3)\ntell(one.recv(100).decode())"
        assert await inside(one, home, CONNECT + code, str(gateway.port)) == BODY.decode()
        status = await one.run([sys.executable, "-c", "raise SystemExit(7)"], {}, cwd=home, home=home)
        assert (status, gateway.came, one.tried.attempts) == (7, 1, 0)
        status = await one.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], {}, cwd=home, home=home)
        assert status == 128 + 9


async def test_a_socket_that_is_made_anew_in_a_known_folder_stays_hidden(home: Path):
    """Docker that starts again unlinks its socket and binds a new one: a cover over the file alone would be gone."""
    path = home / HOME_SOCKET
    code = """
before = answer(sys.argv[1])
open(sys.argv[2], "w").close()
import time
while os.path.exists(sys.argv[2]):
    time.sleep(0.02)
tell([before, answer(sys.argv[1])])
"""

    async def made_anew(flag: Path) -> None:
        while not flag.exists():
            await asyncio.sleep(0.02)
        path.unlink()
        with socket.socket(socket.AF_UNIX) as fresh:
            fresh.bind(str(path))
            fresh.listen(1)
            flag.unlink()
            await asyncio.sleep(1)

    flag = home / "flag"
    async with door(path) as docker, door() as gateway, line(home, gateway=gateway.port) as one:
        again = asyncio.create_task(made_anew(flag))
        told = await inside(one, home, CONNECT + code, str(path), str(flag))
        await again
        assert docker.came == 0
    assert told == ["FileNotFoundError", "FileNotFoundError"]


async def test_what_is_hidden_cannot_be_uncovered_by_a_namespace_of_ones_own(home: Path):
    path = home / HOME_SOCKET
    code = """
import subprocess
cover = os.path.dirname(sys.argv[1])
commands = [f"umount {cover}", f"umount -l {cover}", f"mount --bind {os.path.dirname(cover)} /mnt; ls /mnt/run/*"]
done = [subprocess.run(["unshare", "-Urm", "sh", "-c", one], capture_output=True).returncode for one in commands]
tell([done, answer(sys.argv[1])])
"""
    assert shutil.which("unshare")
    async with door(path) as docker, door() as gateway, line(home, gateway=gateway.port) as one:
        codes, answered = await inside(one, home, CONNECT + code, str(path))
        assert 0 not in codes
        assert (answered, docker.came) == ("FileNotFoundError", 0)


async def test_run_has_no_socket_and_a_private_folder(home: Path):
    code = """
import stat
found = [os.path.join(folder, name) for folder, _, files in os.walk("/run") for name in files]
own = f"/run/user/{os.geteuid()}"
tell([[one for one in found if stat.S_ISSOCK(os.lstat(one).st_mode)], oct(os.stat(own).st_mode), os.listdir(own)])
"""
    async with door() as gateway, line(home, gateway=gateway.port) as one:
        assert await inside(one, home, CONNECT + code) == [[], "0o40700", []]


async def test_the_allow_list_holds_in_there_by_the_proxy_alone(home: Path):
    code = """
import urllib.request
from urllib.error import HTTPError
def got(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": sys.argv[1]}))
    try:
        return opener.open(url, timeout=5).read().decode()
    except HTTPError as error:
        return [error.code, error.read().decode()]
tell([got(sys.argv[2]), got(sys.argv[3])])
"""
    async with door() as gateway, door(speaks_http=True) as far:
        allowed = (f"127.0.0.1:{far.port}",)
        async with line(home, gateway=gateway.port, allow=allowed) as one:
            proxy = one.forced["HTTP_PROXY"]
            urls = (f"http://127.0.0.1:{far.port}/", f"http://127.0.0.1:{far.port + 1}/")
            let_through, refused = await inside(one, home, CONNECT + code, proxy, *urls)
            assert let_through == BODY.decode()
            assert refused[0] == 403
            assert "--egress-allow 127.0.0.1" in refused[1]
            assert far.came == 1
            assert [to.port for to in one.tried.by_destination] == [far.port + 1]


async def test_a_client_that_is_not_there_and_a_folder_that_would_be_hidden(home: Path, capfd: Any):
    async with door() as gateway, line(home, gateway=gateway.port) as one:
        assert await one.run(["/no/such/client"], {}, cwd=home, home=home) == 126
        assert "/no/such/client could not be started" in capfd.readouterr().err
    hidden = home / "runtime"
    (hidden / "project").mkdir(parents=True)
    async with door() as gateway, line(home, gateway=gateway.port, XDG_RUNTIME_DIR=str(hidden)) as one:
        with pytest.raises(SettingsError, match="is in a folder that lock hides"):
            await one.run([sys.executable, "-c", ""], {}, cwd=hidden / "project", home=home)


def test_a_gateway_elsewhere_is_refused_and_a_missing_path_too(home: Path):
    plan = planned("claude", Mode.LOCK, allow=(), environ={})
    with pytest.raises(SettingsError, match="needs a gateway on this machine"):
        check_lock(plan, base_url="http://gpu-box:4000", cwd=home, keep=[])
    with pytest.raises(SettingsError, match=r"cannot be held on this machine: .* is in a folder that lock hides"):
        check_lock(plan, base_url="http://127.0.0.1:4000", cwd=home, keep=[home / "gone"])


def test_machines_whose_calls_are_not_known_are_refused():
    assert len(kernel.filter_program("x86_64")) == len(kernel.filter_program("aarch64"))
    with pytest.raises(OSError, match="no filter is known for the machine riscv64") as raised:
        kernel.filter_program("riscv64")
    assert raised.value.errno == errno.ENOSYS


def test_the_gateway_keeps_its_address():
    assert lock.inside_addresses(Destination("localhost", 4000)) == [("127.0.0.1", 4000)]
    assert lock.inside_addresses(Destination("127.0.0.5", 4000)) == [("127.0.0.5", 4000)]
    assert lock.inside_addresses(Destination("::1", 4000)) == [("::1", 4000)]
