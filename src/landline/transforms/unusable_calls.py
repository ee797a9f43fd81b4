"""Finished calls that no client can run, and those that do not say which tool they call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from landline.core.lenient_json import read_json
from landline.core.model import Tools
from landline.core.schema_fit import Fitter
from landline.families.tool_parsers.toolbox import RequestTools

NOTHING_CALLED = "a call without name and arguments"
NO_SUCH_TOOL = "a call of a tool that there is not"
NO_OBJECT = "a call whose arguments are no JSON object"
INCOMPLETE = "a call without a required argument"

# What stands in the place of a name when a model has none: very small models, and Harmony's channels.
_NAMELESS = frozenset(("", "unknown", "none", "null", "undefined", "json", "function", "tool", "tool_call"))
_SCHEMA_WORDS = frozenset(("type", "properties"))
_MOST_TRIED = 64  # tools


def unusable(toolbox: RequestTools, name: str, arguments: str) -> str:
    """Why this finished call is worth asking the model once more; empty where it can be run."""
    value = read_json(arguments.strip() or "{}")
    if not name.strip():
        return NOTHING_CALLED if not value else NO_SUCH_TOOL
    if not isinstance(value, dict):
        return NO_OBJECT
    if toolbox.find(name) is None:
        return NO_SUCH_TOOL
    schema = toolbox.schema(name)
    return INCOMPLETE if any(wanted not in value for wanted in Fitter(schema).required(schema)) else ""


def null_required(schema: Mapping[str, Any], arguments: str) -> bool:
    """Whether a required argument is null that may not be: what it was is not known any more."""
    value = read_json(arguments) if "null" in arguments else None
    if not isinstance(value, dict):
        return False
    given, fitter = cast("dict[str, Any]", value), Fitter(schema)
    properties = fitter.properties(schema)
    wanted = [name for name in fitter.required(schema) if name in properties and given.get(name, "") is None]
    return any("null" not in fitter.types(properties[name]) for name in wanted)


def is_nameless(name: str) -> bool:
    """Whether a name that is no tool's says nothing at all."""
    return name.partition("<|")[0].strip().lower() in _NAMELESS


def tool_that_fits(arguments: str, tools: Tools, toolbox: RequestTools) -> str:
    """The only tool that takes these arguments, each of them by its name; empty where none does, or several do."""
    value = read_json(arguments)
    if not isinstance(value, dict) or not value or len(tools) > _MOST_TRIED:
        return ""
    given = cast("dict[str, Any]", value)
    fitting = [tool.name for tool in tools if _takes(toolbox.schema(tool.name), given)]
    return fitting[0] if len(fitting) == 1 else ""


def _takes(schema: Mapping[str, Any], given: dict[str, Any]) -> bool:
    fitter = Fitter(schema)
    return given.keys() <= fitter.properties(schema).keys() and fitter.fits(given, schema)


def repeats_schema(arguments: str) -> bool:
    """Whether the arguments are a JSON Schema, or hold one as `parameters`."""
    value = read_json(arguments)
    if not isinstance(value, dict):
        return False
    given = cast("dict[str, Any]", value)
    inner: object = given.get("parameters", given.get("input_schema", given))
    return isinstance(inner, dict) and cast("dict[str, Any]", inner).keys() >= _SCHEMA_WORDS
