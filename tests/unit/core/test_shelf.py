"""Lists that come again are known by their bytes, and taken out of a request that has them where the last one had."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from landline.core.exchange import Notes
from landline.core.model import Conversation, ToolUse
from landline.core.shelf import WORTH_LIFTING, Shelf
from landline.errors import LandlineError
from landline.protocols.anthropic_messages.known import Known
from landline.protocols.anthropic_messages.request import decode_request

LIST = b"[" + b'{"name":"a"},' * (WORTH_LIFTING // 12) + b'{"name":"z"}]'


def shelf_that_saw(body: bytes) -> Shelf[int]:
    shelf: Shelf[int] = Shelf(lambda raw: len(msgspec.json.decode(raw)), secret="s3")
    shelf.found(Raw(LIST), body)
    return shelf


@pytest.mark.parametrize("after", [b'{"tools":%b,"m":"another, longer"}', b'{"longer":"beginning","tools":%b,"m":1}'])
def test_a_list_is_lifted_from_where_it_stood_counted_from_either_end(after: bytes) -> None:
    shelf = shelf_that_saw(b'{"tools":%b,"m":1}' % LIST)
    body = after % LIST
    lifted = shelf.lifted(body)
    assert lifted is not None
    assert lifted[0] == after % b'"s3"'
    assert lifted[1] == len(msgspec.json.decode(LIST))


@pytest.mark.parametrize("body", [b"", b'{"tools":[]}', b'{"a":1,"tools":%b,"m":22}' % LIST, LIST, LIST[:-1]])
def test_nothing_is_lifted_where_it_stands_elsewhere_or_not_at_all(body: bytes) -> None:
    assert shelf_that_saw(b'{"tools":%b,"m":1}' % LIST).lifted(body) is None


def test_nothing_is_lifted_without_a_secret() -> None:
    shelf = Known()
    decoded(body(), shelf)
    assert shelf.tools.lifted(body()) is None


def test_a_list_is_read_once_and_the_oldest_is_forgotten() -> None:
    read: list[bytes] = []
    shelf: Shelf[int] = Shelf(lambda raw: read.append(bytes(raw)) or len(read))
    assert [shelf.found(Raw(b"[1]")), shelf.found(Raw(b"[2]")), shelf.found(Raw(b"[1]"))] == [1, 2, 1]
    for number in range(16):
        shelf.found(Raw(b"[1,%d]" % number))
    assert shelf.found(Raw(b"[2]")) == len(read)


TOOLS = [{"name": f"t{n}", "description": "d" * 300, "input_schema": {"type": "object"}} for n in range(20)]


def body(**changed: object) -> bytes:
    whole = {"model": "m", "max_tokens": 9, "tools": TOOLS, "messages": [{"role": "user", "content": "hi"}]}
    return msgspec.json.encode({**whole, **changed})


def decoded(sent: bytes, shelf: Known) -> Conversation:
    return decode_request(sent, Notes(), known=shelf)[1]


def test_a_request_reads_alike_with_its_tools_lifted() -> None:
    shelf = Known(secret="s3")
    first = decoded(body(), shelf)
    assert shelf.tools.lifted(body()) is not None
    assert decoded(body(), shelf) == first == decoded(body(), Known())
    longer = body(messages=[{"role": "user", "content": "hi " * 500}])
    assert shelf.tools.lifted(longer) is not None
    assert decoded(longer, shelf) == decoded(longer, Known())


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.replace(b'"messages":', b'"tools":[],"messages":'),
        lambda told: told.replace(b'"messages":', b'"tools":null,"messages":'),
        lambda told: told.replace(b'"tools":', b'"other":'),
        lambda told: told.replace(b'"hi"', b'[{"type":"text","text":"%b"}]' % b"words"),
    ],
    ids=["a second list", "null behind it", "another member", "other messages"],
)
def test_what_stands_where_the_tools_stood_is_believed_only_as_the_tools(change: object) -> None:
    shelf = Known(secret="s3")
    decoded(body(), shelf)
    sent = change(body())  # type: ignore[operator]
    assert shelf.tools.lifted(sent) is not None
    assert decoded(sent, shelf) == decoded(sent, Known())


def test_the_same_list_inside_a_call_stays_in_it() -> None:
    shelf = Known(secret="s3")
    call = {"type": "tool_use", "id": "c", "name": "t1", "input": {"tools": TOOLS}}
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [call]}]
    sent = msgspec.json.encode({"messages": talk, "model": "m", "max_tokens": 9})
    # The list as tools, in a request of the same length where the call has it.
    at = sent.find(msgspec.json.encode(TOOLS))
    before = b'{"messages":[{"role":"user","content":"' + b"x" * (at - 51)
    decoded(before + b'"}],"tools":' + msgspec.json.encode(TOOLS) + b',"model":"m","max_tokens":9}', shelf)
    assert shelf.tools.lifted(sent) is not None
    found = decoded(sent, shelf).messages[1].blocks[0]
    assert isinstance(found, ToolUse)
    assert msgspec.json.decode(found.arguments) == {"tools": TOOLS}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda told: told[:-1], "not valid JSON"),
        (lambda told: told.replace(b'"max_tokens":9', b'"max_tokens":"nine"'), "max_tokens"),
    ],
    ids=["cut off", "of another type"],
)
def test_an_error_is_told_of_the_whole_request(broken: object, words: str) -> None:
    shelf = Known(secret="s3")
    decoded(body(messages=[{"role": "user", "content": "hi"}]), shelf)
    sent = broken(body())  # type: ignore[operator]
    told: list[str] = []
    for one in (shelf, Known()):
        with pytest.raises(LandlineError, match=words) as raised:
            decoded(sent, one)
        told.append(raised.value.text)
    assert told[0] == told[1]
