"""Settings files: where they are, and one careful read of each. Knows neither the keys nor their meaning.

A project's file comes from strangers: it may be huge, binary, a pipe, a dangling or foreign link. Nothing of its
content is ever quoted in an error, because a link may point at a file that only this user can read.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import platformdirs

from landline.config.display import printable
from landline.errors import SettingsError

FILE_NAME = "landline.toml"
CONFIG_VARIABLE = "LANDLINE_CONFIG"
SIZE_LIMIT_BYTES = 1024 * 1024

BaseSource = Literal["user file", "config file"]

_HEADER = re.compile(r"\s*\[{1,2}([^\[\]]+)\]")
_ASSIGNMENT = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFiles:
    """The files that would be read. `base` is the user file or its replacement; it need not exist."""

    base: Path
    base_source: BaseSource
    project: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One settings file, read once: `content` is what was parsed and what trust is decided on."""

    path: Path
    content: bytes = field(repr=False)
    data: dict[str, Any] = field(repr=False)

    def place(self, path: tuple[str, ...]) -> str:
        """`file:line` of a key, or the file alone where the line cannot be told."""
        line = _line_of(self.content.decode("utf-8-sig"), path)
        return f"{self.path}:{line}" if line else str(self.path)


def user_settings_file() -> Path:
    return platformdirs.user_config_path("landline") / FILE_NAME


def responses_file(named: str) -> Path:
    """Where responses are kept; `named` is the setting for it."""
    return Path(named) if named else platformdirs.user_state_path("landline") / "responses.sqlite3"


def settings_files(
    *, environ: Mapping[str, str], cwd: Path, user_file: Path | None = None, explicit_file: Path | None = None
) -> SettingsFiles:
    """Which files count here. A project's file that is also the base file counts once, as the base."""
    if explicit_file is None and environ.get(CONFIG_VARIABLE):
        explicit_file = Path(environ[CONFIG_VARIABLE])
    if explicit_file is not None:
        base, source = cwd / explicit_file.expanduser(), "config file"
    else:
        base, source = user_file or user_settings_file(), "user file"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    project = find_project_file(cwd, home=home)
    if project is not None and os.path.realpath(project) == os.path.realpath(base):
        project = None
    return SettingsFiles(base=base, base_source=source, project=project)


def find_project_file(cwd: Path, *, home: Path) -> Path | None:
    """The nearest landline.toml from `cwd` up to the root of its git repository, or up to the home folder.

    Where there is neither, only `cwd` counts: a file that somebody left in /tmp or / must not reach what lies below.
    """
    for folder in _folders(cwd.resolve(), home.resolve()):
        # lexists: a dangling link is reported when it is read, not passed over.
        if os.path.lexists(folder / FILE_NAME):
            return folder / FILE_NAME
    return None


def _folders(cwd: Path, home: Path) -> Iterator[Path]:
    folders: list[Path] = []
    for folder in (cwd, *cwd.parents):
        folders.append(folder)
        if folder == home or os.path.lexists(folder / ".git"):
            return iter(folders)
    return iter([cwd])


def read_document(path: Path) -> Document:
    """Read and parse `path`. Raises SettingsError, also where there is no such file."""
    content = _read(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{_name(path)} is not UTF-8 text.", hint="Settings files are TOML in UTF-8.") from None
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise SettingsError(f"{_name(path)} is not valid TOML: it is nested too deeply.") from None
    except ValueError as error:  # TOMLDecodeError, and an integer with too many digits
        raise SettingsError(
            f"{_name(path)} is not valid TOML: {_first_line(error)}.",
            hint="Correct that line; texts need quotes, tables are [gateway], [backend], ...",
        ) from None
    return Document(path=path, content=content, data=data)


def _read(path: Path) -> bytes:
    # O_NONBLOCK: a pipe of this name must not make the program wait for ever.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        content = _read_up_to(descriptor, SIZE_LIMIT_BYTES + 1) if regular else b""
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(descriptor)
    if not regular:
        raise SettingsError(f"{_name(path)} is not a regular file.", hint="Rename or remove it.")
    if len(content) > SIZE_LIMIT_BYTES:
        raise SettingsError(f"{_name(path)} is larger than 1 MiB.", hint="A settings file has a few lines.")
    return content


def _read_up_to(descriptor: int, size_bytes: int) -> bytes:
    content = b""
    while len(content) < size_bytes and (more := os.read(descriptor, size_bytes - len(content))):
        content += more
    return content


def _unreadable(path: Path, error: OSError | ValueError) -> SettingsError:
    if isinstance(error, FileNotFoundError):
        return SettingsError(f"There is no settings file {_name(path)}.", hint="Check the path (or the link).")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is not valid"
    return SettingsError(f"{_name(path)} cannot be read: {reason}.", hint="Check its permissions.")


def _name(path: Path) -> str:
    return printable(str(path))


def _first_line(error: ValueError) -> str:
    # Our own words for the one message of int() that is not about TOML.
    text = str(error).splitlines()[0] if str(error) else "unknown reason"
    return "an integer has too many digits" if "limit" in text and "digits" in text else printable(text)


def _line_of(text: str, path: tuple[str, ...]) -> int:
    """Line of the assignment that sets `path` or holds it (an inline table), else of its table's header, else 0.

    A scan, not a parser: it skips multi-line strings and is wrong at most about where, never about what.
    """
    table: tuple[str, ...] = ()
    nearest = 0
    for number, line in _lines_outside_strings(text):
        if header := _HEADER.match(line):
            found = table = _parts(header[1])
        elif assignment := _ASSIGNMENT.match(line):
            found = table + _parts(assignment[1])
        else:
            continue
        if found == path:
            return number
        if found and path[: len(found)] == found:
            nearest = number
        elif not nearest and found[: len(path)] == path:
            nearest = number  # [commands.editor] is where `commands` begins
    return nearest


def _lines_outside_strings(text: str) -> Iterator[tuple[int, str]]:
    closing = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            closing = "" if closing in line else closing
            continue
        yield number, line
        for mark in ('"""', "'''"):
            if line.count(mark) % 2:
                closing = mark


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
