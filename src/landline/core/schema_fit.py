"""Whether a value fits a JSON Schema, and what was meant by one that does not, where only one thing can be meant.

Nothing is invented: a value is decoded from a text, wrapped into the list that was asked for, or left out where it says
"nothing"; a default is the schema's own. What still does not fit then stays as it was. Keywords that only narrow a type
(pattern, minimum, ...) are not looked at: a value that breaks those is the model's own to mend. The work is bounded,
whatever schema and value: beyond the bound everything fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from landline.core.lenient_json import UNREAD, read_lenient
from landline.core.near_names import plain
from landline.core.typed_text import read_as

Schema = Mapping[str, Any]

MOST_STEPS = 20_000
_DEEPEST = 32
_UNIONS = ("anyOf", "oneOf")
_NOTHING = ("null", "None")
ANYTHING: Schema = {}
JSON_TYPES = frozenset(("null", "integer", "number", "boolean", "object", "array", "string"))

# A required field = what models call it. Only names that were seen in its place; spelling aside, see `Fitter.renamed`.
SYNONYMS = {
    "command": ("cmd",),  # Codex and most shell tools call it so
    "cmd": ("command",),
    "file_path": ("path", "filename", "file"),  # MCP's filesystem server, aider, and others
    "path": ("file_path", "filename", "file"),
    "content": ("contents", "text", "file_text"),  # file_text: Anthropic's own editor tool
    "old_string": ("old_str",),  # Anthropic's own editor tool
    "new_string": ("new_str",),
}


def type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) or value.is_integer() else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


class Fitter:
    """For the arguments of one call; `root` is the schema in which references are looked up."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._steps = 0
        self._types: dict[int, frozenset[str]] = {}  # of schemas by their identity: all of them are parts of the root

    # ------------------------------------------------------------------------------------------------ reading schemas

    def resolved(self, schema: object) -> Schema:
        """The schema behind references; one that allows anything where it cannot be read."""
        for _ in range(8):
            if not isinstance(schema, dict):
                return ANYTHING
            told = cast("dict[str, Any]", schema)
            if "$ref" not in told:
                return told
            schema = self._target(told["$ref"])
        return ANYTHING

    def _target(self, reference: object) -> object:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        found: object = self._root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                return None
            found = cast("dict[str, object]", found)[key]
        return found

    def types(self, schema: object) -> frozenset[str]:
        """The JSON types that a schema allows; all of them where it names none."""
        told = self.resolved(schema)
        if told is ANYTHING:
            return JSON_TYPES
        if id(told) not in self._types:
            self._types[id(told)] = JSON_TYPES  # for a schema that is a variant of itself
            self._types[id(told)] = self._allowed(told)
        return self._types[id(told)]

    def _allowed(self, told: Schema) -> frozenset[str]:
        named: object = told.get("type")
        names = cast("list[object]", named) if isinstance(named, list) else [named]
        found = frozenset(name for name in names if isinstance(name, str) and name in JSON_TYPES)
        if "number" in found:
            found |= {"integer"}
        values: object = told.get("enum", [told["const"]] if "const" in told else None)
        if isinstance(values, list):
            listed = frozenset(type_of(value) for value in cast("list[object]", values))
            found = found & listed if found else listed
        for branches in self._branches(told):
            allowed = frozenset[str]().union(*map(self.types, branches))
            found = found & allowed if found else allowed
        return found or JSON_TYPES

    @staticmethod
    def _branches(told: Schema) -> list[list[object]]:
        lists = [told.get(union) for union in _UNIONS]
        return [cast("list[object]", branches) for branches in lists if isinstance(branches, list) and branches]

    def properties(self, schema: Schema) -> Mapping[str, Any]:
        told: object = schema.get("properties")
        return cast("dict[str, Any]", told) if isinstance(told, dict) else {}

    def required(self, schema: Schema) -> list[str]:
        told: object = schema.get("required")
        names = cast("list[object]", told) if isinstance(told, list) else []
        return [name for name in names if isinstance(name, str)]

    def only_branch(self, schema: object, kind: str) -> Schema | None:
        """The one schema that decides about a value of this kind; None where several may."""
        told = self.resolved(schema)
        for _ in range(8):
            unions = self._branches(told)
            if not unions and "allOf" not in told:
                return told
            allowing = [branch for branches in unions for branch in branches if kind in self.types(branch)]
            if len(unions) != 1 or len(allowing) != 1 or "allOf" in told or "properties" in told:
                return None
            told = self.resolved(allowing[0])
        return None

    # ------------------------------------------------------------------------------------------------ does it fit?

    def fits(self, value: object, schema: object, depth: int = 0) -> bool:
        self._steps += 1
        if self._steps > MOST_STEPS or depth > _DEEPEST or schema is True:
            return True
        if schema is False:
            return False
        told = self.resolved(schema)
        if type_of(value) not in self.types(told) or not _listed(value, told):
            return False
        for branches in self._branches(told):
            if not any(self.fits(value, branch, depth + 1) for branch in branches):
                return False
        every: object = told.get("allOf")
        if isinstance(every, list) and not all(self.fits(value, one, depth + 1) for one in cast("list[object]", every)):
            return False
        if isinstance(value, dict):
            return self._members_fit(cast("dict[str, object]", value), told, depth)
        items = cast("object", told.get("items"))
        if not isinstance(value, list) or not isinstance(items, dict | bool):
            return True
        inner = cast("dict[str, object] | bool", items)
        return all(self.fits(item, inner, depth + 1) for item in cast("list[object]", value))

    def _members_fit(self, value: dict[str, object], told: Schema, depth: int) -> bool:
        properties, more = self.properties(told), told.get("additionalProperties", True)
        if any(name not in value for name in self.required(told)):
            return False
        if "patternProperties" in told:
            more = True
        return all(self.fits(one, properties.get(name, more), depth + 1) for name, one in value.items())

    # ------------------------------------------------------------------------------------------------ what was meant

    def meant(self, value: object, schema: object, depth: int = 0) -> object:
        """A value that fits, where one is meant; the same object where it fits already, or nothing is sure."""
        if self.fits(value, schema) or depth > _DEEPEST:
            return value
        told = self.resolved(schema)
        for branches in self._branches(told):
            for branch in branches:
                found = self.meant(value, branch, depth + 1)
                if found is not value and self.fits(found, told):
                    return found
        return self._first_fitting(value, told, depth)

    def _first_fitting(self, value: object, told: Schema, depth: int) -> object:
        types = self.types(told)
        found: object = value
        if isinstance(value, str) and "string" not in types:
            decoded = self._decoded(value, types)
            found = value if isinstance(decoded, str) else self.meant(decoded, told, depth + 1)
            if found is not value and self.fits(found, told):
                return found
        members = _object(value)
        if members is not None and "object" in types:
            found = self.members_meant(members, told, depth + 1)
        elif "array" in types:
            found = self._items_meant(value, told.get("items"), depth + 1)
        return found if self.fits(found, told) else value

    def _items_meant(self, value: object, items: object, depth: int) -> list[object]:
        inner = cast("list[object]", value) if isinstance(value, list) else [value]
        schema = _object(items)
        return inner if schema is None else [self.meant(item, schema, depth) for item in inner]

    @staticmethod
    def _decoded(text: str, types: frozenset[str]) -> object:
        """The value that a text stands for where no text is allowed; the text itself where it stands for none."""
        read = read_as(text, {"type": sorted(types)})
        if not isinstance(read, str) or not text.lstrip().startswith(("[", "{")):
            return read
        found = read_lenient(text)
        return text if found is UNREAD else found

    def members_meant(self, value: dict[str, object], schema: object, depth: int = 0) -> dict[str, object]:
        """The object with each member as it was meant; those that are not sure stay as they are."""
        told = self.resolved(schema)
        properties, required = self.properties(told), self.required(told)
        found: dict[str, object] = {}
        for name, one in self.renamed(value, told).items():
            if name not in properties:
                found[name] = one
                continue
            needed = name in required
            if not self.says_nothing(one, properties[name], required=needed):
                found[name] = self.meant(one, properties[name], depth + 1)
            elif needed:
                found[name] = None
        for name, default in self.defaults(found, told).items():
            found[name] = default
        return found

    def says_nothing(self, value: object, schema: object, *, required: bool) -> bool:
        """Whether a member is there only to say that it is not; a required one, only if it may be null."""
        types = self.types(schema)
        if value is None:
            return not required and "null" not in types
        if not isinstance(value, str) or value not in _NOTHING:
            return False
        listed = self.resolved(schema).get("enum")
        if isinstance(listed, list) and value in listed:
            return False
        return not required or "null" in types

    def defaults(self, present: Mapping[str, object], told: Schema) -> dict[str, object]:
        """The required members that are missing and have a default."""
        properties = self.properties(told)
        found: dict[str, object] = {}
        for name in self.required(told):
            schema = properties.get(name)
            if name not in present and isinstance(schema, dict) and "default" in schema:
                default: object = cast("dict[str, object]", schema)["default"]
                if self.fits(default, cast("object", schema)):
                    found[name] = default
        return found

    # ------------------------------------------------------------------------------------------------ names of members

    def wanted(self, name: str, told: Schema) -> list[str]:
        """The required members that may be meant by a member that the schema does not know."""
        properties = self.properties(told)
        if name in properties:
            return []
        spelled = plain(name)
        return [
            wanted
            for wanted in self.required(told)
            if wanted in properties and (plain(wanted) == spelled or name in SYNONYMS.get(wanted, ()))
        ]

    def renamed(self, value: dict[str, object], told: Schema) -> dict[str, object]:
        """Members under the names that the schema knows, where one name only can be meant, and it is missing."""
        meant: dict[str, list[str]] = {}
        for name in value:
            for wanted in self.wanted(name, told):
                meant.setdefault(wanted, []).append(name)
        names: dict[str, str] = {}
        for wanted, found in meant.items():
            name, schema = found[0], self.properties(told)[wanted]
            sure = wanted not in value and len(found) == 1 and name not in names
            if sure and self.fits(self.meant(value[name], schema), schema):
                names[name] = wanted
        return {names.get(name, name): one for name, one in value.items()} if names else value


def _object(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _listed(value: object, told: Schema) -> bool:
    values: object = told.get("enum")
    if isinstance(values, list) and value not in cast("list[object]", values):
        return False
    return "const" not in told or told["const"] == value
