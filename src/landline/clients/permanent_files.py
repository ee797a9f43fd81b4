"""The settings of a launch of Codex, OpenCode or Qwen Code, written for good: which file of theirs becomes what.

What is set and why is in the client's own module; how a file is kept and put back in doctor/fixes.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from landline.clients import codex, openai_launch, opencode, qwen_code
from landline.clients.codex_launch import config_file, read_config
from landline.clients.doctor.commented_json import decoded, with_member
from landline.clients.doctor.fixes import BOM, Change, content_of, real_path
from landline.clients.doctor.json_places import changed_document
from landline.clients.launching import Target
from landline.clients.openai_launch import KEY_VARIABLE
from landline.clients.toml_text import Scalar, with_settings
from landline.errors import SettingsError

CATALOGUE = "landline-models.json"
_ANY_KEY = "landline"
"""What a client without a key of its own sends: it wants one, a gateway without keys takes any."""

Member = tuple[tuple[str, ...], object]


@dataclass(frozen=True, slots=True)
class Places:
    home: Path
    cwd: Path
    environ: Mapping[str, str]


def codex_changes(target: Target, places: Places, *, instructions: str) -> tuple[Change, ...]:
    """config.toml, and beside it the catalogue, where the client's own instructions are known. Raises SettingsError."""
    file = real_path(config_file(places.home, places.environ))
    config = read_config(file)
    catalogue = file.with_name(CATALOGUE)
    own = {} if config.get("model_provider") == codex.PROVIDER else config  # what an earlier call wrote is no limit
    chosen = codex.overrides(target, own, catalogue_file=str(catalogue) if instructions else "")
    tables: dict[str, dict[str, Scalar]] = {}
    for name, value in chosen.items():
        table, _, key = name.rpartition(".")
        if isinstance(value, dict):
            tables[name] = {**value}
        else:
            tables.setdefault(table, {})[key] = value
    written = {
        f"{table}.{key}" if table else key: codex.toml_value(value)
        for table, keys in tables.items()
        for key, value in keys.items()
    }
    before = content_of(file)
    text = (before or b"").decode("utf-8")
    try:
        after = with_settings(text, tables, written=written).encode()
    except ValueError as error:
        lines = "; ".join(f"{name} = {value}" for name, value in written.items())
        raise SettingsError(f"{file} cannot be edited: {error}.", hint=f"Set these yourself: {lines}") from None
    changes = [Change(file, before, after)]
    if instructions:
        content = json.dumps(codex.catalogue(target, instructions), indent=1).encode() + b"\n"
        changes.append(Change(catalogue, content_of(catalogue), content))
    return _differing(changes)


def opencode_changes(target: Target, places: Places, *, project: bool) -> tuple[Change, ...]:
    """The user's file, or the project's: the one that is there, and wins. Raises SettingsError."""
    files = opencode.config_files(home=places.home, cwd=places.cwd, environ={**places.environ, "OPENCODE_CONFIG": ""})
    choices = [places.cwd / "opencode.json", places.cwd / "opencode.jsonc"] if project else files[1:3]
    file = next((one for one in reversed(choices) if one.exists()), choices[0])
    chosen = opencode.permanent(target)
    provider = opencode.provider(target)
    if not target.token:
        provider["options"] = {"baseURL": openai_launch.base_url(target), "apiKey": _ANY_KEY}
    members: list[Member] = [((name,), value) for name, value in chosen.items() if name != "provider"]
    if not any(one.get("$schema") for one in opencode.read_documents([file])):
        members.insert(0, (("$schema",), opencode.SCHEMA))  # the client would add it, and the file be another one
    return json_changes(file, [*members, (("provider", opencode.PROVIDER), provider)])


def qwen_changes(target: Target, places: Places, *, project: bool) -> tuple[Change, ...]:
    """The user's file, or the project's. His other models, and what else stands at the same places, are kept."""
    file = qwen_code.user_file(places.home, places.environ)
    file = places.cwd / ".qwen" / "settings.json" if project else file
    theirs = next(iter(opencode.read_documents([file])), cast("dict[str, object]", {}))
    members: list[Member] = [] if file.exists() else [(("$version",), qwen_code.FORMAT)]
    for table, keys in qwen_code.permanent(target).items():
        kept = objects(theirs.get(table))
        for key, value in keys.items():
            members.append(((table, key), _joined(key, kept.get(key), value)))
    if not target.token:
        members.append((("env", KEY_VARIABLE), _ANY_KEY))
    return json_changes(file, members)


def _joined(key: str, theirs: object, ours: object) -> object:
    if key == "openai":
        return qwen_code.with_others(ours, theirs)
    return {**objects(theirs), **objects(ours)} if objects(ours) else ours


def objects(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def json_changes(file: Path, members: list[Member]) -> tuple[Change, ...]:
    """A JSON file, with or without comments, with these members set. Raises SettingsError."""
    file = real_path(file)
    before = content_of(file)
    try:
        text = (before or b"").decode("utf-8")
        mark, text = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
        text = text if text.strip() else "{\n}\n"
        wanted: dict[str, object] = decoded(text)
        for keys, value in members:
            wanted = changed_document(wanted, keys, value, remove=False)
            text = with_member(text, keys, value)
        if decoded(text) != wanted:
            raise ValueError
    except (ValueError, RecursionError, IndexError):
        raise SettingsError(
            f"{file} is no JSON object, or is laid out in a way that was not foreseen.",
            hint="Correct it by hand, or move it away; then run this again.",
        ) from None
    return _differing([Change(file, before, (mark + text).encode())])


def _differing(changes: list[Change]) -> tuple[Change, ...]:
    return tuple(change for change in changes if change.before != change.after)
