"""Pictures and documents."""

from __future__ import annotations

import pytest

from landline.core.exchange import Notes
from landline.core.model import Block, Conversation, Document, Image, Message, Role, Text, ToolResult
from landline.errors import LandlineError
from landline.transforms.media import visible_media

PNG = Image("image/png", "AAAA")
MARK = Text("[The image follows in the next message.]")


def visible(*blocks: Block, notes: Notes | None = None) -> tuple[Block, ...]:
    conversation = Conversation(model="m", messages=(Message(Role.USER, blocks),))
    return visible_media(conversation, notes or Notes()).messages[0].blocks


def test_without_media_nothing_is_copied() -> None:
    conversation = Conversation(model="m", messages=(Message(Role.USER, (Text("a"), ToolResult("t", (Text("b"),)))),))
    assert visible_media(conversation, Notes()) is conversation


@pytest.mark.row("2.30")
def test_images_of_results_follow_behind_all_results_in_their_order() -> None:
    notes, other = Notes(), Image("image/jpeg", "BBBB")
    one, two = ToolResult("1", (Text("a"), PNG)), ToolResult("2", (other, Text("b")), failed=True)
    got = visible(one, Text("said"), two, notes=notes)
    assert got == (
        ToolResult("1", (Text("a"), MARK)),
        ToolResult("2", (MARK, Text("b")), True),
        PNG,
        other,
        Text("said"),
    )
    assert notes.repairs == ["image in a tool result moved to the user message behind it"]


@pytest.mark.row("2.32")
def test_documents_become_words_or_a_mark() -> None:
    notes = Notes()
    got = visible(Document("text/plain", "notes.txt", "hello"), Document("application/pdf", "p.pdf"), notes=notes)
    left_out = "[Document p.pdf was left out: the model server cannot read application/pdf.]"
    assert got == (Text("[Document: notes.txt]\nhello"), Text(left_out))
    assert notes.dropped == ["document of type application/pdf"]


def test_a_document_in_a_result_stays_in_it() -> None:
    got = visible(ToolResult("1", (Document("text/plain", "", "hello"),)))
    assert got == (ToolResult("1", (Text("[Document: text/plain]\nhello"),)),)


def test_a_data_address_is_the_image_itself() -> None:
    assert visible(Image(url="data:image/png;base64,AAAA")) == (PNG,)


@pytest.mark.parametrize("url", ["http://127.0.0.1/x.png", "https://example.org/x", "file:///etc/passwd", "data:,x"])
def test_nothing_is_fetched(url: str) -> None:
    with pytest.raises(LandlineError, match="not fetched"):
        visible(Image(url=url))
    with pytest.raises(LandlineError, match="not fetched"):
        visible(ToolResult("1", (Image(url=url),)))
