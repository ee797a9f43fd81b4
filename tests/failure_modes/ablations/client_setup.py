"""Without these, names and addresses that people and clients use find no model, and nobody says why."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httptools

from landline.policy.routing import Route
from tests.failure_modes.ablation import Ablation


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _only_exact(asked: str, names: Any) -> Route:
    return Route(asked, "exact")


def _none(asked: str, served: Any) -> list[str]:
    return []


def _first(asked: str, served: Any) -> list[str]:
    wanted = asked.rpartition("/")[2].lower()
    return [name for name in served if name.rpartition("/")[2].lower() == wanted][:1]


def _as_it_is(text: str) -> str:
    return text


def _empty(*args: Any) -> dict[str, str]:
    return {}


def _no_exceptions(base_url: str, wanted: Any) -> dict[str, str]:
    return {}


def _false(*args: Any) -> bool:
    return False


def _true(*args: Any) -> bool:
    return True


def _none_added(args: Any, documents: Any, version: str) -> tuple[str, ...]:
    return ()


def _first_value(values: Any, name: str) -> Any:
    found = values.get(name)
    return found[0] if found and found[0].text else None


def _no_features(state: Any) -> Iterator[tuple[str, str]]:
    yield "tool search", "on"


def _id_only(exchange: Any) -> list[tuple[bytes, bytes]]:
    return [(b"request-id", exchange.id.encode())]


def _whole_url(url: bytes) -> Any:
    parsed = httptools.parse_url(url)
    return SimpleNamespace(path=url if parsed.query else parsed.path, query=b"")


_keeping_queries = SimpleNamespace(**vars(httptools) | {"parse_url": _whole_url})

ABLATIONS = (
    Ablation("any_path", "paths with too much in them", "landline.server.frame:_canonical", _nothing),
    Ablation("queries_apart", "a query is no part of a path", "landline.server.connection:httptools", _keeping_queries),
    Ablation("any_name", "every name finds a model", "landline.policy.routing:route", _only_exact),
    Ablation("strict_names", "strict settings refuse", "landline.policy.routing:check_known", _nothing),
    Ablation("base_names", "the name behind the slash", "landline.policy.routing:_same_base", _none),
    Ablation("shared_base_names", "one of several is not guessed", "landline.policy.routing:_same_base", _first),
    Ablation("listed_ids", "ids that the picker shows", "landline.policy.routing:listed", _as_it_is),
    Ablation("tier_variables", "launch names the model of each tier", "landline.clients.claude_code:_models", _empty),
    Ablation(
        "proxy_exceptions",
        "launch keeps proxies away from loopback",
        "landline.clients.claude_code:proxy_exceptions",
        _no_exceptions,
    ),
    Ablation(
        "proxy_seen", "the doctor sees a proxy that catches", "landline.clients.doctor.address:is_excepted", _true
    ),
    Ablation(
        "discovery_switch",
        "launch has the picker filled",
        "landline.clients.claude_code:DISCOVERY_VARIABLE",
        "CLAUDE_CODE_NOTHING",
    ),
    Ablation(
        "permission_argument",
        "launch keeps the screen out of its mode auto",
        "landline.clients.claude_code:permission_arguments",
        _none_added,
    ),
    Ablation(
        "value_in_force", "the highest source wins", "landline.clients.doctor.settings_in_force:_last", _first_value
    ),
    Ablation("placeholders", "placeholders are found", "landline.clients.doctor.address:is_placeholder", _false),
    Ablation("feature_report", "features, each by itself", "landline.clients.doctor.features:_told", _no_features),
    Ablation("told_of_itself", "answers tell what they are", "landline.server.answer:exchange_headers", _id_only),
)
