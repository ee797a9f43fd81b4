"""The settings that a client would really work with: every value of every source, in rising precedence, with its line.

Reads files, writes none. The order is measured: docs/reference/claude-code-settings.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import cast

from msgspec import Struct

from landline.clients.claude_code import environment_of
from landline.clients.claude_settings import (
    Document,
    Unreadable,
    read_managed_settings,
    read_small,
    read_user_settings,
    user_settings_paths,
    wrong_type,
)
from landline.clients.doctor.finding import Source
from landline.clients.doctor.json_places import Keys, Member, members

MOST_SEARCHED = 4 * 1024 * 1024  # bytes of a file in which lines are looked for
SHELL = "shell environment"
LOGIN_FILE = ".credentials.json"  # beside the user's settings; macOS keeps a login elsewhere


class Origin(IntEnum):
    """Where a value stands; a higher one wins."""

    SHELL = 0
    STATE = 1  # ~/.claude.json
    USER = 2
    PROJECT = 3
    LOCAL = 4
    MANAGED = 5


class Value(Struct, frozen=True):
    """`path` None: the shell's."""

    text: str
    origin: Origin
    source: Source
    path: Path | None = None


class Ignored(Struct, frozen=True):
    """A file that is JSON and that the client ignores whole, for the type of one key."""

    source: Source
    key: str
    managed: bool = False


class SettingsInForce(Struct, frozen=True, kw_only=True):
    """`env` and `keys` have every value of a name, the one that counts last. `user_file` need not exist."""

    env: Mapping[str, tuple[Value, ...]]
    keys: Mapping[str, tuple[Value, ...]]
    unreadable: tuple[Unreadable, ...] = ()
    unreadable_managed: tuple[Unreadable, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    files: tuple[str, ...] = ()
    user_file: Path
    user_file_usable: bool = True
    logged_in: bool = False  # there is a login with the client's vendor; what it holds is not read

    def value(self, name: str) -> Value | None:
        """What a variable is in the client's process; an empty text counts as unset."""
        return _last(self.env, name)

    def text(self, name: str) -> str:
        value = self.value(name)
        return value.text if value else ""

    def key(self, name: str) -> Value | None:
        """What a key of the settings files is, such as `model` or `permissions.defaultMode`."""
        return _last(self.keys, name)

    def all_values(self, name: str) -> tuple[Value, ...]:
        return self.env.get(name, ())


def read_settings(
    *, home: Path, cwd: Path, environ: Mapping[str, str], managed_root: Path = Path("/"), platform: str = sys.platform
) -> SettingsInForce:
    """`managed_root` is another than / in tests only. Never fails: what cannot be read is told."""
    users = read_user_settings(home=home, cwd=cwd, environ=environ)
    managed = read_managed_settings(root=managed_root, platform=platform, user=environ.get("USER", ""))
    state, user_file, project, local = user_settings_paths(home=home, cwd=cwd, environ=environ)
    origins = {state: Origin.STATE, user_file: Origin.USER, project: Origin.PROJECT, local: Origin.LOCAL}
    if project == user_file:  # the project is the home folder: the file is the user's, read once
        origins[user_file] = Origin.USER
    env: dict[str, list[Value]] = {
        name: [Value(text, Origin.SHELL, Source(SHELL))] for name, text in environ.items() if name.isidentifier()
    }
    keys: dict[str, list[Value]] = {}
    ignored: list[Ignored] = []
    for document in (*dict(users.documents).items(), *managed.documents):
        origin = origins.get(document[0], Origin.MANAGED)
        wrong = wrong_type(document[1])
        if wrong:
            ignored.append(_ignored(document, wrong, managed=origin is Origin.MANAGED))
            continue
        for name, is_variable, value in _values(document, origin):
            (env if is_variable else keys).setdefault(name, []).append(value)
    unreadable = {one.path for one in users.unreadable}
    return SettingsInForce(
        env={name: tuple(values) for name, values in env.items()},
        keys={name: tuple(values) for name, values in keys.items()},
        unreadable=users.unreadable,
        unreadable_managed=managed.unreadable,
        ignored=tuple(ignored),
        files=tuple(str(path) for path, _ in (*users.documents, *managed.documents)),
        user_file=user_file,
        user_file_usable=user_file not in unreadable,
        logged_in=user_file.with_name(LOGIN_FILE).exists(),
    )


def _values(document: Document, origin: Origin) -> Iterator[tuple[str, bool, Value]]:
    """Name, whether it is a variable, and value, for all that a document sets."""
    path, settings = document
    places = _places(path)

    def value(text: str, keys: Keys) -> Value:
        place = places.get(keys)
        return Value(text, origin, Source(str(path), place.line if place else 0), path)

    for name, text in environment_of(settings).items():
        yield name, True, value(text, ("env", name))
    if origin is Origin.STATE:  # its other keys are the client's own notes
        return
    for name in ("model", "apiKeyHelper"):
        if isinstance(text := settings.get(name), str):
            yield name, False, value(text, (name,))
    if isinstance(models := settings.get("availableModels"), list):
        names = [name for name in cast("list[object]", models) if isinstance(name, str)]
        yield "availableModels", False, value("\n".join(names) or "\n", ("availableModels",))
    permissions = settings.get("permissions")
    mode = cast("dict[str, object]", permissions).get("defaultMode") if isinstance(permissions, dict) else None
    if isinstance(mode, str):
        yield "permissions.defaultMode", False, value(mode, ("permissions", "defaultMode"))
    for name in ("forceLoginMethod", "forceLoginOrgUUID"):
        if name in settings and origin is Origin.MANAGED:
            yield name, False, value(str(settings[name]), (name,))


def _places(path: Path) -> Mapping[Keys, Member]:
    """Lines of a file that was read before; none for one that is no JSON, very large, or gone since."""
    try:
        text = read_small(path).decode("utf-8-sig")
        return members(text) if len(text) <= MOST_SEARCHED and path.suffix == ".json" else {}
    except (OSError, ValueError, IndexError):
        return {}


def _ignored(document: Document, key: str, *, managed: bool) -> Ignored:
    path, _ = document
    places = _places(path)
    place = places.get(tuple(key.split(".", 1))) or places.get((key,))
    return Ignored(Source(str(path), place.line if place else 0), key, managed)


def _last(values: Mapping[str, tuple[Value, ...]], name: str) -> Value | None:
    found = values.get(name)
    return found[-1] if found and found[-1].text else None
