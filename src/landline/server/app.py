"""The composition root: settings in, one ASGI application out. Everything is wired here and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from starlette.routing import Mount, Route, Router

from landline.config.settings import Settings
from landline.errors import ErrorKind, LandlineError
from landline.server.asgi import Receive, Scope, Send
from landline.server.chat_inbound import ChatInbound
from landline.server.endpoints import Pages, TokenCounter
from landline.server.forwarding import ForwardProxy
from landline.server.frame import App, Frame
from landline.server.inbound import MessagesInbound
from landline.server.journal import journal_to_stderr
from landline.server.line import Line
from landline.server.native import NativeProxy
from landline.server.proxy import Proxy
from landline.server.response_pages import InputItems, OneResponse
from landline.server.responses_inbound import ResponsesInbound


def build_app(settings: Settings) -> Frame:
    """The gateway of one process, with its own line and journal."""
    return build_frame(Line(settings, journal=journal_to_stderr(settings.log.format)))


def build_frame(line: Line) -> Frame:
    """The gateway on a given line."""
    pages = Pages(line)
    native = line.backend.native
    messages = NativeProxy(line) if native else Proxy(line, MessagesInbound())
    posts: dict[str, App] = {
        "/v1/messages": messages,
        "/v1/messages/count_tokens": messages if native else TokenCounter(line),
    }
    if not native:  # else the backend does not speak what these ask of it
        posts |= {
            "/v1/chat/completions": Proxy(line, ChatInbound()),
            "/v1/responses": Proxy(line, ResponsesInbound()),
            "/v1/completions": ForwardProxy(line),
            "/v1/embeddings": ForwardProxy(line),
        }

    @contextlib.asynccontextmanager
    async def lifespan(app: object) -> AsyncGenerator[None]:
        await line.start()
        try:
            yield
        finally:
            await line.stop()

    async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
        raise LandlineError(
            ErrorKind.NOT_FOUND,
            f"landline serves no {scope['method']} {scope['path'][:120]}.",
            hint=f"It serves {', '.join(posts)}, /v1/models, /health and /ready.",
        )

    router = Router(
        routes=[
            *[Route(path, endpoint, methods=["POST"]) for path, endpoint in posts.items()],
            *_things(line, pages),
            Route("/health", pages.health, methods=["GET"]),
            Route("/ready", pages.ready, methods=["GET"]),
            Route("/landline/live", pages.live, methods=["GET"]),
            Route("/", pages.hello, methods=["GET", "OPTIONS"]),
            Route("/api/hello", pages.hello, methods=["GET", "POST", "OPTIONS"]),
            Route("/api/event_logging{rest:path}", pages.hello, methods=["GET", "POST"]),
            Route("/{rest:path}", pages.hello, methods=["OPTIONS"]),
            Mount("/", nothing_here),
        ],
        redirect_slashes=False,
        lifespan=lifespan,
    )
    return Frame(router, line, posts=posts)


def _things(line: Line, pages: Pages) -> list[Route]:
    """What has an address of its own: models, and responses that are kept."""
    model, response = "/v1/models/{model:path}", "/v1/responses/{response}"
    kept = [
        Route(response, OneResponse(line), methods=["GET", "DELETE"]),
        Route(f"{response}/input_items", InputItems(line), methods=["GET"]),
    ]
    models = [Route("/v1/models", pages.models, methods=["GET"]), Route(model, pages.model, methods=["GET"])]
    return models if line.backend.native else [*models, *kept]
