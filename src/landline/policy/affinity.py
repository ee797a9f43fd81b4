"""Which replica answers a session: always the same one while it answers, so that the prompt stays in its cache.

Rendezvous hashing: each replica gets a weight from session and address, the highest weight wins. It keeps no state, so
a restart, and other gateway processes with the same settings, choose alike; when a replica goes, only its own sessions
move. Subagents share the system prompt and the tools of their main loop, so an agent's id has no part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def ranked(session: str, replicas: Sequence[str]) -> list[str]:
    """The addresses from the first choice to the last. The whole id counts: ids with one beginning are apart."""
    if len(replicas) < 2:
        return list(replicas)
    return sorted(replicas, key=lambda address: (_weight(session, address), address), reverse=True)


def _weight(session: str, address: str) -> bytes:
    # The NUL cannot stand in either of them: no two pairs make the same text.
    return hashlib.blake2b(f"{session}\0{address}".encode(), digest_size=8).digest()
