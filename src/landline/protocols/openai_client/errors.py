"""Errors as the OpenAI API words them, before the first byte of an answer."""

from __future__ import annotations

import msgspec

from landline.errors import LandlineError


def error_object(error: LandlineError) -> dict[str, object]:
    return {"message": error.text, "type": error.wire.openai_type, "param": None, "code": error.wire.openai_code}


def error_body(error: LandlineError) -> bytes:
    """The JSON body of an error answer."""
    return msgspec.json.encode({"error": error_object(error)})
