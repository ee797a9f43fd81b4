"""What a client asks first, as it comes out of the real program: it is pointed at a port of ours, and refused there.

Blocking. Nothing it sends leaves this machine, and no model is asked. Must not know what is looked for in a request.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from landline.errors import ErrorKind, LandlineError

TIMEOUT_S = 60.0
LARGEST_BODY = 32 * 1024 * 1024  # bytes
# After 402 the client neither asks again nor changes its request (2.1.197 and 2.1.329).
_REFUSAL = json.dumps(
    {"type": "error", "error": {"type": "billing_error", "message": "landline has seen the request"}}
).encode()

Body = dict[str, Any]


@dataclass
class Trap:
    """Where the client is pointed. `first` is the first request that offers tools."""

    url: str = ""
    first: Body | None = None

    def take(self, data: bytes) -> None:
        try:
            body: object = json.loads(data)
        except (ValueError, RecursionError):
            return
        if self.first is None and isinstance(body, dict) and cast("Body", body).get("tools"):
            self.first = cast("Body", body)


def first_request(command: Callable[[str], tuple[Sequence[str], Mapping[str, str]]], *, cwd: Path) -> Body:
    """The first request with tools of the client that `command` starts, given the address to point it at.

    `command` gives arguments and environment. Raises LandlineError where none came.
    """
    with _trap() as trap:
        argv, env = command(trap.url)
        try:
            process = subprocess.Popen(
                argv,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise LandlineError(ErrorKind.INTERNAL, f"{argv[0]} could not be started: {error.strerror}.") from error
        said = _ended(process)
    if trap.first is None:
        raise LandlineError(
            ErrorKind.INTERNAL,
            f"The client sent no request; it said: {' '.join(said.split())[-300:] or 'nothing'}",
            hint="Does it run by itself? `landline doctor` looks for what is wrong in its settings.",
        )
    return trap.first


def _ended(process: subprocess.Popen[bytes]) -> str:
    with process:
        try:
            out, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    return out.decode(errors="replace")


@contextmanager
def _trap() -> Generator[Trap]:
    trap = Trap()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def log_message(self, format: str, *args: object) -> None:
            pass  # what a client sends is nobody's to log

        def do_HEAD(self) -> None:
            self._give(200, b"")

        def do_GET(self) -> None:
            self._give(200, b"{}")

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdecimal() or int(length) > LARGEST_BODY:
                self._give(400, b"{}")
                return
            trap.take(self.rfile.read(int(length)))
            self._give(402, _REFUSAL)

        def _give(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    trap.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield trap
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
