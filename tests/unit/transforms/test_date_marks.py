from __future__ import annotations

import pytest

from landline.core.exchange import Notes
from landline.core.model import Conversation, Message, Role, Text, ToolResult
from landline.transforms.date_marks import without_date_marks

MARKED = "# currentDate\nToday\u02bcs date is 2026/11/28.\n"


def of(role: Role, *texts: str) -> Conversation:
    return Conversation(model="m", messages=(Message(role, tuple(Text(text) for text in texts)),))


def changed(conversation: Conversation) -> str:
    notes = Notes()
    found = without_date_marks(conversation, notes)
    assert (found is conversation) is (not notes.repairs)
    return "".join(block.text for message in found.messages for block in message.blocks if isinstance(block, Text))


def test_only_the_marks_change():
    assert changed(of(Role.SYSTEM, "before", MARKED, "after")) == (
        "before# currentDate\nToday's date is 2026-11-28.\nafter"
    )
    assert "Today's date is 2026-11-28." in changed(of(Role.USER, f"<system-reminder>\n{MARKED}</system-reminder>"))


@pytest.mark.parametrize(
    "text",
    [
        "Today's date is 2026-11-28.",
        "Today's date is 2026/11-28.",
        "Today's date is 28/11/2026.",
        "Yesterday\u2019s date is 2026/11/27.",
        "no date at all",
        "",
    ],
)
def test_a_plain_date_and_other_words_stay_the_same_object(text: str):
    conversation = of(Role.SYSTEM, text)
    assert without_date_marks(conversation, Notes()) is conversation


@pytest.mark.parametrize("role", [Role.USER, Role.ASSISTANT])
def test_what_people_models_and_tools_say_stays(role: Role):
    conversation = of(role, MARKED)
    assert without_date_marks(conversation, Notes()) is conversation
    result = Message(Role.USER, (ToolResult(tool_use_id="t", parts=(Text(MARKED),)),))
    tools = Conversation(model="m", messages=(result,))
    assert without_date_marks(tools, Notes()) is tools
