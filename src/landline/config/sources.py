"""The settings in force, and where each came from: defaults < user file < project file < environment < flags.

A value replaces the whole key of the layer below, lists and tables of names too. No message holds a value: it may be
a key that somebody pasted into the wrong place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
from msgspec import inspect

from landline.config.display import key_name, printable
from landline.config.files import BaseSource, Document, read_document, settings_files
from landline.config.keys import PREFIX, Key, closest, known_keys, table_descriptions
from landline.config.settings import Settings
from landline.config.trust import TrustState, is_restricted, restricted_entries, trust_state, trust_store
from landline.errors import SettingsError

Source = Literal["default", "user file", "project file", "environment", "flag", "config file"]

_HEIGHT: dict[Source, int] = {
    "default": 0,
    "user file": 1,
    "config file": 1,
    "project file": 2,
    "environment": 3,
    "flag": 4,
}

# A stranger's file of a million keys must not fill the screen.
NAMED_AT_MOST = 12
NAME_LENGTH_AT_MOST = 80

# What TOML calls the types that it can hold, for "must be X, not Y".
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "an integer"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (tuple, "a list"),
    (dict, "a table"),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from. `detail` is `file:line`, a variable or a flag; empty for defaults."""

    source: Source
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """`origins` has every dotted key. `notices` are for the user: what was ignored, and what to do about it."""

    settings: Settings = field(repr=False)  # holds keys
    origins: Mapping[str, Origin]
    notices: tuple[str, ...] = ()


_Layer = dict[str, tuple[object, Origin]]


def load_settings(
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str],
    cwd: Path,
    user_file: Path | None = None,
    explicit_file: Path | None = None,
    store: Path | None = None,
) -> LoadedSettings:
    """Read all layers. Raises SettingsError for the first thing that cannot be used.

    `flags` has dotted keys; None and () mean that the flag was not given. `explicit_file`, or else LANDLINE_CONFIG in
    `environ`, replaces the user file, is fully trusted and must exist. `user_file` and `store` (what is trusted)
    are the platform's own unless given.
    """
    keys = known_keys()
    files = settings_files(environ=environ, cwd=cwd, user_file=user_file, explicit_file=explicit_file)
    merged: _Layer = {name: (key.default, Origin("default")) for name, key in keys.items()}
    notices: tuple[str, ...] = ()
    if files.base_source == "config file" or files.base.exists() or files.base.is_symlink():
        merged |= _from_document(read_document(files.base), keys, source=files.base_source)
    if files.project is not None:
        document = read_document(files.project)
        trusted, notices = _judge(document, store or trust_store())
        merged |= _from_document(document, keys, source="project file", trusted=trusted)
    merged |= _from_environment(environ, keys, cwd)
    merged |= _from_flags(flags or {}, keys, cwd)
    notices += _own_replicas(merged, keys)
    return LoadedSettings(
        settings=_build({name: value for name, (value, _) in merged.items()}, keys),
        origins={name: origin for name, (_, origin) in merged.items()},
        notices=notices,
    )


def _own_replicas(merged: _Layer, keys: Mapping[str, Key]) -> tuple[str, ...]:
    """Replicas belong to the URL beside which they are named: another URL, from a higher layer, comes without them."""
    (_, url), (replicas, named) = merged["backend.url"], merged["backend.replicas"]
    if not replicas or url.source in ("default", named.source) or _HEIGHT[url.source] < _HEIGHT[named.source]:
        return ()
    merged["backend.replicas"] = (keys["backend.replicas"].default, Origin("default"))
    return (f"backend.replicas of {named.detail} is not used: backend.url comes from {url.detail}.",)


def _build(values: Mapping[str, object], keys: Mapping[str, Key]) -> Settings:
    tables: dict[str, dict[str, object]] = {table: {} for table in table_descriptions()}
    for name, key in keys.items():
        tables[key.table][key.name] = values[name]
    return msgspec.convert(tables, Settings)


def _judge(document: Document, store: Path) -> tuple[bool, tuple[str, ...]]:
    """Whether a project's file may set restricted keys, and what to tell the user if it tried and may not."""
    restricted = restricted_entries(document.data)
    if not restricted:
        return True, ()
    state = trust_state(document.path, store, content=document.content)
    if state is TrustState.TRUSTED:
        return True, ()
    names = ", ".join(_short(key_name(path)) for path in list(restricted)[:NAMED_AT_MOST])
    if len(restricted) > NAMED_AT_MOST:
        names += f" and {len(restricted) - NAMED_AT_MOST} more"
    because = "was changed since it was trusted" if state is TrustState.CHANGED else "is not trusted"
    folder = printable(str(document.path.parent))
    return False, (
        f"{printable(str(document.path))} {because}: ignored {names}. "
        f"Run `landline trust` in {folder} to read them and allow them.",
    )


def _from_document(
    document: Document, keys: Mapping[str, Key], *, source: BaseSource | Literal["project file"], trusted: bool = True
) -> _Layer:
    layer: _Layer = {}
    for path, value in _entries(document):
        if not trusted and is_restricted(path):
            continue
        key = keys[".".join(path)] if len(path) == 2 and _is_known(path, keys) else None
        place = printable(document.place(path))
        if key is None:
            raise _unknown(key_name(path), place, keys)
        taken = _located(key, _convert(key, value, place=place, strict=True), document.path.parent)
        layer[key.dotted] = (taken, Origin(source, document.place(path)))
    return layer


def _is_known(path: tuple[str, ...], keys: Mapping[str, Key]) -> bool:
    # By parts: the quoted key "gateway.port" at the top of a file is not the key port of the table gateway.
    return any((key.table, key.name) == path for key in keys.values())


def _entries(document: Document) -> list[tuple[tuple[str, ...], object]]:
    """Each (table, key) with its value. A known table that is no table is an error; an unknown one is one entry."""
    entries: list[tuple[tuple[str, ...], object]] = []
    tables = table_descriptions()
    for table, content in document.data.items():
        if isinstance(content, dict) and (table in tables or is_restricted((table,))):
            pairs = cast("dict[str, object]", content)
            entries += [((table, name), value) for name, value in pairs.items()]
        else:
            entries.append(((table,), cast("object", content)))
    return entries


def _located(key: Key, value: object, folder: Path) -> object:
    """A path is meant from the folder of the file that names it, or else from the current one."""
    if not key.is_path or not isinstance(value, str) or not value:
        return value
    try:
        return str(folder / Path(value).expanduser())
    except RuntimeError:  # ~somebody, who is not known
        return str(folder / value)


def _from_environment(environ: Mapping[str, str], keys: Mapping[str, Key], cwd: Path) -> _Layer:
    by_variable = {key.variable: key for key in keys.values()}
    prefixes = tuple(f"{PREFIX}{table.upper()}_" for table in table_descriptions())
    layer: _Layer = {}
    for name in sorted(environ):
        key = by_variable.get(name)
        if key is not None:
            value = _convert(key, _split(key, environ[name]), place=name, strict=False)
            layer[key.dotted] = (_located(key, value, cwd), Origin("environment", name))
        elif name.startswith(prefixes):
            meant = closest(name, by_variable)
            raise SettingsError(
                f"{printable(name)} in the environment is not a known setting.",
                hint=f"Did you mean {meant}?" if meant else "Unset it; `landline config show` lists every setting.",
            )
    return layer


def _split(key: Key, text: str) -> object:
    """Lists as `a,b`, tables as `name=value,name=value`; anything else stays as it is."""
    match key.shape:
        case inspect.VarTupleType():
            return _items(text)
        case inspect.DictType():
            pairs = [item.partition("=") for item in _items(text)]
            if not all(name.strip() and mark for name, mark, _ in pairs):
                raise SettingsError(
                    f"{key.variable}: {key.dotted} must be name=value pairs with commas between them.",
                    hint="Example: opus=model-a,haiku=model-b",
                )
            return {name.strip(): value.strip() for name, _, value in pairs}
        case _:
            return text


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _from_flags(flags: Mapping[str, object], keys: Mapping[str, Key], cwd: Path) -> _Layer:
    layer: _Layer = {}
    for name, value in flags.items():
        if value is None or value == ():
            continue
        key = keys.get(name)
        if key is None:
            raise _unknown(printable(name), "the command line", keys)
        taken = _located(key, _convert(key, value, place=key.flag, strict=False), cwd)
        layer[name] = (taken, Origin("flag", key.flag))
    return layer


def _convert(key: Key, value: object, *, place: str, strict: bool) -> object:
    try:
        return msgspec.convert(value, key.type, strict=strict)
    except msgspec.ValidationError:
        # From None: the library's message may quote the value.
        kind = "" if isinstance(value, str) and not strict else _other_kind(key, value)
        raise SettingsError(
            f"{place}: {key.dotted} must be {key.expected}{kind}.",
            hint="Correct it, or remove it to get the default." if strict else "Correct it, or leave it out.",
        ) from None


def _other_kind(key: Key, value: object) -> str:
    """`, not text` where the value is of another kind; nothing where it is of the right kind but out of bounds."""
    kind = next((words for known, words in _KINDS if isinstance(value, known)), "a date or time")
    if isinstance(key.shape, inspect.FloatType) and kind == "an integer":
        return ""
    if key.expected.startswith(kind) or (isinstance(key.shape, inspect.LiteralType) and kind == "text"):
        return ""
    return f", not {kind}"


def _unknown(name: str, place: str, keys: Mapping[str, Key]) -> SettingsError:
    tables: dict[str, Any] = dict.fromkeys(table_descriptions())
    if name in tables:
        return SettingsError(f"{place}: {name} must be a table.", hint=f"Write [{name}] on a line of its own.")
    meant = closest(name, [*keys, *tables])
    hint = f"Did you mean {meant}?" if meant else "`landline config show` lists every key."
    return SettingsError(f"{place}: unknown key {_short(name)}.", hint=hint)


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH_AT_MOST else name[: NAME_LENGTH_AT_MOST - 1] + "…"
