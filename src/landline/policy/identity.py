"""Whose turn a request is: the session and the subagent that its client names, and how a backend is told of them.

Each client has headers of its own for it. They are read into one name for the session and one for the subagent, by
which replicas, caches and repeats are chosen here, and which are told on in the headers that routers read. Nothing else
of a client's headers goes on: what it is logged in with stays here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw, Struct, UnsetType

# Claude Code, OpenCode, Codex, in the order of trust. Qwen Code 0.15.10 names none.
SESSION_HEADERS = (b"x-claude-code-session-id", b"x-session-id", b"x-session-affinity", b"session-id")
AGENT_HEADER = b"x-claude-code-agent-id"
CODEX_SESSION, CODEX_THREAD = b"session-id", b"thread-id"  # they are the same, but for its subagents (0.169.0)
IDENTITY_HEADERS = frozenset((*SESSION_HEADERS, AGENT_HEADER, CODEX_THREAD))
LONGEST_SESSION = 120
_PLAIN = re.compile(f"[!-~]{{1,{LONGEST_SESSION}}}")


class _Metadata(Struct, frozen=True):
    user_id: str = ""


class _UserId(Struct, frozen=True):
    session_id: str = ""


def session_of(told: Mapping[bytes, str]) -> str:
    """The session that the headers name; empty where they name none."""
    return session_name(next(filter(None, map(told.get, SESSION_HEADERS)), ""))


def agent_of(told: Mapping[bytes, str]) -> str:
    """The subagent that asks; empty for the main loop."""
    thread = told.get(CODEX_THREAD, "")
    return session_name(told.get(AGENT_HEADER, "") or ("" if thread == told.get(CODEX_SESSION) else thread))


def told_to(
    headers: dict[str, str], session: str, agent: str, session_headers: Iterable[str], agent_header: str
) -> dict[str, str]:
    """`headers` and, behind them, who asks. Without a session nobody can be kept together."""
    if not session:
        return headers
    told = {**headers, **dict.fromkeys(session_headers, session)}
    if agent and agent_header:
        told[agent_header] = agent
    return told


def session_name(told: str) -> str:
    """A session's id as it may stand in logs and headers: as told, or its digest when it is long or oddly spelled."""
    if not told or _PLAIN.fullmatch(told):
        return told
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def session_of_metadata(metadata: Raw | UnsetType) -> str:
    """The session in `metadata` of a Messages request; empty where there is none.

    Claude Code writes JSON into the string `user_id` (2.1.100 to 2.1.329). The rest of it names a device and an
    account, and is not read.
    """
    if isinstance(metadata, UnsetType) or b"session_id" not in bytes(metadata):
        return ""
    try:
        told = msgspec.json.decode(metadata, type=_Metadata).user_id
        return session_name(msgspec.json.decode(told, type=_UserId).session_id)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
