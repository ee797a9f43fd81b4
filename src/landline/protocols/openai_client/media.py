"""Pictures and files in messages of OpenAI's clients."""

from __future__ import annotations

import base64
import binascii

from landline.core.model import Document, Image
from landline.protocols.openai_client.reading import invalid


def picture(url: str, place: str) -> Image:
    """A picture by its address; `data:` addresses hold it. What would be fetched is refused by the transforms."""
    if not url:
        raise invalid(f"{place}: a picture must be given as a data: address.")
    return Image(url=url)


def file(name: str, data: str, place: str) -> Document:
    """A file that was sent along, as base64 or as a `data:` address of it."""
    head, comma, coded = data.partition(",")
    if comma and head.startswith("data:"):
        kind = head[5:].partition(";")[0]
    else:
        kind, coded = "", data
    if not coded:
        raise invalid(f"{place}: a file must be sent along as file_data; landline keeps no files and fetches none.")
    kind = kind or ("application/pdf" if name.lower().endswith(".pdf") or coded.startswith("JVBER") else "text/plain")
    if kind == "application/pdf":
        return Document(kind, name, data=coded)
    if not kind.startswith("text/") and kind != "application/json":
        return Document(kind, name)
    try:
        return Document("text/plain", name, base64.b64decode(coded, validate=True).decode("utf-8", "replace"))
    except (binascii.Error, ValueError):
        raise invalid(f"{place}: file_data is not base64.") from None
