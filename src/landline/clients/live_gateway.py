"""What a running gateway says of itself now: `GET /landline/live`. Blocking; bounded in time and in size.

The answer may come from anything that listens there: it is read tolerantly into structs, and its texts are foreign.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from landline.clients.claude_code import is_loopback
from landline.clients.remote_gateway import key_refused, tls_refused
from landline.errors import ErrorKind, LandlineError
from landline.server.model_facts import ModelFacts

PATH = "/landline/live"
LARGEST_ANSWER = 4 * 1024 * 1024  # bytes
PIECE = 64 * 1024
TIMEOUT_S = 5.0


class LiveBackend(Struct, frozen=True):
    url: str = ""
    kind: str = ""
    reachable: bool = False
    problem: str = ""
    version: str = ""
    models: list[ModelFacts] = field(default_factory=list[ModelFacts])
    findings: list[str] = field(default_factory=list[str])


class LiveCall(Struct, frozen=True):
    """A running call (`phase` and `seconds` are set) or a finished one. None: not known, or not yet."""

    request_id: str = ""
    client: str = ""
    session: str = ""
    agent: str = ""
    model_asked: str = ""
    model_served: str = ""
    route: str = ""
    phase: str = ""
    seconds: float = 0.0
    status: int = 0
    outcome: str = ""
    error: str = ""
    ttft_ms: float | None = None
    total_ms: float | None = None
    overhead_ms: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_hit_percent: float | None = None
    output_tokens: int | None = None
    prefix_moved: str = ""
    prefix_why: str = ""
    lost_tokens: int = 0
    repeats_of: str = ""
    repeat_cause: str = ""
    largest: list[str] = field(default_factory=list[str])
    repairs: list[str] = field(default_factory=list[str])
    dropped: list[str] = field(default_factory=list[str])
    alerts: list[str] = field(default_factory=list[str])


class LiveTotals(Struct, frozen=True):
    requests: int = 0
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    hidden_repeats: int = 0
    overhead_ms: float = 0.0  # the mean of what landline itself took until an answer began
    alerts: dict[str, int] = field(default_factory=dict[str, int])


class Snapshot(Struct, frozen=True):
    landline: str  # the gateway's version: without it, it is no gateway of ours
    workers: int = 1
    web_search: bool = False  # a search service is configured
    backends: list[LiveBackend] = field(default_factory=list[LiveBackend])
    running: list[LiveCall] = field(default_factory=list[LiveCall])
    finished: list[LiveCall] = field(default_factory=list[LiveCall])
    totals: LiveTotals = field(default_factory=LiveTotals)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for this address alone."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def live_answer(base_url: str, *, key: str, timeout_s: float = TIMEOUT_S) -> bytes:
    """The gateway's answer as it came, at most 4 MiB, within `timeout_s`. Raises LandlineError.

    `base_url` was checked by `gateway_base`.
    """
    deadline = time.monotonic() + timeout_s
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(base_url + PATH, headers=headers)  # noqa: S310
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_loopback(urlsplit(base_url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
            return _read(answer, base_url, deadline)
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer as well
        raise _refused(base_url, error.code) from error
    except TimeoutError as error:
        raise _too_slow(base_url) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _too_slow(base_url) from error
        raise tls_refused(base_url, error) or _nobody(base_url) from error
    except http.client.HTTPException as error:
        raise tls_refused(base_url, error) or not_a_gateway(base_url) from error
    except ValueError:  # its text, and what it was raised from, quote the key
        raise _no_such_key() from None
    except OSError as error:
        raise _nobody(base_url) from error


def read_snapshot(answer: bytes, base_url: str) -> Snapshot:
    """Raises LandlineError for what no gateway says."""
    try:
        return msgspec.json.decode(answer, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise not_a_gateway(base_url) from None


def not_a_gateway(base_url: str) -> LandlineError:
    return LandlineError(
        ErrorKind.BAD_BACKEND,
        f"What answers at {base_url} is not a landline gateway, or an older one without {PATH}.",
        hint="Name the gateway with --gateway URL; for a model server there is nothing to watch.",
    )


def _read(answer: http.client.HTTPResponse, base_url: str, deadline: float) -> bytes:
    """Piece by piece, so that one who sends a byte a second comes to an end as well."""
    whole = bytearray()
    while piece := answer.read1(PIECE):
        whole += piece
        if len(whole) > LARGEST_ANSWER:
            raise not_a_gateway(base_url)
        if time.monotonic() > deadline:
            raise _too_slow(base_url)
    return bytes(whole)


def _nobody(base_url: str) -> LandlineError:
    return LandlineError(
        ErrorKind.BACKEND_UNAVAILABLE,
        f"No gateway answers at {base_url}.",
        hint="Start one with `landline serve`, or name a running one with --gateway URL (`landline launch` prints "
        "its own as `pointed at`).",
    )


def _no_such_key() -> LandlineError:
    return LandlineError(
        ErrorKind.AUTHENTICATION,
        "The gateway's key cannot be sent: a header holds neither line breaks nor letters beyond Latin-1.",
        hint="Correct gateway.keys (or LANDLINE_GATEWAY_KEYS).",
    )


def _too_slow(base_url: str) -> LandlineError:
    return LandlineError(
        ErrorKind.BACKEND_TIMEOUT, f"{base_url} did not answer in time.", hint="Is that the gateway's address?"
    )


def _refused(base_url: str, status: int) -> LandlineError:
    if status in {401, 403}:
        return key_refused(base_url, status)
    return not_a_gateway(base_url)
