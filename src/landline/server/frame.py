"""The outermost ASGI frame: foreign names are refused, base URLs with too much behind them are understood, and what
nobody caught becomes an error in the endpoint's own dialect. One of the two places that catch everything."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping

from landline.errors import ErrorKind, LandlineError
from landline.policy.auth import check_host
from landline.server.answer import OPENAI_PATHS, refuse
from landline.server.asgi import AnswerBegun, Receive, Scope, Send, header
from landline.server.line import Line, new_exchange

App = Callable[[Scope, Receive, Send], Awaitable[None]]

_WITHOUT_VERSION = frozenset(path.removeprefix("/v1") for path in (*OPENAI_PATHS, "/v1/models"))

log = logging.getLogger("landline")


class Frame:
    """Stands around the router. `posts`: by their paths, the endpoints that are asked too often to look for them."""

    def __init__(self, app: App, line: Line, *, posts: Mapping[str, App]) -> None:
        self._app = app
        self._posts = posts
        self._line = line
        gateway = line.settings.gateway
        self._names = tuple(name.lower() for name in (*gateway.hosts, gateway.host))
        self._keyed = bool(gateway.keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            check_host(header(scope, b"host"), header(scope, b"origin"), own_names=self._names, keyed=self._keyed)
            _canonical(scope)
            app = self._posts.get(scope["path"], self._app) if scope["method"] == "POST" else self._app
            await app(scope, receive, send)
        except LandlineError as error:
            await self._refuse(error, scope, send)
        except Exception as error:  # noqa: BLE001 - the outermost frame
            # Where, and of what kind: the text of an error may quote the request.
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.error("internal error in %s: %s\n%s", scope["path"], type(error).__name__, trace)
            told = LandlineError(
                ErrorKind.INTERNAL, f"landline failed: {type(error).__name__}.", hint="Its log has the trace."
            )
            try:
                await self._refuse(told, scope, send)
            except AnswerBegun:
                raise error from None

    async def _refuse(self, error: LandlineError, scope: Scope, send: Send) -> None:
        """Answers and records what never became a call."""
        exchange = new_exchange(scope, self._line)
        await refuse(send, error, exchange)
        self._line.journal.put(exchange)


def _canonical(scope: Scope) -> None:
    """`/v1/v1/messages`, `/v1/messages/v1/messages` and any prefix mean the endpoint behind the last /v1.

    People put /v1, or a whole endpoint, into base URLs that want neither, and leave it out where it is wanted.
    """
    path: str = scope["path"]
    if path in _WITHOUT_VERSION:
        _moved(scope, "/v1" + path, "base URL lacks '/v1': put it at its end")
        return
    at = path.rfind("/v1/")
    if at > 0:
        wanted = path[at:]
    elif path.rstrip("/") == "/v1" or path.startswith("/v1/api/"):
        wanted = path[3:] or "/"
    else:
        return
    _moved(scope, wanted, f"base URL ends in {path.removesuffix(wanted)!r}: leave that away")


def _moved(scope: Scope, path: str, warning: str) -> None:
    scope["landline_warning"], scope["path"], scope["raw_path"] = warning, path, path.encode()
