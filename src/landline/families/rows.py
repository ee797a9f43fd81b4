"""The rows of a table of families: their fields, and the decoding that checks them.

A row may say `like = "NAME"`: what it leaves out is as in that row, of its own table or of the one below it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from landline.core.model import Sampling

MOST_ROWS = 1000
# What a row is found by is its own, and so are its evidence and examples: none of it comes from another row.
_OWN = ("name", "match", "template_has", "architectures", "examples", "evidence", "like")


class Quirk(StrEnum):
    ALTERNATING_ROLES = "alternating_roles"  # user messages and answers without calls must alternate; none is empty
    NO_USER_AFTER_TOOL = "no_user_after_tool"  # behind a tool message only the model may speak
    NINE_CHARACTER_CALL_IDS = "nine_character_call_ids"
    KIMI_CALL_IDS = "kimi_call_ids"  # functions.NAME:INDEX
    LISTED_TOOLS_ONLY = "listed_tools_only"  # vLLM's parser drops calls of tools that are not in the list


QUIRKS_IN_WORDS: dict[Quirk, str] = {
    Quirk.ALTERNATING_ROLES: "the template wants the user and the assistant to alternate, and no empty answer",
    Quirk.NO_USER_AFTER_TOOL: "the template takes no user message behind a tool's result",
    Quirk.NINE_CHARACTER_CALL_IDS: "call ids have nine letters and digits",
    Quirk.KIMI_CALL_IDS: "call ids are functions.NAME:INDEX",
    Quirk.LISTED_TOOLS_ONLY: "vLLM's parser drops calls of tools that are not in the request's list",
}


class SamplingStatus(StrEnum):
    """How well the numbers are founded. Only what a recipe or the model's card says is ever sent."""

    RECIPE = "recipe"
    CARD = "card"
    THIRD_PARTY = "third-party"
    INFERRED = "inferred"
    UNVERIFIED = "unverified"

    @property
    def is_sent(self) -> bool:
        return self in (SamplingStatus.RECIPE, SamplingStatus.CARD)


class FamilySampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recommended for the family, and by whom."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    status: SamplingStatus
    source: Annotated[str, Meta(min_length=1)]

    def __post_init__(self) -> None:
        if any(value is not None and not math.isfinite(value) for value in (self.temperature, self.top_p)):
            raise ValueError("sampling is no number")

    @property
    def values(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, self.top_k)


class VllmArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What vLLM is started with, beside the parsers. What depends on the machine is not here."""

    always: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()  # for tool calls
    reasoning: tuple[str, ...] = ()  # together with the reasoning parser
    text_only: tuple[str, ...] = ()  # leaves the vision part out
    env: dict[str, str] = {}


class Family(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the table; families.toml explains the fields."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    match: tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...] = ()
    template_has: tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...] = ()
    architectures: tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...] = ()
    tool_parser: str = ""
    also_writes: tuple[str, ...] = ()
    reasoning_parser: str = ""
    sampling: FamilySampling | None = None
    min_version: str = ""
    vllm_args: VllmArguments = VllmArguments()
    context: Annotated[int, Meta(ge=0)] = 0
    quirks: tuple[Quirk, ...] = ()
    keep_thinking: dict[str, bool] = {}
    drops_thinking: bool = False
    efforts: tuple[str, ...] = ()
    effort_in_template: bool = False
    examples: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.match or self.template_has or self.architectures):
            raise ValueError("a family without a pattern (match)")
        if any(set("?[]") & set(glob) for glob in (*self.match, *self.architectures)):
            raise ValueError("a pattern with ? or [ (the only wildcard is *)")

    @property
    def sent_sampling(self) -> Sampling:
        """What may be sent for it: nothing where the numbers are not the recipe's or the card's."""
        told = self.sampling
        return told.values if told is not None and told.status.is_sent else Sampling()


class FamilyTableError(ValueError):
    """A table that is not one; says which row and field."""


class Rows(Struct, frozen=True):
    """`raw` are the rows by name as they stand in the table, for rows of another table that are like them."""

    families: tuple[Family, ...]
    raw: dict[str, dict[str, Any]]


def read_rows(table: bytes, *, others: Mapping[str, dict[str, Any]] | None = None) -> Rows:
    """Decodes a table. `others` are the rows of the table below it, for `like`. Raises FamilyTableError."""
    rows = _tables(table)
    own: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = row.get("name")
        if isinstance(name, str) and own.setdefault(name, row) is not row:
            raise FamilyTableError(f"{_called(rows, row)}: there is a row of this name already.")
    whole = {name: _whole(rows, row, own, others or {}) for name, row in own.items()}
    families = tuple(_family(rows, row, whole) for row in rows)
    return Rows(families, {**(others or {}), **whole})


def _tables(table: bytes) -> list[dict[str, Any]]:
    try:
        data = tomllib.loads(table.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise FamilyTableError(f"not valid TOML: {str(error).splitlines()[0]}.") from None
    unknown = sorted(set(data) - {"family"})
    if unknown:
        raise FamilyTableError(f"unknown key {unknown[0]}: families are tables [[family]].")
    rows: object = data.get("family", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[object]", rows)):
        raise FamilyTableError("families are tables [[family]].")
    if len(found := cast("list[dict[str, Any]]", rows)) > MOST_ROWS:
        raise FamilyTableError(f"more than {MOST_ROWS} families.")
    return found


def _whole(
    rows: list[dict[str, Any]],
    row: dict[str, Any],
    own: Mapping[str, dict[str, Any]],
    others: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """The row with what it takes from those that it is like."""
    chain, seen = [row], {row["name"]}
    while "like" in chain[-1]:
        like: object = chain[-1]["like"]
        # A row may be like the one of its own name in the table below: that one, changed.
        below = like == chain[-1].get("name")
        base = (None if below else own.get(str(like))) or others.get(str(like))
        if base is None or not isinstance(like, str) or (like in seen and not below):
            raise FamilyTableError(f"{_called(rows, row)}, field like: there is no other row of that name to be like.")
        seen.add(like)
        chain.append(base)
        if base is not own.get(like):
            break  # rows of the other table are whole
    whole: dict[str, Any] = {}
    for link in reversed(chain):
        whole |= {field: value for field, value in link.items() if link is row or field not in _OWN}
    return whole


def _family(rows: list[dict[str, Any]], row: dict[str, Any], whole: Mapping[str, dict[str, Any]]) -> Family:
    name = row.get("name")
    told = whole.get(name, row) if isinstance(name, str) else row
    try:
        return msgspec.convert({field: value for field, value in told.items() if field != "like"}, Family)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        field = place.rstrip("`").lstrip(".")
        raise FamilyTableError(f"{_called(rows, row)}{f', field {field}' if field else ''}: {what}.") from None


def _called(rows: list[dict[str, Any]], row: dict[str, Any]) -> str:
    name = row.get("name")
    number = next(number for number, other in enumerate(rows, 1) if other is row)
    return f"row {number} ({name[:100]})" if isinstance(name, str) and name else f"row {number}"
