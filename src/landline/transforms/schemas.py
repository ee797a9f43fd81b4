"""JSON schemas of tools as backends can compile them.

The root becomes an object for every backend: chat completions wants one, and the input of a call in the Messages API is
always one, so that variants which are none could never be used. A root that says it is an object may have variants
beside it where no grammar is made of it. Servers that make a grammar of each schema (`plain`) get no references, no
keywords that their grammars miss, and only patterns of the small common language.

What is accepted before is accepted after: a schema only ever becomes more lenient. Schemas are bytes of the client and
stay those bytes where nothing must change; only those with a suspicious word in them are parsed.
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec
from msgspec import Raw

from landline.core.exchange import Notes
from landline.core.model import Conversation, Tool, Tools
from landline.core.tools import all_plain, object_root
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.patterns import plain_pattern

ROOT = "root of a tool's schema written as one object"
SIMPLIFIED = "tool schemas simplified for the backend's grammar"
MOST_NODES = 5_000  # of one schema with its references resolved
DEEPEST = 64

Schema = dict[str, Any]

_UNIONS = ("oneOf", "anyOf", "allOf")
_NOTATION = re.compile(rb'\s*\{\s*"\$schema"\s*:\s*"[^"]*"\s*,')
_DROPPED = frozenset(
    (
        "propertyNames",
        "patternProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "dependentRequired",
        "contains",
        "minContains",
        "maxContains",
    )
)
_WORDS = (b"null", b"{}", b"{ }", *(f'"{word}"'.encode() for word in (*sorted(_DROPPED), "pattern", "$ref")))
_ONE = frozenset(("items", "additionalProperties"))
_MANY = frozenset(("anyOf", "oneOf", "allOf", "prefixItems"))
_SAID = ("description", "title", "default")  # beside a reference


def compilable(conversation: Conversation, dialect: Dialect, notes: Notes) -> Conversation:
    """The conversation with schemas that this backend can read. Run again, it changes nothing."""
    if not dialect.plain_schemas and conversation.tools.once(all_plain):
        return conversation  # nearly all
    tools = Tools([_tool(tool, dialect, notes) for tool in conversation.tools])
    if all(map(_same, tools, conversation.tools)):
        return conversation
    return msgspec.structs.replace(conversation, tools=tools)


def _same(one: Tool, other: Tool) -> bool:
    return one is other


def _tool(tool: Tool, dialect: Dialect, notes: Notes) -> Tool:
    raw = bytes(tool.schema)
    schema = raw if object_root(raw) and b'Of"' not in raw else _object_root(raw, notes)
    if dialect.plain_schemas:
        schema = _plain(schema, notes)
    return tool if schema is raw else msgspec.structs.replace(tool, schema=Raw(schema))


def _read(raw: bytes) -> Schema | None:
    try:
        value: object = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("Schema", value) if isinstance(value, dict) else None


# ------------------------------------------------------------------------------------------------ the root


def _object_root(raw: bytes, notes: Notes) -> bytes:
    schema = _read(raw)
    if schema is None or (schema.get("type") == "object" and not any(name in schema for name in _UNIONS)):
        return raw
    flat = _flat(schema, schema, 0)
    if flat is None:  # an array, a text: a call of such a tool could not be told to the client
        flat = _anything()
    notes.repaired(ROOT)
    return msgspec.json.encode(flat | {name: schema[name] for name in ("$defs", "definitions") if name in schema})


def _flat(schema: object, root: Schema, depth: int) -> Schema | None:
    """One object that takes what `schema` takes of objects; None when it takes none."""
    schema = _referred(schema, root)
    if not isinstance(schema, dict) or depth > 8:
        return _anything() if schema is True else None
    told = cast("Schema", schema)
    kinds = told.get("type", "object")
    if kinds != "object" and not (isinstance(kinds, list) and "object" in kinds):
        return None
    out = {name: value for name, value in told.items() if name not in _UNIONS and name != "$ref"} | {"type": "object"}
    if not isinstance(out.get("properties"), dict):
        out["properties"] = {}
    for union in _UNIONS:
        variants = told.get(union)
        if isinstance(variants, list):
            flats = [_flat(one, root, depth + 1) for one in cast("list[object]", variants)]
            found = [one for one in flats if one is not None]
            if found:
                out = _joined(out, found, every=union == "allOf")
    return out


def _anything() -> Schema:
    return {"type": "object", "properties": {}}


def _referred(schema: object, root: Schema) -> object:
    for _ in range(8):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        schema = _target(cast("Schema", schema)["$ref"], root)
    return cast("object", schema)


def _joined(base: Schema, variants: list[Schema], *, every: bool) -> Schema:
    """`base` and its variants as one object: all hold (`every`), or one of them."""
    properties: dict[str, list[Any]] = {name: [value] for name, value in base["properties"].items()}
    for variant in variants:
        for name, value in variant["properties"].items():
            known = properties.setdefault(name, [])
            if value not in known and name not in base["properties"]:
                known.append(value)
    demands = [set(_required(variant)) for variant in variants]
    added = set[str].union(*demands) if every else set[str].intersection(*demands)
    own = _required(base)
    required = [*own, *sorted(added - set(own))]
    out = {name: value for name, value in base.items() if name not in ("required", "additionalProperties")}
    out["properties"] = {name: many[0] if len(many) == 1 else {"anyOf": many} for name, many in properties.items()}
    return out | {"required": required} if required else out


def _required(schema: Schema) -> list[str]:
    told: object = schema.get("required")
    return [name for name in cast("list[object]", told) if isinstance(name, str)] if isinstance(told, list) else []


# ------------------------------------------------------------------------------------------------ for grammars


def _plain(raw: bytes, notes: Notes) -> bytes:
    body = raw
    if notation := _NOTATION.match(raw):
        body = b"{" + raw[notation.end() :]
    if not any([word in body for word in _WORDS]):  # a search by words is faster than one by an expression
        if body is not raw:
            notes.repaired(SIMPLIFIED)
        return body
    schema = _read(body)
    if schema is None:
        return raw
    plain = _Plainer(schema).schema(schema, ())
    if plain != schema:
        body = msgspec.json.encode(plain)
    if body is not raw:
        notes.repaired(SIMPLIFIED)
    return body


class _Plainer:
    """Walks one schema. `within` are the references that are being resolved: one that is among them is recursive."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._nodes = 0
        self._depth = 0

    def schema(self, schema: object, within: tuple[str, ...]) -> Any:
        self._nodes += 1
        if schema is True or self._nodes > MOST_NODES or self._depth > DEEPEST:
            return {}
        if not isinstance(schema, dict):
            return schema
        self._depth += 1
        told = cast("Schema", schema)
        out = self._resolved(told, within) if "$ref" in told else self._written(told, within)
        self._depth -= 1
        return out

    def _written(self, told: Schema, within: tuple[str, ...]) -> Schema:
        out = {name: self._keyword(name, value, within) for name, value in told.items() if name not in _DROPPED}
        if "patternProperties" in told:
            out.pop("additionalProperties", None)  # what it spoke of may no longer be refused
        if "pattern" in out and out["pattern"] is None:
            del out["pattern"]
        if "oneOf" in out and out["oneOf"] != told["oneOf"]:  # more lenient variants may be met by the same value
            out.setdefault("anyOf", out["oneOf"])
            del out["oneOf"]
        return _without_null(out)

    def _keyword(self, name: str, value: Any, within: tuple[str, ...]) -> Any:
        if name == "pattern":
            return plain_pattern(value) if isinstance(value, str) else None
        if name == "properties" and isinstance(value, dict):
            return {key: self.schema(one, within) for key, one in cast("Schema", value).items()}
        if name == "additionalProperties" and isinstance(value, dict) and not value:
            return True
        if name == "additionalProperties" and isinstance(value, bool):
            return value
        if name in _ONE and isinstance(value, dict | bool):
            return self.schema(cast("object", value), within)
        if (name in _MANY or name == "items") and isinstance(value, list):
            return [self.schema(one, within) for one in cast("list[object]", value)]
        return cast("object", value)

    def _resolved(self, told: Schema, within: tuple[str, ...]) -> Any:
        reference = told["$ref"]
        said = {name: told[name] for name in _SAID if name in told}
        target = _target(reference, self._root)
        if target is None or reference in within:
            return said
        found: object = self.schema(target, (*within, reference))
        return cast("Schema", found) | said if isinstance(found, dict) else said


def _target(reference: object, root: Schema) -> object:
    """What a reference within the schema points to; None for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: object = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or key not in found:
            return None
        found = cast("dict[str, object]", found)[key]
    return found


def _without_null(schema: Schema) -> Schema:
    """An enum of values and null as two variants."""
    values: object = schema.get("enum")
    if not isinstance(values, list) or None not in values:
        return schema
    kinds: object = schema.get("type")
    rest = [value for value in cast("list[object]", values) if value is not None]
    said = {name: schema[name] for name in _SAID if name in schema}
    kept = {name: value for name, value in schema.items() if name not in said}
    if isinstance(kinds, list):
        kept["type"] = [kind for kind in cast("list[object]", kinds) if kind != "null"]
    nothing = {"type": "null"}
    if isinstance(kinds, str) and kinds != "null" and rest:
        return said | kept | {"enum": rest}
    return said | ({"anyOf": [kept | {"enum": rest}, nothing]} if rest else nothing)
