"""Pictures are no text: what they weigh in base64 says nothing about their tokens."""

from __future__ import annotations

import json
from typing import Any

from landline.config.settings import Backend, Settings
from landline.core.exchange import Exchange
from landline.core.model import Conversation, Image, Message, Role, Text
from landline.server.journal import Journal
from landline.server.line import Line
from landline.server.opening import Opening
from landline.transforms.limits import PICTURE_AS_TEXT_BYTES, picture_bytes
from landline.transforms.sequence import Outbound, Restoring
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import gateway_to, http_request, request_body
from tests.fakes.model_server import ModelServer

PICTURE = "A" * 700_000
SOURCE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
TALK: list[dict[str, Any]] = [{"type": "text", "text": "What is this?"}, SOURCE]
CALL = {"type": "tool_use", "id": "toolu_1", "name": "Look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [SOURCE]}


def talk(*sizes: int) -> Conversation:
    pictures = tuple(Image(media_type="image/png", data="A" * size) for size in sizes)
    return Conversation(model="m", messages=(Message(Role.USER, (Text("hello"), *pictures)),))


def test_what_a_picture_weighs_beyond_its_tokens() -> None:
    assert picture_bytes(talk()) == 0
    assert picture_bytes(talk(100, PICTURE_AS_TEXT_BYTES)) == 0
    assert picture_bytes(talk(700_000)) == 700_000 - PICTURE_AS_TEXT_BYTES
    assert picture_bytes(talk(10_000, 50, 20_000)) == 30_000 - 2 * PICTURE_AS_TEXT_BYTES


def test_a_request_is_sized_without_its_pictures() -> None:
    line = Line(Settings(backend=Backend(window=64_000)), journal=Journal())
    exchange = Exchange(id="req_0123456789abcdef01234567", path="/v1/messages")
    plain, pictured = (Opening(Outbound(talk(*sizes), Restoring(tuple)), exchange, line) for sizes in ((), (700_000,)))
    assert 0 < pictured.size - plain.size < PICTURE_AS_TEXT_BYTES + 200
    assert pictured.estimate < plain.estimate + 2_000


async def test_a_large_picture_is_not_taken_for_a_long_prompt() -> None:
    told: list[dict[str, Any]] = [
        {"role": "user", "content": TALK},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [RESULT]},
    ]
    async with (
        ModelServer(lambda _: Answer(text="a cat", usage=(2000, 2, None)), kind="plain", window=10**7) as server,
        gateway_to(server.url, backend={"window": 64_000}) as client,
    ):
        for messages, pictures in ((told[:1], 1), (told, 2)):
            body = request_body(messages=messages, max_tokens=30_000)
            data = json.dumps(body).encode()
            answer = await client.raw(http_request(data, headers={"connection": "close"}), timeout_s=10)
            assert answer.startswith(b"HTTP/1.1 200 "), answer[:1000]
            sent = server.chats[-1]
            assert sent.body.decode().count(PICTURE) == pictures
            assert sent.json["max_tokens"] == 30_000, "the answer was cut for the picture's sake"
            headers = {"connection": "close"}
            counted = await client.raw(http_request(data, path="/v1/messages/count_tokens", headers=headers))
            assert json.loads(counted.partition(b"\r\n\r\n")[2])["input_tokens"] < 4_000
        assert (await client.messages(request_body("x" * 700_000))).status == 400, "text of that size is refused"
