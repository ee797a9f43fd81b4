"""Claude Code's settings files, read and never written: managed ones, the user's, and one that he names himself.

Which of them wins is in claude_code.py; here is only where they are and how a broken one is reported.
"""

from __future__ import annotations

import json
import plistlib
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from xml.parsers.expat import ExpatError

from landline.errors import SettingsError

Document = tuple[Path, dict[str, object]]

_MANAGED_FOLDERS = {"darwin": "Library/Application Support/ClaudeCode"}
_MANAGED_FOLDER = "etc/claude-code"  # Linux and WSL
_WINDOWS_FOLDER = "mnt/c/Program Files/ClaudeCode"  # read by the client on WSL where its own key asks for it
_MACOS_PREFERENCES = "Library/Managed Preferences"  # what device management writes; the vendor's documented name
_MACOS_DOMAIN = "com.anthropic.claudecode.plist"

# The desktop application's own managed settings, in which its gateway stands.
_DESKTOP_DOMAIN = "com.anthropic.claudefordesktop.plist"
_DESKTOP_FILE = "etc/claude-desktop/managed-settings.json"  # Linux

# With another type under one of these, 197 and 329 ignored every key of the file (each tried). Wrong hooks, unknown
# keys and null values of `env` did no harm.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "apiKeyHelper": str,
    "availableModels": list,
    "cleanupPeriodDays": (int, float),
    "enabledPlugins": dict,
    "env": dict,
    "includeCoAuthoredBy": bool,
    "language": str,
    "model": str,
    "outputStyle": str,
    "permissions": dict,
    "sandbox": dict,
    "statusLine": dict,
}
LARGEST_FILE = 64 * 1024 * 1024  # bytes; the client keeps much of its own in ~/.claude.json
_RULE_LISTS = ("allow", "deny", "ask", "additionalDirectories")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that is there and cannot be used. `reason` quotes nothing of it; `line` 0: no line is to blame."""

    path: Path
    reason: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" + (f", line {self.line}" if self.line else "")


@dataclass(frozen=True, slots=True)
class SettingsFiles:
    """Documents in rising precedence, and each file that could not be read."""

    documents: tuple[Document, ...]
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """The unreadable files in words, without their content."""
        return tuple(map(str, self.unreadable))

    @property
    def env(self) -> dict[str, str]:
        from landline.clients.claude_code import environment_of

        return {name: value for _, document in self.documents for name, value in environment_of(document).items()}


def read_managed_settings(*, root: Path = Path("/"), platform: str = sys.platform, user: str = "") -> SettingsFiles:
    """Every managed settings file of this machine. `root` is another than / in tests only.

    The Windows registry (WSL) and settings that an organisation's server sends cannot be seen from here; the latter
    were not applied on a foreign base URL (measured with a cached copy).
    """
    paths = _managed_paths(root / _MANAGED_FOLDERS.get(platform, _MANAGED_FOLDER))
    if platform == "darwin":
        folder = root / _MACOS_PREFERENCES
        paths += [folder / _MACOS_DOMAIN, *([folder / user / _MACOS_DOMAIN] if user else [])]
    files = _read(paths)
    windows = _read(_managed_paths(root / _WINDOWS_FOLDER)) if platform == "linux" else SettingsFiles(())
    if not any(document.get("wslInheritsWindowsSettings") is True for _, document in windows.documents):
        return files
    return SettingsFiles((*files.documents, *windows.documents), (*files.unreadable, *windows.unreadable))


def read_desktop_settings(*, root: Path = Path("/"), platform: str = sys.platform, user: str = "") -> SettingsFiles:
    """What device management tells the desktop application."""
    if platform != "darwin":
        return _read([root / _DESKTOP_FILE])
    folder = root / _MACOS_PREFERENCES
    return _read([folder / _DESKTOP_DOMAIN, *([folder / user / _DESKTOP_DOMAIN] if user else [])])


def read_user_settings(*, home: Path, cwd: Path, environ: Mapping[str, str]) -> SettingsFiles:
    """The user's and the project's settings files. A broken one is a problem to mention; the client skips it."""
    return _read(user_settings_paths(home=home, cwd=cwd, environ=environ))


def user_settings_paths(*, home: Path, cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    """The client's state, the user's settings, the project's, and the user's own for the project."""
    moved = environ.get("CLAUDE_CONFIG_DIR")
    folder = Path(moved) if moved else home / ".claude"
    state = (folder if moved else home) / ".claude.json"  # may hold an `env` too, below all others
    project = cwd / ".claude"
    return [state, folder / "settings.json", project / "settings.json", project / "settings.local.json"]


def read_settings_argument(value: str, *, cwd: Path) -> Document:
    """What the user's own `--settings` names: JSON text, or a file relative to `cwd`. Raises SettingsError.

    The types of the common keys are checked: with a wrong one the client drops the whole file without a word.
    """
    inline = value.lstrip().startswith("{")
    path = Path("--settings") if inline else cwd / value
    try:
        document = _object(value.encode() if inline else path.read_bytes())
    except FileNotFoundError:
        raise SettingsError(f"--settings: there is no file {path}.", hint="Name a file, or give JSON text.") from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"--settings: {path} cannot be used ({_reason(error)}).", hint="It must be a JSON object."
        ) from None
    wrong = wrong_type(document)
    if wrong:
        raise SettingsError(
            f"--settings: {wrong} has a type that the client does not accept.",
            hint="The client would ignore the whole file, and with it the way to your own model.",
        )
    return path, document


def wrong_type(document: Mapping[str, object]) -> str:
    """The first key whose type makes the client ignore the whole file, ours within it; empty where none is known."""
    permissions = document.get("permissions")
    env = document.get("env")
    nested = cast("dict[str, object]", permissions) if isinstance(permissions, dict) else {}
    values = cast("dict[str, object]", env) if isinstance(env, dict) else {}
    wrong = [name for name, kind in _TYPES.items() if name in document and not isinstance(document[name], kind)]
    wrong += [f"permissions.{name}" for name in _RULE_LISTS if not isinstance(nested.get(name, []), list)]
    wrong += [f"env.{name}" for name, value in values.items() if isinstance(value, list | dict)]
    return wrong[0] if wrong else ""


def has_status_line(documents: Iterable[Document]) -> bool:
    """Whether one of them shows a status line of its own on the client's screen."""
    return any(isinstance(document.get("statusLine"), dict) for _, document in documents)


def _managed_paths(folder: Path) -> list[Path]:
    """The main file, then the drop-ins by name, which win over it; hidden files are passed over, as the client does."""
    try:
        names = sorted(path for path in (folder / "managed-settings.d").iterdir() if path.name[0] != ".")
    except OSError:
        names = []
    return [folder / "managed-settings.json", *(path for path in names if path.suffix == ".json")]


def _read(paths: Sequence[Path]) -> SettingsFiles:
    documents: list[Document] = []
    unreadable: list[Unreadable] = []
    for path in paths:
        try:
            document = _object(read_small(path), plist=path.suffix == ".plist")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except json.JSONDecodeError as error:
            unreadable.append(Unreadable(path, "not JSON", error.lineno))
        except (OSError, ValueError) as error:
            unreadable.append(Unreadable(path, _reason(error)))
        else:
            documents.append((path, document))
    return SettingsFiles(tuple(documents), tuple(unreadable))


def read_small(path: Path) -> bytes:
    """The content of a settings file. Raises OSError for what is none: a folder, a pipe, more than 64 MiB."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise OSError(0, "not a file")
    with path.open("rb") as opened:
        content = opened.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError(0, f"larger than {LARGEST_FILE // 2**20} MiB")
    return content


def _object(content: bytes, *, plist: bool = False) -> dict[str, object]:
    if not content.strip():
        return {}
    try:
        value = plistlib.loads(content) if plist else json.loads(content.decode("utf-8-sig"))
    except (plistlib.InvalidFileException, ExpatError, RecursionError) as error:
        raise ValueError("not a property list") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return cast("dict[str, object]", value)


def _reason(error: Exception) -> str:
    """Why a file was not usable. Never its text: a decoder's message may quote it."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON, line {error.lineno}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "not a settings object"
