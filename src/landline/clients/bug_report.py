"""What a bug report needs, as one document: versions, settings, the doctor's findings, the last requests' records.

No bodies, because nothing that goes in holds any; no keys, because settings mask them and every text is searched for
those that are known here; no logins of URLs, and no name of the user in paths.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, cast

import msgspec
from msgspec import Struct

from landline import __version__
from landline.clients.doctor.finding import Diagnosis
from landline.clients.doctor.fixes import NO_SECRETS, SECRET_NAME
from landline.clients.live_gateway import Snapshot
from landline.config.display import hide_logins, shown
from landline.config.keys import known_keys
from landline.config.sources import LoadedSettings

LIBRARIES = ("click", "httptools", "msgspec", "starlette", "uvicorn", "uvloop")
SHORTEST_SECRET = 6  # characters; shorter ones stand in ordinary words
HIDDEN = "[key]"


class BugReport(Struct, frozen=True):
    """`problems` says what is missing in it, and why."""

    made_at: str
    versions: dict[str, str]
    settings: dict[str, object]
    doctor: Diagnosis | None
    gateway: Snapshot | None
    problems: tuple[str, ...] = ()


def versions() -> dict[str, str]:
    found = {"landline": __version__, "python": sys.version.split()[0], "system": platform.platform()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def settings_shown(loaded: LoadedSettings) -> dict[str, object]:
    """Each key that somebody set, with its value and where it came from."""
    values = msgspec.to_builtins(loaded.settings)
    return {
        name: {
            "value": HIDDEN if key.secret else shown(key, values[key.table][key.name]),
            "from": loaded.origins[name].source,
        }
        for name, key in known_keys().items()
        if loaded.origins[name].source != "default"
    }


def known_secrets(loaded: LoadedSettings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What must stand nowhere: keys of the settings, and variables that are named like one. The longest first."""
    values = msgspec.to_builtins(loaded.settings)
    own = [values[key.table][key.name] for key in known_keys().values() if key.secret]
    texts = [*_texts(own), *(text for name, text in environ.items() if _names_a_secret(name))]
    return tuple(sorted({text for text in texts if len(text) >= SHORTEST_SECRET}, key=len, reverse=True))


def redacted(report: BugReport, *, secrets: Iterable[str], home: str) -> dict[str, Any]:
    """The report in builtin types, as it may be given to strangers."""
    hidden = tuple(secrets)

    def safe(value: object) -> object:
        match value:
            case str():
                for secret in hidden:
                    value = value.replace(secret, HIDDEN)
                return value.replace(home, "~") if len(home) > 1 else value
            case list():
                return [safe(item) for item in cast("list[object]", value)]
            case dict():
                return {safe(name): safe(item) for name, item in cast("dict[str, object]", value).items()}
            case _:
                return value

    return cast("dict[str, Any]", safe(hide_logins(msgspec.to_builtins(report))))


def _names_a_secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) and not NO_SECRETS.search(name)


def _texts(values: Iterable[object]) -> list[str]:
    """All texts in values that may be lists."""
    found: list[str] = []
    for value in values:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _texts(cast("list[object]", value))
    return found
