"""The documents of one request: who waits for them, and for how long."""

from __future__ import annotations

import asyncio
import base64
import time

import pytest

from landline.core.exchange import Notes
from landline.core.model import Conversation, Document, Message, Role
from landline.server.documents import LEFT, with_documents
from landline.upstream.document_child import Options, Output
from landline.upstream.documents import TOO_SLOW, DocumentReader


def conversation(*documents: bytes) -> Conversation:
    blocks = [Document("application/pdf", "", data=base64.b64encode(b"%PDF-" + data).decode()) for data in documents]
    return Conversation(model="m", messages=(Message(Role.USER, tuple(blocks)),), max_tokens=1)


async def slow(raw: bytes, options: Options) -> Output:
    if raw.startswith(b"%PDF-slow"):
        await asyncio.sleep(9)
    return Output("words")


async def test_endless_documents_hold_up_neither_their_own_request_nor_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.upstream.documents._in_a_process", slow)
    monkeypatch.setattr("landline.server.documents.MOST_WASTED_S", 0.25)
    reader, notes = DocumentReader(time_s=0.1), Notes()
    hostile, honest = conversation(*(b"slow%d" % number for number in range(40))), conversation(b"honest")
    began = time.monotonic()
    running = asyncio.ensure_future(with_documents(hostile, reader, pictures=False, notes=notes))
    await asyncio.sleep(0.01)
    [read] = (await with_documents(honest, reader, pictures=False, notes=notes)).messages[0].blocks
    assert isinstance(read, Document)
    assert read.text == "words"
    assert time.monotonic() - began < 1
    problems = [block.problem for block in (await running).messages[0].blocks if isinstance(block, Document)]
    assert time.monotonic() - began < 2
    assert problems == [TOO_SLOW] * 4 + [LEFT.problem] * 36
    again = conversation(*(b"slow%d" % number for number in range(4)), b"honest")
    last = (await with_documents(again, reader, pictures=False, notes=notes)).messages[0].blocks[-1]
    assert last == read, "what is remembered costs nothing"
