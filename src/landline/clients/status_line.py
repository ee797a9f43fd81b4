"""One line about the model server for a client's own screen, from what the gateway says of itself.

Runs at every turn of the client, so it imports next to nothing, asks once and briefly, and says nothing rather than
something wrong: without an answer the line is empty. What it shows is somebody else's text and made harmless.
"""

from __future__ import annotations

import http.client
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Any, cast

TIMEOUT_S = 0.5
LARGEST_ANSWER = 4 * 1024 * 1024  # bytes
LARGEST_INPUT = 1024 * 1024
LARGEST_NUMBER = 10**9  # of tokens or milliseconds: a larger one is none
NAME_WIDTH = 40
FEWEST_TOKENS = 8  # of an answer, for its speed to mean something
SHORTEST_MS = 50.0  # the same for the time that they took
SESSION_SHOWN = 8  # characters of a session that the gateway tells
LOCAL = ("http://127.0.0.1:", "http://localhost:", "http://[::1]:")

Row = Mapping[str, Any]


def status_line_setting(gateway: str = "") -> dict[str, str]:
    """The client's setting that shows it. `gateway`: one on another machine; else the client's own base URL counts.

    -P: the folder in which the client works must not be where Python looks for modules.
    """
    command = [sys.executable, "-P", "-m", "landline", "statusline"]
    if gateway and not gateway.startswith(LOCAL):
        command += ["--gateway", gateway]
    return {"type": "command", "command": shlex.join(command)}


def gateway_of(environ: Mapping[str, str]) -> str:
    """The gateway that the client is pointed at, if it is on this machine: no stranger is asked at every turn."""
    base = environ.get("ANTHROPIC_BASE_URL", "")
    return base if base.startswith(LOCAL) else ""


def session_of(told: bytes) -> str:
    """The session, in what the client writes to the command's standard input."""
    try:
        value: object = json.loads(told)
    except (ValueError, RecursionError):
        return ""
    session = _row(value).get("session_id")
    return session if isinstance(session, str) else ""


def asked(base_url: str, *, key: str) -> object:
    """What the gateway says at /landline/live; None where it says nothing of use."""
    scheme, _, rest = base_url.rstrip("/").partition("://")
    host, _, path = rest.partition("/")
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(host, timeout=TIMEOUT_S)
        try:
            root = f"/{path}".rstrip("/").removesuffix("/v1")
            headers = {"authorization": f"Bearer {key}"} if key else {}
            connection.request("GET", f"{root}/landline/live", headers=headers)
            answer = connection.getresponse()
            return json.loads(answer.read(LARGEST_ANSWER)) if answer.status == 200 else None
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None


def status_line(live: object, session: str) -> str:
    """The line: served model, how much of its true window is used, cache hits, speed; empty where nothing is known."""
    shown = _row(live)
    if not shown.get("landline"):
        return ""
    backends, last = _rows(shown, "backends"), _last(_rows(shown, "finished"), session)
    reachable = [backend for backend in backends if backend.get("reachable") is True]
    models = [model for backend in reachable for model in _rows(backend, "models")]
    served = _text(last, "model_served") or (_text(models[0], "id") if models else "")
    window = next((_number(model, "window") for model in models if model.get("id") == served), 0)
    parts = [_harmless(served), _used(last, window), _cache(last), _speed(last)]
    if backends and not reachable:
        parts.append("the model server does not answer")
    return " · ".join(part for part in parts if part)


def _last(finished: Iterable[Row], session: str) -> Row:
    """The last turn of this session's main conversation; of several sessions without a name, nothing is told."""
    wanted = session[:SESSION_SHOWN]
    for call in finished:
        beside = call.get("agent") or call.get("side")
        if wanted and call.get("session") == wanted and not beside and _number(call, "prompt_tokens"):
            return call
    return {}


def _used(call: Row, window: int) -> str:
    used = _number(call, "prompt_tokens") + _number(call, "output_tokens")
    if not window:
        return f"{_short(used)} tokens" if used else ""
    if not used:
        return f"window {_short(window)}"
    return f"{_short(used)} of {_short(window)} ({100 * used / window:.0f} %)"


def _cache(call: Row) -> str:
    hit = call.get("cache_hit_percent")
    return f"cache {hit:.0f} %" if isinstance(hit, int | float) and 0 <= hit <= 100 else ""


def _speed(call: Row) -> str:
    first, total, output = _time(call, "ttft_ms"), _time(call, "total_ms"), _number(call, "output_tokens")
    if output < FEWEST_TOKENS or total - first < SHORTEST_MS or first < 0 or call.get("stream") is not True:
        return ""
    return f"{1000 * output / (total - first):.0f} tokens/s"


def _short(tokens: int) -> str:
    return (
        f"{tokens / 1000:.1f}k" if 1000 <= tokens < 100_000 else f"{tokens // 1000}k" if tokens >= 1000 else f"{tokens}"
    )


def _harmless(name: str) -> str:
    safe = "".join(char if char.isprintable() else "?" for char in name)
    return safe if len(safe) <= NAME_WIDTH else safe[: NAME_WIDTH - 1] + "…"


def _row(value: object) -> Row:
    return cast("Row", value) if isinstance(value, dict) else {}


def _rows(row: Row, name: str) -> list[Row]:
    rows = row.get(name)
    return [_row(one) for one in cast("list[object]", rows)] if isinstance(rows, list) else []


def _text(row: Row, name: str) -> str:
    text = row.get(name)
    return text if isinstance(text, str) else ""


def _number(row: Row, name: str) -> int:
    number = row.get(name)
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 < number < LARGEST_NUMBER else 0


def _time(row: Row, name: str) -> float:
    """-1 for what is no time."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and 0 <= value < LARGEST_NUMBER else -1.0
