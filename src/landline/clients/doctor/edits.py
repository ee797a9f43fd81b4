"""Which key of which file a repair changes: there where the value in force stands, else in the user's own file.

Pure. Managed files are never changed: then there is no edit, and the finding says who can make it.
"""

from __future__ import annotations

from msgspec import Struct

from landline.clients.doctor.finding import Edit, Source
from landline.clients.doctor.settings_in_force import Origin, SettingsInForce

MANAGED_NOTE = "whoever manages this machine can change that file"


class Edits(Struct, frozen=True):
    edits: tuple[Edit, ...]
    source: Source


def set_where_it_stands(settings: SettingsInForce, name: str, value: str) -> Edits:
    """A variable set so that it counts. A value in the shell loses against the user's file, which gets it."""
    values = settings.all_values(name)
    last = values[-1] if values else None
    if last is not None and last.origin is Origin.MANAGED:
        return Edits((), last.source)
    if last is not None and last.path is not None:
        return Edits((Edit(last.path, ("env", name), value),), last.source)
    return Edits(in_user_file(settings, ("env", name), value), Source(str(settings.user_file)))


def in_user_file(settings: SettingsInForce, keys: tuple[str, ...], value: str | list[str]) -> tuple[Edit, ...]:
    """None where that file cannot be read: it is not ours to overwrite."""
    return (Edit(settings.user_file, keys, value),) if settings.user_file_usable else ()


def remove_everywhere(settings: SettingsInForce, name: str) -> tuple[Edit, ...]:
    """A variable unset: removed from each file; against the shell's value the empty text, which counts as unset."""
    values = settings.all_values(name)
    if any(value.origin is Origin.MANAGED and value.text for value in values):
        return ()
    edits = [Edit(value.path, ("env", name), remove=True) for value in values if value.path is not None]
    if any(value.origin is Origin.SHELL and value.text for value in values):
        edits = [edit for edit in edits if edit.file != settings.user_file]
        edits += in_user_file(settings, ("env", name), "")
    return tuple(edits)


def remove_key(settings: SettingsInForce, name: str) -> tuple[Edit, ...]:
    """A key of the settings files (`apiKeyHelper`) removed from each."""
    values = settings.keys.get(name, ())
    if any(value.origin is Origin.MANAGED for value in values):
        return ()
    return tuple(Edit(value.path, (name,), remove=True) for value in values if value.path is not None)
