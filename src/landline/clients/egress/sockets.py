"""What leads out of a network namespace although it is no network: sockets in the file system. Pure.

A program that is asked through one of these (Docker, D-Bus, an agent, a terminal multiplexer, a resolver) does the
asking's work outside. Whole folders are hidden where they are known: a socket that is hidden by itself shows again when
its owner removes it and makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

# Replaced by copies without what holds sockets.
RUN_FOLDERS = ("/run", "/var/run")
# Never copied: their owners make sockets there when they start, which may be later.
NEVER_COPIED = frozenset(
    {"user", "dbus", "systemd", "docker", "containerd", "podman", "crio", "libvirt", "snapd", "nscd", "screen", "WSL"}
)

_IN_HOME = (
    *(".docker/run", ".docker/desktop", ".colima", ".lima", ".rd", ".orbstack/run"),
    *(".ssh/agent", ".gnupg/S.gpg-agent", ".gnupg/S.gpg-agent.ssh", ".gnupg/S.gpg-agent.extra", ".1password"),
    *(".screen", ".local/share/containers/podman/machine"),
)
_ELSEWHERE = ("/dev/log", "/dev/vsock")
_IN_TMP = (".X11-unix", ".ICE-unix", "tmux-{uid}", "screens")
_TMP = "/tmp"  # noqa: S108 - where others put theirs; nothing is written

# Variables that name such a socket, or a service behind one. With the socket gone they would only mislead.
VARIABLES = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINERD_ADDRESS", "BUILDKIT_HOST", "PODMAN_HOST"),
    *("DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "AT_SPI_BUS_ADDRESS", "SSH_AUTH_SOCK", "SSH_AGENT_PID"),
    *("GPG_AGENT_INFO", "GNOME_KEYRING_CONTROL", "TMUX", "TMUX_PANE", "STY", "KITTY_LISTEN_ON", "ALACRITTY_SOCKET"),
    *(
        "WEZTERM_UNIX_SOCKET",
        "NVIM",
        "VSCODE_IPC_HOOK_CLI",
        "VSCODE_GIT_IPC_HANDLE",
        "WSL_INTEROP",
        "I3SOCK",
        "SWAYSOCK",
    ),
    *("DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER", "PIPEWIRE_REMOTE", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"),
)
_PATH_LEADS = ("unix:path=", "unix://", "unix:")


def without_sockets(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in VARIABLES}


def hidden(table: str, environ: Mapping[str, str], *, uid: int, home: str) -> list[str]:
    """Paths that must not be reached, whether they exist or not; `table` is the text of /proc/net/unix."""
    known = [f"{home}/{name}" for name in _IN_HOME] + [f"{_TMP}/{name.format(uid=uid)}" for name in _IN_TMP]
    named = [_path(environ[name]) for name in VARIABLES if environ.get(name)]
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    paths = dict.fromkeys([*known, *_ELSEWHERE, runtime, *named, *_bound(table)])
    return [path for path in paths if _may_be_hidden(path)]


def _bound(table: str) -> list[str]:
    """Sockets that have a path. The eighth column, which may hold spaces; abstract names begin with @."""
    columns = [line.split(None, 7) for line in table.splitlines()[1:]]
    return [one[7] for one in columns if len(one) == 8 and one[7].startswith("/")]


def _path(value: str) -> str:
    """The path in a variable: as it is, `unix:///run/x`, `unix:path=/run/x,guid=...`, `/x/tmux-0/default,1,0`."""
    for lead in _PATH_LEADS:
        value = value.removeprefix(lead)
    return value.partition(",")[0] if value.startswith("/") else ""


def _may_be_hidden(path: str) -> bool:
    """Never a folder that everything is in."""
    return path.startswith("/") and len(PurePosixPath(path).parts) > 2


def whole_folder(path: str, neighbours_are_sockets: bool, keep: Sequence[str]) -> str:
    """The path to hide: the socket's folder where nothing but sockets is in it and nothing that is needed below."""
    folder = str(PurePosixPath(path).parent)
    needed = any(PurePosixPath(one).is_relative_to(folder) for one in keep)
    return folder if neighbours_are_sockets and not needed and _may_be_hidden(folder) else path
