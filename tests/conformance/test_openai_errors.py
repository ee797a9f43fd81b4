"""Each kind of error, on each route of OpenAI's protocols, is the exception that the real SDK has for it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import httpx2
import openai
import pytest

from landline.core.exchange import Exchange, Outcome
from landline.errors import WIRE_FORMS, ErrorKind, LandlineError
from landline.server.answer import OPENAI_PATHS, refuse

CLASSES: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    402: openai.APIStatusError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    429: openai.RateLimitError,
}


async def told(error: LandlineError, path: str) -> openai.APIStatusError:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    exchange = Exchange(id="req_1", path=path)
    await refuse(send, error, exchange)
    assert exchange.outcome is Outcome.REFUSED
    head, body = sent
    request = httpx2.Request("POST", f"http://gateway{path}")
    answer = httpx2.Response(head["status"], headers=head["headers"], content=body["body"], request=request)
    return openai.OpenAI(api_key="x")._make_status_error_from_response(answer)


@pytest.mark.parametrize("path", OPENAI_PATHS)
@pytest.mark.parametrize("kind", ErrorKind)
async def test_each_kind_on_each_route(kind: ErrorKind, path: str) -> None:
    error = await told(LandlineError(kind, "What is wrong.", hint="What to do.", retry_after=7, final=True), path)
    assert type(error) is CLASSES.get(WIRE_FORMS[kind].status, openai.InternalServerError)
    assert (error.type, error.code) == (WIRE_FORMS[kind].openai_type, WIRE_FORMS[kind].openai_code)
    hint = "" if kind is ErrorKind.PROMPT_TOO_LONG else " What to do."
    assert isinstance(error.body, dict)
    assert error.body["message"] == f"What is wrong.{hint}"
    assert error.request_id == "req_1"
    assert (error.response.headers["retry-after"], error.response.headers["x-should-retry"]) == ("7", "false")
