"""The one tree of errors, and the one table that says how each kind looks on the wire.

    LandlineError
      kind                 status  Anthropic type           OpenAI type              OpenAI code
      -------------------  ------  -----------------------  -----------------------  -----------------------
      invalid_request         400  invalid_request_error    invalid_request_error    invalid_request
      prompt_too_long         400  invalid_request_error    invalid_request_error    context_length_exceeded
      authentication          401  authentication_error     invalid_request_error    invalid_api_key
      payment_required        402  billing_error            insufficient_quota       insufficient_quota
      forbidden               403  permission_error         permission_error         forbidden
      not_found               404  not_found_error          invalid_request_error    not_found
      request_too_large       413  request_too_large        invalid_request_error    request_too_large
      rate_limited            429  rate_limit_error         rate_limit_error         rate_limit_exceeded
      internal                500  api_error                server_error             internal_error
      bad_backend             502  api_error                server_error             bad_backend
      backend_unavailable     503  api_error                server_error             backend_unavailable
      backend_timeout         504  api_error                server_error             backend_timeout
      overloaded              529  overloaded_error         server_error             overloaded

The statuses are chosen by what real clients do with them: 408, 409 and 422 never leave landline, because clients
repeat the first two for minutes and show the third raw; a model is never answered with 404, because clients hide
the body of a 404 behind a text of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

POINTER = "(landline doctor: {check})"  # docs/guides/troubleshooting.md#{check}
_POINTER = re.compile(r" \(landline doctor: \w+\)$")
LONGEST_TEXT = 2_000  # characters; some messages name what a peer wrote, and records of requests keep them


class ErrorKind(StrEnum):
    INVALID_REQUEST = "invalid_request"
    PROMPT_TOO_LONG = "prompt_too_long"
    AUTHENTICATION = "authentication"
    PAYMENT_REQUIRED = "payment_required"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REQUEST_TOO_LARGE = "request_too_large"
    RATE_LIMITED = "rate_limited"
    INTERNAL = "internal"
    BAD_BACKEND = "bad_backend"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    BACKEND_TIMEOUT = "backend_timeout"
    OVERLOADED = "overloaded"


class WireForm(NamedTuple):
    """How one kind of error looks to a client of each protocol."""

    status: int
    anthropic_type: str
    openai_type: str
    openai_code: str


WIRE_FORMS: dict[ErrorKind, WireForm] = {
    ErrorKind.INVALID_REQUEST: WireForm(400, "invalid_request_error", "invalid_request_error", "invalid_request"),
    ErrorKind.PROMPT_TOO_LONG: WireForm(
        400, "invalid_request_error", "invalid_request_error", "context_length_exceeded"
    ),
    ErrorKind.AUTHENTICATION: WireForm(401, "authentication_error", "invalid_request_error", "invalid_api_key"),
    ErrorKind.PAYMENT_REQUIRED: WireForm(402, "billing_error", "insufficient_quota", "insufficient_quota"),
    ErrorKind.FORBIDDEN: WireForm(403, "permission_error", "permission_error", "forbidden"),
    ErrorKind.NOT_FOUND: WireForm(404, "not_found_error", "invalid_request_error", "not_found"),
    ErrorKind.REQUEST_TOO_LARGE: WireForm(413, "request_too_large", "invalid_request_error", "request_too_large"),
    ErrorKind.RATE_LIMITED: WireForm(429, "rate_limit_error", "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.INTERNAL: WireForm(500, "api_error", "server_error", "internal_error"),
    ErrorKind.BAD_BACKEND: WireForm(502, "api_error", "server_error", "bad_backend"),
    ErrorKind.BACKEND_UNAVAILABLE: WireForm(503, "api_error", "server_error", "backend_unavailable"),
    ErrorKind.BACKEND_TIMEOUT: WireForm(504, "api_error", "server_error", "backend_timeout"),
    ErrorKind.OVERLOADED: WireForm(529, "overloaded_error", "server_error", "overloaded"),
}


# Clients act on the words of these: nothing is added to them.
MATCHED = frozenset({ErrorKind.PROMPT_TOO_LONG, ErrorKind.REQUEST_TOO_LARGE})


class LandlineError(Exception):
    """Something that the user must be told, in words that say what to do next.

    `message` says what is wrong, `quote` repeats the words of a backend, `hint` says what to do. `retry_after` is in
    whole seconds: a client that reads it waits that long. `final=True` asks clients not to repeat the request (header
    `x-should-retry: false`), for states that waiting cannot mend. `check` names the check of `landline doctor` that
    finds the cause; the page of symptoms has an anchor of that name. `details` are for programs: what an SDK of the
    Messages API looks at to go on by itself.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        quote: str = "",
        hint: str = "",
        retry_after: int | None = None,
        final: bool = False,
        check: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        message, quote = message[:LONGEST_TEXT], quote[:LONGEST_TEXT]
        super().__init__(f"{message}: {quote}" if quote else message)
        self.kind = kind
        self.message = message
        self.quote = quote
        self.hint = hint
        self.retry_after = retry_after
        self.final = final
        self.check = check
        self.details = details

    @property
    def wire(self) -> WireForm:
        return WIRE_FORMS[self.kind]

    @property
    def text(self) -> str:
        """All of it, for people. The words of PROMPT_TOO_LONG stand alone: clients match them."""
        said = str(self)
        if not self.hint or self.kind is ErrorKind.PROMPT_TOO_LONG:
            return said
        return f"{said} {self.hint}"

    @property
    def for_client(self) -> str:
        """The text, and where to look: a client shows it to somebody who has never heard of the doctor."""
        if not self.check or self.kind in MATCHED:
            return self.text
        return f"{self.text} {POINTER.format(check=self.check)}"

    @property
    def logged(self) -> str:
        """What may stand in a log: nothing that a peer wrote. Backends quote requests, complaints name their values."""
        ours = self.message.partition(":")[0] if self.kind is ErrorKind.INVALID_REQUEST else self.message
        return f"{self.kind.value}: {ours}"


def without_pointer(text: str) -> str:
    """The words of an error that came over the wire, for whoever has been where it points."""
    return _POINTER.sub("", text)


class SettingsError(LandlineError):
    """A setting, flag or settings file that cannot be used; ends the program before it starts."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(ErrorKind.INVALID_REQUEST, message, hint=hint)
