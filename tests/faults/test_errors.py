"""Every failure and how the client is told: status, type, words, the headers that steer its retries, and what the
real Python SDK makes of it. Table E of the failure catalogue, walked through the served gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anthropic
import pytest
import pytest_asyncio

from landline.core.exchange import Outcome
from landline.errors import WIRE_FORMS, ErrorKind
from landline.upstream.backend import Knowledge
from tests.fakes.chat_stream import DONE, Answer, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer, count_tokens, overflow_error
from tests.fakes.stream_invariant import FAILED, check_stream
from tests.fakes.upstream import Cut, Hang, Pause, Request, Send, Status, Step, Upstream, json_answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SDK_CLASSES: dict[int, type[anthropic.APIStatusError]] = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    402: anthropic.APIStatusError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    413: anthropic.APIStatusError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    502: anthropic.InternalServerError,
    503: anthropic.InternalServerError,
    504: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
}
HALF = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half"}))
CUT = "The backend's stream ended before the answer was complete. Did the model server crash or restart? See its log."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[ModelServer, GatewayClient]]:
    async with ModelServer(kind="plain") as server, gateway_to(server.url) as client:
        yield server, client


@pytest.fixture
def server(running: tuple[ModelServer, GatewayClient]) -> ModelServer:
    server = running[0]
    server.answer, server.window, server.override = (lambda body: Answer(text="hello")), 131_072, None
    server.requests.clear()
    return server


@pytest.fixture
def client(running: tuple[ModelServer, GatewayClient]) -> GatewayClient:
    running[1].gateway.line.journal.recent.clear()
    return running[1]


def said(status: int, message: Any, **headers: str) -> list[Step]:
    return json_answer(status, {"error": {"message": message}}, headers)


@dataclass(frozen=True)
class Failure:
    """`text` is the whole message, URL stands for the backend's.

    Each is asked once. A connection from the pool that turns out to be dead is tried again on a fresh one, and a server
    without a tool parser is asked again with `tool_choice` none.
    """

    steps: list[Step]
    kind: ErrorKind
    text: str
    retry_after: str | None = None
    final: bool = False


KEY_HINT = "Set backend.key in landline.toml to its key. (landline doctor: backend_key)"
PATH_HINT = (
    "Is the base URL right (landline adds /v1/chat/completions), and does it serve that model? "
    "(landline doctor: backend)"
)
BUSY = "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance."
PARSER_HINT = (
    "Start vLLM with --enable-auto-tool-choice and the --tool-call-parser of your model. (landline doctor: tool_parser)"
)
NO_PARSER = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
HINT = "Start the model server, or point landline at it with --backend URL."
LOST = f"{HINT} (landline doctor: backend)"

FAILURES: dict[str, Failure] = {
    "400": Failure(said(400, "no"), ErrorKind.INVALID_REQUEST, "The backend refused the request: no"),
    "400 no tool parser": Failure(
        said(400, NO_PARSER), ErrorKind.INVALID_REQUEST, f"The backend cannot call tools yet: {NO_PARSER} {PARSER_HINT}"
    ),
    "400 detail": Failure(
        json_answer(400, {"detail": "odd"}), ErrorKind.INVALID_REQUEST, "The backend refused the request: odd"
    ),
    "400 plain text": Failure(
        [Status(400, {"content-type": "text/plain"}), Send(b"odd\nthing")],
        ErrorKind.INVALID_REQUEST,
        "The backend refused the request: odd thing",
    ),
    "401": Failure(
        json_answer(401, {"error": "Unauthorized"}),
        ErrorKind.BACKEND_UNAVAILABLE,
        f"The backend URL answered 401: Unauthorized {KEY_HINT}",
        final=True,
    ),
    "403": Failure(
        said(403, "no"), ErrorKind.BACKEND_UNAVAILABLE, f"The backend URL answered 403: no {KEY_HINT}", final=True
    ),
    "404": Failure(
        json_answer(404, {"detail": "Not Found"}),
        ErrorKind.BAD_BACKEND,
        f"The backend URL answered 404: Not Found {PATH_HINT}",
        final=True,
    ),
    "408": Failure(said(408, "slow"), ErrorKind.BACKEND_TIMEOUT, "The backend URL answered 408: slow", retry_after="5"),
    "413": Failure(said(413, "big"), ErrorKind.REQUEST_TOO_LARGE, "The backend URL answered 413: big"),
    "422": Failure(said(422, "odd"), ErrorKind.INVALID_REQUEST, "The backend refused the request: odd"),
    "429": Failure(said(429, "many"), ErrorKind.RATE_LIMITED, "The backend URL answered 429: many", retry_after="5"),
    "500": Failure(said(500, "boom"), ErrorKind.BAD_BACKEND, "The backend URL answered 500: boom", retry_after="5"),
    "500 empty": Failure(json_answer(500, b""), ErrorKind.BAD_BACKEND, "The backend URL answered 500", retry_after="5"),
    "503 queue full": Failure(
        said(503, BUSY), ErrorKind.OVERLOADED, f"The backend URL answered 503: {BUSY}", retry_after="5"
    ),
    "503 loading": Failure(
        said(503, "Loading model"),
        ErrorKind.OVERLOADED,
        "The backend URL answered 503: Loading model (landline doctor: backend_loading)",
        retry_after="5",
    ),
    "504": Failure(said(504, "late"), ErrorKind.BACKEND_TIMEOUT, "The backend URL answered 504: late", retry_after="5"),
    "529": Failure(said(529, "hot"), ErrorKind.OVERLOADED, "The backend URL answered 529: hot", retry_after="5"),
    "301": Failure(
        [Status(301, {"location": "http://127.0.0.1:9/", "content-length": "0"})],
        ErrorKind.BAD_BACKEND,
        "The backend URL answered 301 Is the base URL right? landline asks for a stream of chat completions at "
        "/v1/chat/completions. (landline doctor: backend)",
        final=True,
    ),
    "cut before headers": Failure(
        [Cut()],
        ErrorKind.BACKEND_UNAVAILABLE,
        f"The backend URL closed the connection without an answer. {LOST}",
        retry_after="5",
    ),
    "cut after headers": Failure([Status(), Pause(0.02), Cut()], ErrorKind.BAD_BACKEND, CUT),
    "ended after headers": Failure([Status()], ErrorKind.BAD_BACKEND, CUT),
    "error chunk first": Failure(
        [Send(sse({"error": {"message": "died", "code": 500}}))], ErrorKind.BAD_BACKEND, "The backend failed: died"
    ),
    "overload chunk first": Failure(
        [Send(sse({"error": {"message": "full", "code": 503}}))], ErrorKind.OVERLOADED, "The backend failed: full"
    ),
}


def sdk(client: GatewayClient, **options: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=client.url, api_key="none", **{"max_retries": 0} | options)


async def sdk_error(client: GatewayClient, **options: Any) -> anthropic.APIStatusError:
    body = request_body()
    async with sdk(client, **options) as caller:
        with pytest.raises(anthropic.APIStatusError) as raised:
            await caller.messages.create(**body)
    return raised.value


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_before_the_first_byte(
    server: ModelServer, client: GatewayClient, name: str, *, stream: bool
) -> None:
    failure = FAILURES[name]
    form = WIRE_FORMS[failure.kind]
    server.answer = lambda body: failure.steps
    reply = await client.messages(request_body(stream=stream))
    assert reply.error == (form.status, form.anthropic_type, failure.text.replace("URL", server.url, 1))
    assert reply.headers.get("retry-after") == failure.retry_after
    assert reply.headers.get("x-should-retry") == ("false" if failure.final else None)
    expected = {"cut before headers": (1, 2), "400 no tool parser": (2,)}  # a kept connection was dead; mended
    assert len(server.chats) in expected.get(name, (1,))
    exchange = await client.settled()
    assert (exchange.outcome, exchange.status) == (Outcome.REFUSED, form.status)
    error = await sdk_error(client)
    assert type(error) is SDK_CLASSES[form.status] or isinstance(error, SDK_CLASSES[form.status])
    assert error.body == reply.json | {"request_id": error.request_id}


async def test_every_kind_of_error_has_a_form_that_the_sdk_knows() -> None:
    """Statuses that make clients repeat for minutes, or hide the text, never leave the gateway."""
    assert set(WIRE_FORMS) == set(ErrorKind)
    assert {form.status for form in WIRE_FORMS.values()} <= set(SDK_CLASSES)
    assert not {form.status for form in WIRE_FORMS.values()} & {408, 409, 422}
    reached = {failure.kind for failure in FAILURES.values()}
    told_elsewhere = {
        ErrorKind.PROMPT_TOO_LONG,  # below
        ErrorKind.AUTHENTICATION,  # test_security
        ErrorKind.FORBIDDEN,  # test_security
        ErrorKind.NOT_FOUND,  # test_bad_input
        ErrorKind.INTERNAL,  # below
        ErrorKind.PAYMENT_REQUIRED,  # no budget exists yet that could be used up
    }
    assert reached | told_elsewhere == set(ErrorKind)


async def test_an_error_of_our_own_is_told_without_its_text(
    server: ModelServer, client: GatewayClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The outermost frame: whatever breaks inside, the client gets an error in its own dialect."""

    words = " ".join(("secret", "text"))

    def broken(model: str) -> Knowledge:
        raise ZeroDivisionError(words)

    monkeypatch.setattr(client.gateway.line.backend, "known", broken)
    reply = await client.messages()
    assert reply.error == (500, "api_error", "landline failed: ZeroDivisionError. Its log has the trace.")
    assert "internal error in /v1/messages" in caplog.text
    assert words not in caplog.text
    assert (await client.settled()).error_logged == "ZeroDivisionError"
    assert not client.gateway.line.open


MIDDLES: dict[str, tuple[list[Step], str, str]] = {
    "cut": ([Pause(0.03), Cut()], "api_error", CUT),
    "ended": ([], "api_error", CUT),
    "done without a finish": ([Send(DONE)], "api_error", CUT),
    "error chunk": (
        [Send(sse({"error": {"message": "died", "code": 500}}, DONE))],
        "api_error",
        "The backend failed: died",
    ),
    "overload chunk": (
        [Send(sse({"error": {"message": "full", "code": 429}}))],
        "overloaded_error",
        "The backend failed: full",
    ),
    "error as text": ([Send(sse({"error": "died"}))], "api_error", "The backend failed: died"),
    "error object": (
        [Send(sse({"object": "error", "message": "died"}))],
        "api_error",
        "The backend failed: died",
    ),
    "finish error": (
        [Send(sse(chunk({}, "error")))],
        "api_error",
        "The backend failed: The backend ended the answer with finish_reason error.",
    ),
}


@pytest.mark.row("3.19", "3.33", "3.34", "3.37")
@pytest.mark.parametrize("name", MIDDLES)
async def test_rows_3_19_3_33_3_34_a_failure_in_mid_stream(
    server: ModelServer, client: GatewayClient, name: str
) -> None:
    """Streamed: one error event, no end of turn. Not streamed: an HTTP error. The SDK raises for both."""
    steps, kind, text = MIDDLES[name]
    server.answer = lambda body: [Send(HALF), *steps]
    reply = await client.stream()
    folded = check_stream(reply.body, asked_model=ASKED, backend_finish=FAILED)
    assert folded.error == {"type": kind, "message": text}
    assert folded.content == [{"type": "text", "text": "half"}]
    exchange = await client.settled()
    assert (exchange.outcome, exchange.status, exchange.error) == (Outcome.FAILED, 200, text)
    plain = await client.messages()
    assert plain.error == (529 if kind == "overloaded_error" else 502, kind, text)
    assert len(server.chats) == 2
    async with sdk(client) as caller:
        with pytest.raises(anthropic.APIStatusError):
            async with caller.messages.stream(**request_body()) as stream:
                await stream.get_final_message()


@pytest.mark.parametrize("seen", [False, True], ids=["never seen", "seen before"])
async def test_a_backend_that_is_down(*, seen: bool) -> None:
    """Never seen: more likely a wrong address, so nobody shall repeat for minutes. Seen before: it restarts."""
    server: Upstream
    async with ModelServer(kind="plain") as server:
        url, port = server.url, server.port
        if seen:
            async with gateway_to(url) as client:
                assert (await client.messages()).status == 200
                await server.__aexit__(None, None, None)
                await _told_down(client, url, seen=True)
                return
    assert port
    async with gateway_to(url) as client:
        await _told_down(client, url, seen=False)


async def _told_down(client: GatewayClient, url: str, *, seen: bool) -> None:
    for stream in (True, False):
        reply = await client.messages(request_body(stream=stream))
        text = f"The backend {url} refused the connection. {LOST}"
        assert reply.error == (503, "api_error", text)
        assert reply.headers.get("retry-after") == ("5" if seen else None)
        assert reply.headers.get("x-should-retry") == (None if seen else "false")
    ready = await client.call("GET", "/ready")
    assert (ready.status, ready.headers["retry-after"]) == (503, "2")
    assert ready.json["problem"] == f"The backend {url} refused the connection. {HINT}"
    assert isinstance(await sdk_error(client), anthropic.InternalServerError)


async def test_an_address_that_does_not_answer() -> None:
    """Connections are taken, but nobody speaks: the limit is backend.idle_timeout_s."""
    async with (
        Upstream(lambda request: [Hang()]) as silent,
        gateway_to(silent.url, backend={"idle_timeout_s": 0.2}) as client,
    ):
        client.gateway.line.backend.answered()  # spares the test the time of a probe
        reply = await client.messages()
        assert reply.error[:2] == (504, "api_error")
        assert "did not answer in time" in reply.error[2]


# ---------------------------------------------------------------------------------------------------- overflows

WORDS = "word " * 2000
OVERFLOWS: dict[str, tuple[int, str, int | None, int]] = {
    # name: status, text, tokens that must be told (None: at least the window and one), window that must be told
    "vLLM": (
        400,
        "This model's maximum context length is 8192 tokens. However, your prompt contains 9001 input tokens, which "
        "exceeds this limit even without any output tokens. Please reduce the length of the input prompt.",
        9001,
        8192,
    ),
    "vLLM, counting stopped": (
        400,
        "This model's maximum context length is 1192 tokens. However, your prompt contains at least 1193 input tokens, "
        "which exceeds this limit even without any output tokens. (parameter=input_tokens, value=1193)",
        None,
        1192,
    ),
    "vLLM, characters": (
        400,
        "This model's maximum context length is 1192 tokens. However, your prompt contains 90000 characters (more than "
        "80000 characters, which is the upper bound for 1192 input tokens). (parameter=input_text)",
        None,
        1192,
    ),
    "vLLM, internal": (500, "Input length (9001) exceeds model's maximum context length (8192).", 9001, 8192),
    "vLLM, older": (
        400,
        "The decoder prompt (length 9001) is longer than the maximum model length of 8192. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens.",
        9001,
        8192,
    ),
    "llama.cpp": (
        400,
        "request (4234 tokens) exceeds the available context size (4096 tokens), try increasing it",
        4234,
        4096,
    ),
    "SGLang": (
        400,
        "The input (9001 tokens) is longer than the model's context length (8192 tokens).",
        9001,
        8192,
    ),
    "oMLX": (400, "Prompt is longer than the model's context length", None, 0),
    "LM Studio": (
        400,
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        None,
        0,
    ),
    "hosted": (400, "Your input exceeds the context window of this model.", None, 0),
}


@pytest.mark.parametrize("name", OVERFLOWS)
async def test_every_overflow_is_told_in_the_words_that_compact(name: str) -> None:
    """Streamed first, then not streamed: by then the window is known."""
    status, text, tokens, window = OVERFLOWS[name]
    async with ModelServer(lambda body: said(status, text), kind="plain") as server, gateway_to(server.url) as client:
        reply = await client.stream(request_body(WORDS))
        again = await client.messages(request_body(WORDS))
        assert again.error == reply.error
        assert reply.error[:2] == (400, "invalid_request_error")
        words = reply.error[2].split()
        assert words[:4] == ["prompt", "is", "too", "long:"]
        assert [words[5], words[6], words[8]] == ["tokens", ">", "maximum"]
        told, limit = int(words[4]), int(words[7])
        assert limit == window or not window
        assert told == tokens if tokens else told > max(limit, 1000)
        assert limit > 0, "a client reckons with it"
        assert len(server.chats) <= 2
        assert "retry-after" not in reply.headers


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_an_overflow_is_told_with_the_backends_own_count(kind: Any) -> None:
    async with ModelServer(kind=kind, window=1000) as server, gateway_to(server.url) as client:
        reply = await client.messages(request_body(WORDS))
        tokens = count_tokens({"messages": [{"role": "user", "content": WORDS}]})
        assert reply.error == (400, "invalid_request_error", f"prompt is too long: {tokens} tokens > 1000 maximum")
        error = await _create_error(client)
        assert isinstance(error, anthropic.BadRequestError)


async def _create_error(client: GatewayClient) -> Exception:
    async with sdk(client) as caller:
        with pytest.raises(anthropic.APIStatusError) as raised:
            await caller.messages.create(**request_body(WORDS))
    return raised.value


TOO_MUCH = {
    "vLLM": "max_tokens=32000 cannot be greater than max_model_len=8192. Please request fewer output tokens. "
    "(parameter=max_tokens, value=32000)",
    "vLLM, new name": "max_completion_tokens=32000 cannot be greater than max_model_len=8192. Please request fewer.",
    "vLLM, older": "'max_tokens' is too large: 32000. This model's maximum context length is 8192 tokens and your "
    "request has 2500 input tokens (32000 > 8192 - 2500).",
}


@pytest.mark.parametrize("name", TOO_MUCH)
async def test_too_large_an_answer_is_asked_for_again_with_what_is_left(name: str) -> None:
    """The window was unknown: the refusal names it, one repeat with the clamped value, and the client sees nothing."""

    def answer(body: Any) -> Answer | list[Step]:
        return said(400, TOO_MUCH[name]) if body["max_tokens"] > 5676 else Answer(text="fits")

    async with ModelServer(answer, kind="plain") as server, gateway_to(server.url) as client:
        reply = await client.stream(request_body(WORDS, max_tokens=32000))
        folded = check_stream(reply.body, asked_model=ASKED, backend_finish="stop")
        assert folded.content == [{"type": "text", "text": "fits"}]
        assert server.chats[0].json["max_tokens"] == 32000
        clamped = server.chats[1].json["max_tokens"]
        assert 3000 < clamped <= 8192 - 2500 - 16
        assert len(server.chats) == 2
        exchange = await client.settled()
        assert exchange.backend_requests == 2
        assert exchange.notes.repairs == [f"max_tokens 32000 clamped to {clamped}"]


async def test_a_backend_that_never_likes_max_tokens_is_asked_twice_at_most() -> None:
    text = TOO_MUCH["vLLM"]
    async with ModelServer(lambda body: said(400, text), kind="plain") as server, gateway_to(server.url) as client:
        reply = await client.messages(request_body(max_tokens=32000))
        assert reply.error == (400, "invalid_request_error", f"The backend refused the request: {text}")
        assert len(server.chats) == 2


@pytest.mark.row("3.24")
async def test_row_3_24_usage_is_always_asked_for(server: ModelServer, client: GatewayClient) -> None:
    """Also for a client that does not stream."""
    await client.messages()
    assert server.chats[0].json["stream_options"]["include_usage"] is True


@pytest.mark.row("3.24")
async def test_row_3_24_a_server_that_does_not_know_the_field() -> None:
    """Asked again without it, once, and never again; usage is then an estimate."""

    def answer(body: Any) -> Answer | list[Step]:
        options = body.get("stream_options")
        return said(400, "Unknown field: stream_options") if options else Answer(text="hello")

    async with ModelServer(answer, kind="plain") as server, gateway_to(server.url) as client:
        for _ in range(2):
            reply = await client.stream()
            check_stream(reply.body, asked_model=ASKED, backend_finish="stop")
        assert ["stream_options" in request.json for request in server.chats] == [True, False, False]
        assert client.exchanges[0].notes.repairs == ["stream_options left out: the backend refuses it"]
        server.answer = lambda body: said(400, "Unknown field: stream_options")
        assert (await client.messages()).status == 400
        assert len(server.chats) == 4


@pytest.mark.row("3.25")
async def test_row_3_25_cached_tokens_are_counted_once(server: ModelServer, client: GatewayClient) -> None:
    server.answer = lambda body: [Send(HALF + sse(chunk({}, "stop"), usage_chunk(100, 7, 80), DONE))]
    streamed = check_stream((await client.stream()).body, asked_model=ASKED, backend_finish="stop").usage
    plain = (await client.messages()).json["usage"]
    for usage in (streamed, plain):
        assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (20, 80, 7)


async def test_overflow_of_the_scripted_servers(server: ModelServer, client: GatewayClient) -> None:
    """The texts of the fakes, which other tests rely on."""
    seen: list[Request] = []
    for kind in ("vllm", "llamacpp"):
        server.answer = lambda body, kind=kind: overflow_error(kind, 5000, 4096)
        reply = await client.messages(request_body(WORDS))
        assert reply.error[2].endswith(" tokens > 4096 maximum")
        seen += server.chats
    assert seen
