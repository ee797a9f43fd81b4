"""What an answer keeps of its request: nothing that is large."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from landline.core.exchange import Notes
from landline.core.model import Message
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.openai_chat.dialect import STANDARD
from landline.transforms.sequence import outbound
from tests.failure_modes.recovered import TOOLS


def reached(*roots: Any) -> Iterator[Any]:
    """Everything that is kept alive by `roots`; of functions what they close over, of classes and modules nothing."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, type | ModuleType):
            continue
        seen.add(id(found))
        yield found
        waiting += found.__closure__ or () if isinstance(found, FunctionType) else gc.get_referents(found)


def test_what_waits_for_the_answer_holds_no_message_of_the_request() -> None:
    body = {"model": "m", "max_tokens": 9, "tools": TOOLS, "messages": [{"role": "user", "content": "x"}]}
    _, conversation = decode_request(json.dumps(body).encode(), Notes())
    request = outbound(conversation, STANDARD, Notes())
    assert any(isinstance(found, Message) for found in reached(request.conversation))
    assert not any(isinstance(found, Message) for found in reached(*request.restoring))
