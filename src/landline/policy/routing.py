"""Which served model answers for the name that a client asked for.

Any name is mapped, but in strict settings; there is no 404 for a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from landline.errors import ErrorKind, LandlineError

LONGEST_SHOWN, MOST_SHOWN = 80, 20  # characters of a name, and names, of an error
_LONG_CONTEXT = re.compile(r"(\[1m\])+$", re.IGNORECASE)  # a switch of the client's, not part of the name

# Ids under which served models are listed to clients that show only names which begin with "anthropic".
LISTED_PREFIX = "anthropic.landline."


class Names(Struct, frozen=True):
    """What a name is matched against. `default` may be empty: then the first served model answers."""

    served: tuple[str, ...]
    default: str = ""
    aliases: Mapping[str, str] = {}
    tiers: Mapping[str, str] = {}


class Route(Struct, frozen=True):
    """The served model, and the rule that chose it. `known` False: nothing says that the name means this model."""

    model: str
    rule: str
    known: bool = True


def route(asked: str, names: Names) -> Route:
    """Exact, then alias, then base name and case, then tier, then the default."""
    if asked in names.served:
        return Route(asked, "exact")
    if asked.startswith(LISTED_PREFIX):
        asked = unlisted(asked)
    if asked in names.served:
        return Route(asked, "exact")
    plain = _LONG_CONTEXT.sub("", asked)
    for name, rule in ((asked, "alias"), (plain, "alias")):
        if name in names.aliases:
            return Route(names.aliases[name], rule)
    if plain in names.served:
        return Route(plain, "exact")
    close = _same_base(plain, names.served)
    if len(close) == 1:
        return Route(close[0], "base name")
    several = f": {len(close)} models have that base name" if close else ""
    for tier, model in names.tiers.items():
        if tier.lower() in plain.lower():
            return Route(model, f"tier {tier}{several}")
    default = names.default or (names.served[0] if names.served else plain)
    return Route(default, f"default{several}", known=plain == default)


def check_known(asked: str, chosen: Route, served: Sequence[str]) -> None:
    """For `models.strict`. Raises LandlineError, and not a 404: clients hide the body of that."""
    if not chosen.known:
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"model: {asked[:LONGEST_SHOWN]!r} is not served here",
            hint=f"Served: {', '.join(served[:MOST_SHOWN]) or 'none'}. Or give it a name in models.aliases, or switch "
            "models.strict off.",
        )


def _same_base(asked: str, served: Sequence[str]) -> list[str]:
    """The served models with the same last path part, whatever the case: where there are several, none is meant."""
    wanted = asked.rpartition("/")[2].lower()
    return [name for name in served if name.rpartition("/")[2].lower() == wanted]


def listed(model: str) -> str:
    """The id under which a served model is listed to clients that want names like Anthropic's.

    Reversible, and without a tier's name in it: clients give models with such names another prompt. A mark behind the
    first letter breaks the names of tiers; a mark that is part of the model's own name is doubled.
    """
    return LISTED_PREFIX + _TIER_LETTER.sub(r"\1~", model.replace("~", "~~"))


def unlisted(ident: str) -> str:
    return _MARK.sub(r"\1", ident.removeprefix(LISTED_PREFIX))


# Looks ahead, because names may overlap: "opusonnet".
_TIER_LETTER = re.compile("(?=opus|sonnet|haiku|fable)(.)", re.IGNORECASE)
_MARK = re.compile("~(~?)")
