"""The first process in the namespaces: shuts everything but loopback, then becomes the client.

Run as `python -m landline.clients.egress.inside FD`. Reads what to do from that socket, gives back the listening
sockets that it opened in there (whoever is outside answers on them), and starts the client in its own place, so that
terminal, signals and exit code are the client's. Without a client it only tries. Standard library, and two neighbours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from landline.clients.egress import kernel, sockets

EXIT_REFUSED = 126
_MOST_LOOKED_AT = 20_000  # entries of a folder in /run, until it is taken for one that holds sockets
_BACKLOG = 512
_QUIET = kernel.MS_NOSUID | kernel.MS_NODEV


def main(descriptor: int) -> int:
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python's own ways with these would be inherited by the client
    os.set_inheritable(descriptor, False)
    with socket.socket(fileno=descriptor) as control:
        wanted = json.loads(_everything(control))
        try:
            listeners = shut(wanted)
        except OSError as error:
            control.sendall(json.dumps({"refused": error.strerror or str(error)}).encode())
            return EXIT_REFUSED
        told = {"ports": [one.getsockname()[1] for one in listeners]}
        socket.send_fds(control, [json.dumps(told).encode()], [one.fileno() for one in listeners])
    return _become(wanted["argv"], wanted["env"])


def _become(argv: list[str], env: dict[str, str]) -> int:
    if not argv:
        return 0
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - the client, with the arguments that its user gave
    except OSError as error:
        sys.stderr.write(f"landline: {argv[0]} could not be started: {error.strerror}.\n")
    return EXIT_REFUSED


def _everything(control: socket.socket) -> bytes:
    return b"".join(iter(lambda: control.recv(65_536), b""))


def shut(wanted: dict[str, Any]) -> list[socket.socket]:
    """Raises OSError for what the kernel does not give; nothing may be started then."""
    kernel.new_namespaces()
    kernel.loopback_up()
    listeners = list(_listeners(wanted["listen"]))
    hide(wanted["hide"], wanted["keep"])
    if os.geteuid() == 0:  # root could have the kernel start programs outside, by writing their name there
        for folder in ("/proc/sys", "/sys"):
            kernel.read_only(folder)
    _check_kept([*wanted["keep"], wanted["cwd"]])
    os.chdir(wanted["cwd"])
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    kernel.filter_calls()
    return listeners


def _listeners(addresses: list[list[Any]]) -> Iterator[socket.socket]:
    for host, port in addresses:
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        one.bind((host, port))
        one.listen(_BACKLOG)
        yield one


def _check_kept(keep: list[str]) -> None:
    for path in keep:
        if not Path(path).exists():
            raise OSError(f"{path} is in a folder that lock hides; use another one (TMPDIR for temporary files)")


# --------------------------------------------------------------------------------------------------------- hiding


def hide(paths: list[str], keep: list[str]) -> None:
    """Whole folders first: what is in them is gone with them."""
    for folder in map(Path, sockets.RUN_FOLDERS):
        if folder.is_dir() and not folder.is_symlink():
            replace_run(folder)
    resolved = [Path(os.path.realpath(path)) for path in paths]
    whole = {sockets.whole_folder(str(path), _only_sockets(path), keep) for path in resolved}
    for path in sorted(whole, key=len):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            _cover(path)


def _cover(path: str) -> None:
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        kernel.mount("tmpfs", path, "tmpfs", _QUIET, f"mode={stat.S_IMODE(mode):o}")
    elif stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):
        kernel.mount("/dev/null", path, "", kernel.MS_BIND)


def _only_sockets(path: Path) -> bool:
    """Whether `path` is a socket among sockets."""
    try:
        return _is_socket(path) and all(map(_is_socket, path.parent.iterdir()))
    except OSError:
        return False


def replace_run(folder: Path) -> None:
    """An empty one in its place, with everything again that holds no socket: what services make there later does not
    show."""
    kept = [path for path in folder.iterdir() if not _holds_socket(path)]
    links = {path: path.readlink() for path in kept if path.is_symlink()}
    opened = {path: os.open(path, os.O_PATH | os.O_NOFOLLOW) for path in kept if path not in links}
    kernel.mount("tmpfs", str(folder), "tmpfs", _QUIET, "mode=755")
    for path, target in links.items():
        path.symlink_to(target)
    for path, descriptor in opened.items():
        _put_back(path, os.fstat(descriptor).st_mode, descriptor)
        os.close(descriptor)
    (folder / "user").mkdir(exist_ok=True)
    (folder / "user" / str(os.geteuid())).mkdir(mode=0o700, exist_ok=True)


def _put_back(path: Path, mode: int, descriptor: int) -> None:
    if stat.S_ISDIR(mode):
        path.mkdir()
    elif stat.S_ISREG(mode):
        path.touch()
    else:
        return
    kernel.mount(f"/proc/self/fd/{descriptor}", str(path), "", kernel.MS_BIND | kernel.MS_REC)


def _holds_socket(path: Path) -> bool:
    """Also where that cannot be told (a folder that may not be read, or is too large), and where one will be."""
    if path.name in sockets.NEVER_COPIED:
        return True
    if path.is_symlink() or not path.is_dir():
        return _is_socket(path)
    looked_at = 0
    unreadable: list[OSError] = []
    for folder, folders, files in os.walk(path, onerror=unreadable.append):
        looked_at += len(folders) + len(files)
        if unreadable or looked_at > _MOST_LOOKED_AT or any(_is_socket(Path(folder, name)) for name in files):
            return True
    return bool(unreadable)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
