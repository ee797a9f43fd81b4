"""Without these, nobody sees afterwards what a request met, or sees more of it than he should."""

from __future__ import annotations

from typing import Any

from tests.failure_modes.ablation import Ablation


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _untimed(self: Any, *_: object) -> None:
    pass


def _whole_key(presented: Any) -> str:
    return f"a key that begins with {presented[0]!r}" if presented else "no key"


def _as_it_came(self: Any, body: bytes) -> bytes:
    return body


def _no_secrets(loaded: Any, environ: Any) -> tuple[str, ...]:
    return ()


def _uncounted(self: Any, exchange: Any) -> None:
    self._outcomes[exchange.outcome.value] += 1


ABLATIONS = (
    Ablation("totals", "repeats, alerts and time of our own are summed", "landline.server.live:Totals.add", _uncounted),
    Ablation(
        "backend_time",
        "waiting for the backend is no time of ours",
        "landline.server.waiting:Waiting.__exit__",
        _untimed,
    ),
    Ablation(
        "refused_logins", "refused logins are told with their address", "landline.server.answer:note_stranger", _nothing
    ),
    Ablation("key_marks", "of a key its beginning alone", "landline.policy.auth:key_mark", _whole_key),
    Ablation(
        "backend_key_hidden",
        "the backend's key leaves its own words",
        "landline.upstream.backend:Backend.without_key",
        _as_it_came,
    ),
    Ablation("report_secrets", "keys leave a report", "landline.clients.bug_report:known_secrets", _no_secrets),
)
