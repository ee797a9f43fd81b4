"""Model families, decoded from their table: which one a served model belongs to, and what that means for requests.

Reads bytes, not files: who composes the gateway passes the tables in. Decoding is the check; an unknown field, quirk
or row, a pattern that is none and a family without patterns are errors that name the row and the field.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from landline.families.matching import Evidence, MatchedOn, fits, names_of
from landline.families.rows import Family, Quirk, SamplingStatus, read_rows
from landline.protocols.openai_chat.dialect import CallIds, Dialect

EFFORT_ARGUMENT = "reasoning_effort"  # by this name in every template that is known

__all__ = [
    "Family",
    "Match",
    "MatchedOn",
    "Quirk",
    "Registry",
    "SamplingStatus",
    "read_families",
    "syntaxes_of",
    "with_family",
]


class Match(Struct, frozen=True):
    """Why a served model is taken for one of `family`: `pattern` fits `value`, which the server told as `on`."""

    family: Family
    on: MatchedOn
    pattern: str
    value: str = ""  # empty for a template, which is long
    overlay: bool = False  # a row of the user's own file


class Registry:
    """Finds the family of a served model. The rows of the user's overlay stand before ours."""

    def __init__(self, families: tuple[Family, ...] = (), *, overlay: tuple[Family, ...] = ()) -> None:
        self.families = families
        self.overlay = overlay

    def match(self, model_id: str, *, root: str = "", template: str = "", architecture: str = "") -> Match | None:
        """By the served id, else by what else the server tells, the surest first.

        A template decides what the model is shown and how it calls; several families share an architecture.
        """
        told = (
            (MatchedOn.ID, names_of(model_id)),
            (MatchedOn.ROOT, names_of(root)),
            (MatchedOn.TEMPLATE, (template,) if template else ()),
            (MatchedOn.ARCHITECTURE, (architecture.lower(),) if architecture else ()),
        )
        found = (self._first(on, names) for on, names in told)
        return next((match for match in found if match is not None), None)

    def family(self, model_id: str) -> Family | None:
        """By the served id alone."""
        match = self.match(model_id)
        return match.family if match else None

    def _first(self, on: MatchedOn, names: tuple[str, ...]) -> Match | None:
        """The nearest name counts before a wider one (its folder), and each is tried on all rows of one table."""
        for rows in (self.overlay, self.families):
            fitting = ((one, name) for name in names for one in _patterns(rows, on) if fits(one[1], name, on))
            for (family, pattern), name in fitting:
                value = "" if on is MatchedOn.TEMPLATE else name
                return Match(family, on, " and ".join(pattern), value, rows is self.overlay)
        return None


def _patterns(rows: tuple[Family, ...], on: MatchedOn) -> Iterator[tuple[Family, Evidence]]:
    """Each row with each of its patterns. A template must have all markers of a row, so they are one pattern."""
    for family in rows:
        if on is MatchedOn.TEMPLATE:
            if family.template_has:
                yield family, family.template_has
        else:
            globs = family.architectures if on is MatchedOn.ARCHITECTURE else family.match
            yield from ((family, (glob.lower(),)) for glob in globs)


def read_families(table: bytes, *, overlay: bytes | None = None) -> Registry:
    """Raises FamilyTableError (a ValueError) for a table that is not one; `overlay` is the user's own."""
    rows = read_rows(table)
    if overlay is None:
        return Registry(rows.families)
    return Registry(rows.families, overlay=read_rows(overlay, others=rows.raw).families)


def syntaxes_of(family: Family | None) -> tuple[str, ...]:
    """vLLM's names of the syntaxes in which its models write calls: the trained one first, then known slips."""
    if family is None:
        return ()
    return tuple(dict.fromkeys(filter(None, (family.tool_parser, *family.also_writes))))


def with_family(dialect: Dialect, family: Family | None) -> Dialect:
    """What a server of `dialect` accepts while it serves a model of `family`."""
    if family is None:
        return dialect
    quirks = family.quirks
    efforts, argument = _efforts(dialect, family)
    keep = tuple(family.keep_thinking.items()) if dialect.template_arguments else ()
    return msgspec.structs.replace(
        dialect,
        alternating_roles=dialect.alternating_roles or Quirk.ALTERNATING_ROLES in quirks,
        user_after_tool=dialect.user_after_tool and Quirk.NO_USER_AFTER_TOOL not in quirks,
        call_ids=_call_ids(quirks) or dialect.call_ids,
        calls_unlisted_tools=dialect.calls_unlisted_tools and Quirk.LISTED_TOOLS_ONLY not in quirks,
        keep_thinking=keep,
        drops_thinking=family.drops_thinking or (bool(family.keep_thinking) and not keep),
        efforts=efforts,
        effort_argument=argument,
        tool_parsers=syntaxes_of(family),
        reasoning_parser=family.reasoning_parser,
        thinks=bool(family.reasoning_parser) if family.tool_parser else None,
    )


def _efforts(dialect: Dialect, family: Family) -> tuple[tuple[str, ...], str]:
    """The efforts that can be sent, and the argument of the template that carries them (empty: the field)."""
    if dialect.template_arguments and (family.effort_in_template or not dialect.effort_field):
        return family.efforts, EFFORT_ARGUMENT
    return (family.efforts, "") if dialect.effort_field and not family.effort_in_template else ((), "")


def _call_ids(quirks: tuple[Quirk, ...]) -> CallIds | None:
    if Quirk.NINE_CHARACTER_CALL_IDS in quirks:
        return CallIds.NINE
    return CallIds.KIMI if Quirk.KIMI_CALL_IDS in quirks else None
