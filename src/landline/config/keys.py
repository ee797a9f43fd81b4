"""Every key that can be set, read off the structs in `settings.py`: its names, its type in words, whether it is secret.

The settings files, the environment, the flags, `config show`, the JSON schema and the reference page all work from
this one list. Knows no file and no environment.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from landline.config.settings import Settings

PREFIX = "LANDLINE_"

# Keys that a verb takes as an option of its own: dotted key -> the option as the user types it.
FLAGS: Mapping[str, str] = {
    "gateway.host": "--host",
    "gateway.port": "--port",
    "gateway.workers": "--workers",
    "gateway.tls_certificate": "--tls-certificate",
    "gateway.tls_key": "--tls-key",
    "backend.url": "--backend",
    "models.default": "--model",
    "models.local_titles": "--local-titles",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting. `type` is what `msgspec.convert` takes; `shape` is the same type, inspected."""

    table: str
    name: str
    type: Any
    shape: inspect.Type
    default: object
    description: str
    secret: bool
    is_path: bool

    @property
    def dotted(self) -> str:
        return f"{self.table}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets this key."""
        return f"{PREFIX}{self.table}_{self.name}".upper()

    @property
    def flag(self) -> str:
        """The option that sets this key, or the dotted key where no verb has one."""
        return FLAGS.get(self.dotted, self.dotted)

    @property
    def expected(self) -> str:
        return type_in_words(self.shape)


def table_descriptions() -> dict[str, str]:
    """Table name -> what it is for, in the order of the reference page."""
    return {field.name: (field.type.__doc__ or "").strip() for field in msgspec.structs.fields(Settings)}


def known_keys() -> dict[str, Key]:
    """Dotted name -> key, in the order of the reference page."""
    keys = [key for table in msgspec.structs.fields(Settings) for key in _keys_of(table.name, table.type)]
    return {key.dotted: key for key in keys}


def _keys_of(table: str, struct: type[msgspec.Struct]) -> Iterable[Key]:
    for field in msgspec.structs.fields(struct):
        shape = inspect.type_info(field.type)
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        yield Key(
            table=table,
            name=field.name,
            type=field.type,
            shape=_bare(shape),
            default=default,
            description=_metadata(shape, "description") or "",
            secret=_is_secret(shape),
            is_path=bool(_metadata(shape, "path")),
        )


def _metadata(shape: inspect.Type, name: str) -> Any:
    """The nearest `name` in nested metadata: `Annotated[Port, Meta(...)]` is one Metadata inside another."""
    while isinstance(shape, inspect.Metadata):
        both: Any = shape
        said: tuple[dict[str, Any] | None, ...] = (both.extra_json_schema, both.extra)
        for notes in said:
            if notes and name in notes:
                return notes[name]
        shape = shape.type
    return None


def _bare(shape: inspect.Type) -> inspect.Type:
    while isinstance(shape, inspect.Metadata):
        shape = shape.type
    return shape


def _is_secret(shape: inspect.Type) -> bool:
    if _metadata(shape, "secret"):
        return True
    bare = _bare(shape)
    return isinstance(bare, inspect.VarTupleType) and _is_secret(bare.item_type)


def type_in_words(shape: inspect.Type) -> str:
    """What a value must be, for people: "an integer from 0 to 65535"."""
    match _bare(shape):
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() as number:
            return "an integer" + _bounds(number)
        case inspect.FloatType() as number:
            return "a number" + _bounds(number)
        case inspect.StrType(min_length=least):
            return "text that is not empty" if least else "text"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case inspect.VarTupleType(item_type=item):
            return f"a list of {_plural(type_in_words(item))}"
        case inspect.DictType(value_type=value):
            return f"a table of {_plural(type_in_words(value))}"
        case other:
            raise TypeError(f"settings.py has a type without words for it: {other!r}")


def _bounds(number: inspect.IntType | inspect.FloatType) -> str:
    if number.ge is not None and number.le is not None:
        return f" from {number.ge:g} to {number.le:g}"
    words = [
        (number.gt, "greater than"),
        (number.ge, "at least" if number.le is None else "from"),
        (number.lt, "less than"),
        (number.le, "at most"),
    ]
    said = [f"{word} {bound:g}" for bound, word in words if bound is not None]
    return " " + " and ".join(said) if said else ""


def _plural(words: str) -> str:
    return words.replace("text that is", "texts that are") if "that is" in words else f"{words}s"


def closest(wanted: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was most likely meant. A bare key is also compared with the last part of dotted ones."""
    names = list(candidates)
    by_form = {name.rpartition(".")[2]: name for name in names} | {name: name for name in names}
    found = difflib.get_close_matches(wanted, list(by_form), n=1, cutoff=0.6)
    return by_form[found[0]] if found else None
