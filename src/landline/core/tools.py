"""What can be said of a tool by looking at it once, when it is decoded, so that no transform has to look again."""

from __future__ import annotations

import re

from msgspec import Raw

from landline.core.model import Tools

fine_name = re.compile(r"[a-zA-Z0-9_-]{1,64}").fullmatch  # what every backend takes as a tool's name
# A schema that begins as nearly all do: {"$schema": "...", "type": "object", ...
object_root = re.compile(rb'\s*\{\s*(?:"\$schema"\s*:\s*"[^"]*"\s*,\s*)?"type"\s*:\s*"object"\s*[,}]').match


def is_plain(name: str, schema: Raw) -> bool:
    """Whether name and root of the schema can stay as they are for every backend that makes no grammar of schemas."""
    return fine_name(name) is not None and object_root(schema) is not None


def all_plain(tools: Tools) -> bool:
    """For `Tools.once`."""
    return all(tool.plain for tool in tools)
