"""Reads bodies of OpenAI's clients: what cannot be decoded is refused in words that name the place."""

from __future__ import annotations

from typing import TypeVar, cast

import msgspec
from msgspec import Raw, UnsetType

from landline.core.exchange import Notes
from landline.core.json_text import without_half_surrogates
from landline.core.lenient_json import UNREAD, read_json, read_lenient
from landline.core.model import Role
from landline.errors import ErrorKind, LandlineError

Body = TypeVar("Body")

LONGEST_NAME = 512  # of a model; it stands in logs and headers
ROLES = {role.value: role for role in Role} | {"developer": Role.SYSTEM}  # of messages, as these clients name them
LARGEST_INTEGER = 2**53  # beyond it, JSON parsers disagree about what a number is

_members = msgspec.json.Decoder(dict[str, Raw])


def read_body(decoder: msgspec.json.Decoder[Body], body: bytes, notes: Notes) -> tuple[Body, dict[str, Raw]]:
    """The body as a struct, and its members as they were written. Raises LandlineError (invalid_request)."""
    try:
        try:
            return decoder.decode(body), _members.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # half a surrogate pair is looked for only then
            whole = without_half_surrogates(body)
            if whole is body:
                raise
            notes.repaired("half of a surrogate pair read as U+FFFD")
            return decoder.decode(whole), _members.decode(whole)
    except msgspec.ValidationError as error:
        raise invalid(placed(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"The request body is not valid JSON: {error}.") from None


def members_of(body: bytes) -> dict[str, Raw]:
    """The members of a body that was read before."""
    try:
        return _members.decode(body)
    except msgspec.DecodeError:
        return _members.decode(without_half_surrogates(body))


def check_model(model: str) -> None:
    if len(model) > LONGEST_NAME:
        raise invalid(f"model: must not be longer than {LONGEST_NAME} characters.")


def limit_of(field: str, tokens: int | None) -> int | None:
    """The most tokens of an answer, as a request names them in `field`."""
    if tokens is not None and not 1 <= tokens <= LARGEST_INTEGER:
        raise invalid(f"{field}: must be at least 1." if tokens < 1 else f"{field}: is out of range.")
    return tokens


def arguments_of(written: object, notes: Notes) -> str:
    """The arguments of an earlier call as the text of a JSON object: backends parse what is replayed.

    Clients of these protocols hand back what a model wrote, broken or not; one call that is no JSON would otherwise be
    refused at every later turn.
    """
    text = written if isinstance(written, str) else msgspec.json.encode(written).decode()
    if not text.strip() or text.strip() == "null":
        return "{}"
    value = read_json(text)
    if isinstance(value, dict):
        return text
    if value is UNREAD and isinstance(read := read_lenient(text), dict):
        notes.repaired("arguments in the history that are no JSON read as what was meant")
        return msgspec.json.encode(read).decode()
    notes.repaired("arguments in the history that are no object wrapped into one")
    return msgspec.json.encode({"input": text if value is UNREAD else value}).decode()


def text_of(raw: Raw | UnsetType | None) -> str:
    """A JSON string that was left undecoded; empty for anything else."""
    if raw is None or isinstance(raw, UnsetType):
        return ""
    value: object = read_json(bytes(raw).decode("utf-8", "replace"))
    return value if isinstance(value, str) else ""


def member(value: object, name: str) -> object:
    """One member of a decoded JSON object; None where it is not there, or there is no object."""
    return cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None


def placed(error: str, prefix: str = "") -> str:
    """msgspec's "Expected `str`, got `int` - at `$.messages[0].role`" as "messages.0.role: Expected ..."."""
    what, _, path = error.partition(" - at `$")
    place = path.rstrip("`").replace("[...]", "").replace("[", ".").replace("]", "")
    where = (prefix + place).lstrip(".") or "body"
    return f"{where}: {what}."


def invalid(message: str, *, hint: str = "") -> LandlineError:
    return LandlineError(ErrorKind.INVALID_REQUEST, message, hint=hint)
