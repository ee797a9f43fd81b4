"""What a command under a client tries to get out: run by the client's own shell tool, it prints what became of each.

Standard library only; argv: a port of loopback outside, and paths of Unix sockets outside. Nothing here may raise.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

TIMEOUT_S = 3.0
TIOCSTI, CLONE_NEWNET, CLONE_NEWUSER, IO_URING_SETUP = 0x5412, 0x40000000, 0x10000000, 425


def tcp(host: str, port: int) -> str:
    with socket.create_connection((host, port), TIMEOUT_S) as one:
        return one.recv(100).decode()


def datagram() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"out", ("192.0.2.1", 53))
        return "sent"


def family(number: int, kind: int = socket.SOCK_STREAM) -> str:
    socket.socket(number, kind).close()
    return "opened"


def unix(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(TIMEOUT_S)
        one.connect(path)
        return one.recv(100).decode()


def names() -> str:
    return str(socket.getaddrinfo("example.org", 443)[0][4][0])


def program() -> str:
    """A child of the command, with no proxy in its environment and in a session of its own."""
    code = f"import socket; socket.create_connection(('127.0.0.1', {sys.argv[1]}), 3); print('connected')"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, start_new_session=True, timeout=20)
    return "connected" if done.returncode == 0 else done.stderr.decode().splitlines()[-1]


def typing() -> str:
    fcntl.ioctl(0, TIOCSTI, b"x")
    return "typed"


def parents_network() -> str:
    """The namespace of a process outside, through its files."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open("/proc/1/ns/net", os.O_RDONLY)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    return "entered"


def ring() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(IO_URING_SETUP, 1, ctypes.create_string_buffer(120)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    return "opened"


def keys() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 249, "aarch64": 218}[platform.machine()]
    if libc.syscall(number, b"dns_resolver", b"example.org", b"", 0) < 0:
        raise OSError(ctypes.get_errno(), "request_key")
    return "found"


def rights() -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    wanted = ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp:")
    return " ".join(" ".join(line.split()) for line in lines if line.startswith(wanted))


def interfaces() -> str:
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return " ".join(line.partition(":")[0].strip() for line in lines)


def routes() -> str:
    return " ".join(line.split()[0] for line in Path("/proc/net/route").read_text().splitlines()[1:])


def tried(attempt: Callable[[], str]) -> str:
    try:
        return attempt()
    except Exception as error:  # noqa: BLE001 - whatever stops it is the answer
        return f"{type(error).__name__}: {error}"


def main() -> None:
    port, *paths = sys.argv[1:]
    attempts: dict[str, Callable[[], str]] = {
        "interfaces": interfaces,
        "routes": routes,
        "rights": rights,
        "loopback": lambda: tcp("127.0.0.1", int(port)),
        "address": lambda: tcp("192.0.2.1", 443),
        "address6": lambda: tcp("2001:db8::1", 443),
        "datagram": datagram,
        "names": names,
        "program": program,
        "packets": lambda: family(socket.AF_PACKET, socket.SOCK_RAW),
        "raw": lambda: str(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
        "vsock": lambda: family(40),
        "ring": ring,
        "keys": keys,
        "typing": typing,
        "parents_network": parents_network,
        "root": lambda: str(list(Path("/proc/1/root").iterdir())),
    }
    attempts |= {path: (lambda path=path: unix(path)) for path in paths}
    print(json.dumps({name: tried(attempt) for name, attempt in attempts.items()}))


if __name__ == "__main__":
    main()
