"""Errors as the Messages API words them."""

from __future__ import annotations

import msgspec

from landline.errors import LandlineError


def error_body(error: LandlineError, request_id: str) -> bytes:
    """The JSON body of an error answer, before the first byte of a stream."""
    told: dict[str, object] = {"type": error.wire.anthropic_type, "message": error.for_client}
    if error.details is not None:
        told["details"] = error.details
    return msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})


def error_headers(error: LandlineError) -> dict[str, str]:
    """Headers by which clients decide whether to repeat a request, and when."""
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if error.final:
        headers["x-should-retry"] = "false"
    return headers
