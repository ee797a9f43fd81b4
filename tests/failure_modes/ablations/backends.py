"""Without these, requests of one session are scattered over the replicas, or sent where nobody answers."""

from __future__ import annotations

from typing import Any

from tests.failure_modes.ablation import Ablation

_turns = iter(range(10**9))


def _round_robin(session: str, replicas: Any) -> list[str]:
    turn = next(_turns) % max(len(replicas), 1)
    return [*replicas[turn:], *replicas[:turn]]


def _by_beginning(session: str, address: str) -> bytes:
    import hashlib

    return hashlib.blake2b(f"{session[:8]}\0{address}".encode(), digest_size=8).digest()


def _by_place(session: str, address: str) -> bytes:
    return address.encode()


def _no_session(metadata: Any) -> str:
    return ""


def _gives_up(self: Any, backend: Any, exchange: Any, error: Any) -> None:
    backend.failed(error.text)


def _says_nothing(self: Any, backend: Any, exchange: Any) -> Any:
    return backend.headers


ABLATIONS = (
    Ablation("session_affinity", "a session stays with its replica", "landline.policy.affinity:ranked", _round_robin),
    Ablation("whole_session_id", "the whole id decides", "landline.policy.affinity:_weight", _by_beginning),
    Ablation("session_hash", "the session decides", "landline.policy.affinity:_weight", _by_place),
    Ablation(
        "session_of_metadata",
        "the session in the metadata",
        "landline.policy.identity:session_of_metadata",
        _no_session,
    ),
    Ablation("next_replica", "a replica that is gone is left", "landline.server.line:Line.after_failure", _gives_up),
    Ablation("agent_header", "routers are told the subagent", "landline.policy.identity:agent_of", lambda told: ""),
    Ablation("session_header", "routers are told the session", "landline.server.line:Line.headers_for", _says_nothing),
)
