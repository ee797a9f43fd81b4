"""The JSON schema of landline.toml, for editors and for the reference. Made from the structs, never written by hand."""

from __future__ import annotations

from typing import Any

import msgspec

from landline.config.keys import known_keys
from landline.config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def settings_schema() -> dict[str, Any]:
    """Draft 2020-12, with a title, descriptions and defaults."""
    _, definitions = msgspec.json.schema_components([Settings])
    root = definitions.pop("Settings")
    for key in known_keys().values():
        if key.secret:
            definitions[key.table.capitalize()]["properties"][key.name]["writeOnly"] = True
    return {
        "$schema": DIALECT,
        **root,
        "title": "landline.toml",
        "description": "Settings of landline. Every key is optional.",
        "$defs": definitions,
    }
