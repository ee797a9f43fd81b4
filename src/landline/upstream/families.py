"""The families that are known: landline's own table, and before it the user's file, where the settings name one."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from landline.config.display import printable
from landline.config.files import read_document
from landline.errors import SettingsError
from landline.families.registry import Registry, read_families
from landline.families.rows import FamilyTableError


def known_families(overlay: str = "") -> Registry:
    """`overlay` is the setting models.families. Raises SettingsError for a file that is not a table of families."""
    ours = resources.files("landline.families").joinpath("families.toml").read_bytes()
    if not overlay:
        return read_families(ours)
    path = Path(overlay)
    try:
        content = read_document(path).content
    except SettingsError as error:
        raise SettingsError(f"models.families: {error.message}", hint=error.hint) from None
    try:
        return read_families(ours, overlay=content)
    except FamilyTableError as error:
        raise SettingsError(
            f"{printable(overlay)} (models.families): {printable(str(error))}",
            hint="Correct it, or unset models.families; docs/models.md shows an example.",
        ) from None
