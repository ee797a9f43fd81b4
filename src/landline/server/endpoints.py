"""The small endpoints: token counts, model lists, health, and the questions that clients ask at start."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from landline import __version__
from landline.core.exchange import Outcome
from landline.errors import LandlineError
from landline.policy.auth import check_key, presented_keys
from landline.policy.routing import listed
from landline.protocols.anthropic_messages.errors import error_body, error_headers
from landline.protocols.openai_chat.request import encode_request
from landline.server.answer import note_stranger, whole_headers
from landline.server.asgi import Receive, Scope, Send, send_whole
from landline.server.calls import Call
from landline.server.line import Line, new_exchange
from landline.server.live import Totals, snapshot
from landline.server.understanding import translate
from landline.transforms.limits import picture_bytes
from landline.upstream.tokens import count_tokens

CREATED = "2025-01-01T00:00:00Z"  # model servers do not tell; clients want a date


class TokenCounter:
    """ASGI endpoint: /v1/messages/count_tokens. Exact through the backend, else an estimate that says so."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        line = self._line
        async with Call(line, scope, send) as call:
            body = await call.body(receive)
            exchange = call.exchange
            conversation = (await translate(body, exchange, line, counting=True)).conversation
            backend = line.backend_for(exchange)
            dialect = backend.dialect(conversation.model)
            request = encode_request(conversation, dialect=dialect, notes=exchange.notes, stream=False)
            tokens = await count_tokens(backend, line.client, request)
            exact = tokens is not None
            size = len(request) - picture_bytes(conversation)
            answer = msgspec.json.encode({"input_tokens": tokens if exact else backend.estimate_tokens(size)})
            headers = whole_headers(exchange)
            headers.append((b"landline-token-count", b"exact" if exact else b"estimated"))
            exchange.status, exchange.outcome = 200, Outcome.COMPLETED
            await send_whole(send, 200, answer, headers)


class Pages:
    """Starlette endpoints that need no exchange."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._totals = Totals()
        line.journal.observers.append(self._totals.add)

    async def models(self, request: Request) -> Response:
        """Anthropic's shape, with ids that its picker shows, for Claude Code; OpenAI's and served names for others."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        await self._line.know()
        if _wants_anthropic(request):
            return JSONResponse(self._anthropic_models())
        return JSONResponse({"object": "list", "data": [self._openai_model(name) for name in self._served()]})

    async def model(self, request: Request) -> Response:
        """One model by any name that is mapped: there is no unknown one."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        await self._line.know()
        asked = request.path_params["model"]
        served = self._line.route(asked).model
        if _wants_anthropic(request):
            return JSONResponse({**self._anthropic_model(served), "id": asked})
        return JSONResponse({**self._openai_model(served), "id": asked})

    async def health(self, request: Request) -> Response:
        """Whether this process runs."""
        return JSONResponse({"status": "ok", "landline": __version__})

    async def ready(self, request: Request) -> Response:
        """Whether the backend answers; asks it when it did not last time. Details are for those who have a key."""
        backend, trusted = self._line.backend, self._trusts(request)
        if not backend.reachable:
            await self._line.look()
        if not backend.reachable:
            problem = {"problem": backend.problem} if trusted else {}
            return JSONResponse({"status": "not ready", **problem}, 503, {"retry-after": "2"})
        try:
            await self._line.health.check(backend)  # one that lists its models may still have a dead engine
        except LandlineError as error:
            problem = {"problem": error.text} if trusted else {}
            return JSONResponse({"status": "not ready", **problem}, 503, {"retry-after": "2"})
        details: dict[str, object] = {"kind": backend.kind.value, "models": list(self._served())} if trusted else {}
        findings = [*backend.findings, *self._line.caches.watch(backend).findings]
        if trusted and findings:
            details["findings"] = findings
        return JSONResponse({"status": "ready", **details})

    async def live(self, request: Request) -> Response:
        """What this process does now, for `landline watch`. It is as private as what clients do: a key is needed."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        return JSONResponse(snapshot(self._line, self._totals), headers={"cache-control": "no-store"})

    async def hello(self, request: Request) -> Response:
        """Connection warm-ups and event logs of clients: answered at once, without a key, kept nowhere."""
        return JSONResponse({"landline": __version__})

    def _trusts(self, request: Request) -> bool:
        try:
            self._check(request)
        except LandlineError:
            return False
        return True

    def _check(self, request: Request) -> None:
        headers = request.headers
        presented = presented_keys(headers.get("authorization", ""), headers.get("x-api-key", ""))
        check_key(presented, self._line.settings.gateway.keys)

    def _refusal(self, request: Request) -> Response | None:
        try:
            self._check(request)
        except LandlineError as error:
            exchange = new_exchange(request.scope, self._line)
            exchange.status, exchange.outcome, exchange.error_logged = error.wire.status, Outcome.REFUSED, error.logged
            note_stranger(exchange, error, request.scope)
            self._line.journal.put(exchange)
            body = error_body(error, exchange.id)
            return Response(body, error.wire.status, error_headers(error), "application/json")
        return None

    def _served(self) -> tuple[str, ...]:
        """What the backend serves; a configured default stands first, where clients look."""
        default = self._line.settings.models.default
        served = self._line.backend.served
        return (default, *(name for name in served if name != default)) if default else served

    def _anthropic_models(self) -> dict[str, object]:
        data = [self._anthropic_model(name) for name in self._served()]
        ids = [str(row["id"]) for row in data]
        first, last = (ids[0], ids[-1]) if ids else (None, None)
        return {"data": data, "has_more": False, "first_id": first, "last_id": last}

    def _anthropic_model(self, name: str) -> dict[str, object]:
        window = self._line.backend.window(name)
        row: dict[str, object] = {"type": "model", "id": listed(name), "display_name": name, "created_at": CREATED}
        return {**row, "max_input_tokens": window} if window else row

    def _openai_model(self, name: str) -> dict[str, object]:
        window = self._line.backend.window(name)
        row: dict[str, object] = {"id": name, "object": "model", "created": 1735689600, "owned_by": "landline"}
        return {**row, "max_model_len": window} if window else row


def _wants_anthropic(request: Request) -> bool:
    agent = request.headers.get("user-agent", "").lower()
    return agent.startswith(("claude-code/", "claude-cli/")) or "anthropic-version" in request.headers
