"""The beginning of the prompt, and its room in the window."""

from __future__ import annotations

import pytest

from landline.core.events import ResponseEnd, ResponseStart
from landline.core.exchange import Notes
from landline.core.model import Conversation, Image, Message, Role, StopReason, Text, Usage
from landline.errors import ErrorKind, LandlineError
from landline.transforms.limits import MARGIN_TOKENS, clamp_output, clearly_fits
from landline.transforms.prefix import system_in_place, without_billing_line
from landline.transforms.usage import FillUsage

BILLING = "x-anthropic-billing-header: cc_version=2.1.197.0a3; cc_entrypoint=cli;"
HI = Message(Role.USER, (Text("hi"),))
BYE = Message(Role.ASSISTANT, (Text("bye"),))


def system(*texts: str) -> Message:
    return Message(Role.SYSTEM, tuple(map(Text, texts)))


def placed(*messages: Message, head: tuple[str, ...] = ("S",)) -> Conversation:
    return system_in_place(Conversation(model="m", system=head, messages=messages), Notes())


@pytest.mark.parametrize("line", [BILLING, BILLING.replace("anthropic", "ahthropic")])
@pytest.mark.row("6.01")
def test_the_billing_line_goes_and_nothing_else(line: str) -> None:
    notes = Notes()
    said = Message(Role.USER, (Text(line),))
    conversation = Conversation(model="m", system=(line, "You are.", f"{line}\nRest"), messages=(said,))
    kept = without_billing_line(conversation, notes)
    assert (kept.system, kept.messages) == (("You are.", "Rest"), (said,))
    assert notes.dropped == ["billing line"]


def test_without_a_billing_line_nothing_is_copied() -> None:
    conversation, notes = Conversation(model="m", system=("You are.",), messages=(HI,)), Notes()
    assert without_billing_line(conversation, notes) is conversation
    assert system_in_place(conversation, notes) is conversation
    assert notes == Notes()


@pytest.mark.row("2.01")
@pytest.mark.row("2.03")
def test_system_messages_stay_where_they_are() -> None:
    reminder = "<system-reminder>\nbe brief\n</system-reminder>"
    got = placed(HI, system("be brief"), BYE, HI, system(reminder), BYE)
    user = Message(Role.USER, (Text(reminder),))
    assert got.messages == (HI, user, BYE, HI, user, BYE)
    assert got.system == ("S",)


def test_string_and_blocks_render_alike() -> None:
    assert placed(HI, system("a\nb")) == placed(HI, system("a", "b")) == placed(HI, system("\na", "b\n"))


def test_at_the_head_without_system_text_they_are_the_system_text() -> None:
    got = placed(system("a"), system("b"), HI, head=())
    assert (got.system, got.messages) == (("a", "b"), (HI,))


@pytest.mark.row("2.04")
def test_a_template_always_gets_a_turn_of_the_users() -> None:
    got = placed(system("a"), system("b"), head=())
    assert got.system == ("a",)
    assert [message.role for message in got.messages] == [Role.USER]
    assert placed(HI, BYE, system("c")).messages[-1].role is Role.USER


def test_a_billing_line_in_a_system_message_takes_nothing_along() -> None:
    assert placed(HI, system(f"{BILLING}\nkeep")).messages[1] == placed(HI, system("keep")).messages[1]


def test_what_a_system_message_cannot_carry_is_told() -> None:
    notes = Notes()
    message = Message(Role.SYSTEM, (Text("a"), Image("image/png", "AA")))
    system_in_place(Conversation(model="m", messages=(HI, message)), notes)
    assert notes.dropped == ["Image in a system message"]


@pytest.mark.parametrize(
    ("asked", "prompt", "sent"), [(32000, 17000, 32768 - 17000 - MARGIN_TOKENS), (100, 17000, 100), (None, 17000, None)]
)
@pytest.mark.row("2.38")
def test_max_tokens_is_cut_to_what_is_left(asked: int | None, prompt: int, sent: int | None) -> None:
    notes = Notes()
    conversation = Conversation(model="m", max_tokens=asked)
    assert clamp_output(conversation, prompt_tokens=prompt, window=32768, notes=notes).max_tokens == sent
    assert bool(notes.repairs) == (asked != sent)


@pytest.mark.parametrize(("prompt", "named"), [(32768, 32769), (32752, 32769), (40000, 40000)])
def test_a_prompt_that_leaves_no_room_is_refused(prompt: int, named: int) -> None:
    with pytest.raises(LandlineError, match=f"prompt is too long: {named} tokens > 32768 maximum") as raised:
        clamp_output(Conversation(model="m", max_tokens=5), prompt_tokens=prompt, window=32768, notes=Notes())
    assert raised.value.kind is ErrorKind.PROMPT_TOO_LONG


def test_clearly_fits() -> None:
    conversation = Conversation(model="m", max_tokens=1000)
    assert clearly_fits(conversation, prompt_bytes=2000, window=2000 + MARGIN_TOKENS)
    assert not clearly_fits(conversation, prompt_bytes=2002, window=2000 + MARGIN_TOKENS)
    assert clearly_fits(conversation, prompt_bytes=10**9, window=0)


def test_an_estimate_stands_in_for_usage_that_is_missing() -> None:
    end = ResponseEnd(StopReason.END_TURN, Usage(output=3))
    filled = FillUsage(77).push([ResponseStart(), end])[-1]
    assert filled == ResponseEnd(StopReason.END_TURN, Usage(prompt=77, output=3, exact=False))
    told = ResponseEnd(StopReason.END_TURN, Usage(prompt=5))
    assert FillUsage(77).push([told]) == [told]
