"""Failures of a response, as its stream tells them.

What Codex does decides the codes (0.169.0; `tests/clients/test_codex.py`): it repeats a request that was answered with
a 5xx 30 times within half a minute, and shows the body of a 400 as it is. Told in a stream instead, `context_length_
exceeded` ends the turn in words that its user knows, `invalid_prompt` ends it with the message, `rate_limit_exceeded`
makes it wait as long as the message says, and any other code is repeated 5 times. So it is told in a stream also what
would be an HTTP error for others.
"""

from __future__ import annotations

from landline.errors import ErrorKind, LandlineError

TOLD_IN_STREAM = "codex"  # how the user agents begin: codex_exec, codex_cli_rs, codex-tui, ...
_SERVER_ERROR = 500


def failure(error: LandlineError) -> dict[str, str]:
    """`error` of a response that failed."""
    if error.kind is ErrorKind.PROMPT_TOO_LONG:
        return {"code": "context_length_exceeded", "message": error.text}
    if error.retry_after is not None:
        return {"code": "rate_limit_exceeded", "message": f"{error.text} Please try again in {error.retry_after}s."}
    if error.final or error.wire.status < _SERVER_ERROR:
        return {"code": "invalid_prompt", "message": error.text}
    return {"code": "server_error", "message": error.text}


def told_in_stream(error: LandlineError, client: str) -> bool:
    """Whether an error before the first byte of a stream is told as one. `client` is the user agent."""
    if not client.lower().startswith(TOLD_IN_STREAM):
        return False
    return error.kind is ErrorKind.PROMPT_TOO_LONG or error.wire.status >= _SERVER_ERROR
