"""A model that makes the same call again and again, though the result stays the same: told so, and stopped at last.

Read from the history alone: no state, any process sees the same. A turn counts by its calls (names, and arguments as
JSON values) with their results; a turn with another call or another result, an answer without calls, and words of the
user's begin anew. So polling goes on as long as what it sees changes, and a stopped session goes on with its user's
next message.

What the model is told stands at the very end of the prompt, beside the results, which stay as they are. The client
never has these words, so the next turn's prompt is without them: it is computed again from there on, and they are all
that is lost.
"""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.lenient_json import UNREAD, read_json
from landline.core.model import Conversation, Message, Role, Text, ToolResult, ToolUse, replace_messages
from landline.errors import ErrorKind, LandlineError

TOLD_AT = 3  # turns alike
STOPPED_AT = 8
REMINDER = "<system-reminder>"
REPEATED = (
    f"{REMINDER}\nYou have made the same call ({{tools}}) {{count}} times in a row with the same arguments, and the "
    "result was the same each time. Making it again will not change the result. Do something else, or tell the user "
    "what is in the way.\n</system-reminder>"
)
ALERT = "the model repeats one call ({tools}) though its result stays the same"
STOPPED = (
    "The model has made the same call ({tools}) {count} times in a row with the same arguments and the same result"
)
HINT = (
    "It was stopped here. Say what it should do differently, and it goes on; models.loop_limit sets how many times "
    "are allowed (0: any number)."
)


class Loop(msgspec.Struct, frozen=True):
    """`count` turns at the end of the history are alike; `tools` are their calls' names."""

    count: int
    tools: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        names = ", ".join(dict.fromkeys(name[:64] for name in self.tools[:4]))
        return f"{names}, ..." if len(self.tools) > 4 else names


def stopped_or_told(conversation: Conversation, notes: Notes, *, limit: int = STOPPED_AT) -> Text | None:
    """What the model is to be told behind all else. Raises LandlineError when it was told often enough."""
    if not _calls_alike(conversation.messages, min(limit or TOLD_AT, TOLD_AT)):
        return None
    loop = loop_of(conversation.messages)
    if loop.count < TOLD_AT and not 0 < limit <= loop.count:
        return None
    notes.alert(ALERT.format(tools=loop.named))
    if 0 < limit <= loop.count:
        told = STOPPED.format(tools=loop.named, count=loop.count)
        raise LandlineError(ErrorKind.INVALID_REQUEST, told + ".", hint=HINT, final=True)
    return Text(REPEATED.format(tools=loop.named, count=loop.count))


def _calls_alike(messages: tuple[Message, ...], answers: int) -> bool:
    """Whether the last answers, so many, call tools of the same names, so that it is worth a closer look: seldom."""
    names: list[list[str]] = []
    for message in reversed(messages):
        if message.role is not Role.ASSISTANT:
            continue
        names.append([block.name for block in message.blocks if type(block) is ToolUse])
        if not names[-1] or names[-1] != names[0]:
            return False
        if len(names) == answers:
            return True
    return False


def with_text_behind(conversation: Conversation, text: Text) -> Conversation:
    """The same object where the user has not the last word."""
    if not conversation.messages or conversation.messages[-1].role is not Role.USER:
        return conversation
    *before, last = conversation.messages
    return replace_messages(conversation, [*before, Message(Role.USER, (*last.blocks, text))])


def loop_of(messages: tuple[Message, ...]) -> Loop:
    """Read from the end, as far as turns are alike: nearly always two of them are looked at."""
    last: tuple[_Done, ...] | None = None
    count, at = 0, len(messages)
    while at > 0:
        at, turn = _turn_before(messages, at)
        if not turn or (last is not None and not _alike(last, turn)):
            break
        last = turn
        count += 1
    return Loop(count, tuple(done.call.name for done in last or ()))


class _Done(msgspec.Struct, frozen=True):
    call: ToolUse
    result: ToolResult


def _turn_before(messages: tuple[Message, ...], end: int) -> tuple[int, tuple[_Done, ...]]:
    """Where the turn begins that ends at `end`, and what was done in it; nothing where it is no turn of calls alone."""
    results: dict[str, ToolResult] = {}
    at = end - 1
    while at >= 0 and messages[at].role is not Role.ASSISTANT:
        if not _results(messages[at], results):
            return 0, ()
        at -= 1
    calls = [block for block in messages[at].blocks if type(block) is ToolUse] if at >= 0 else []
    if not calls or any(call.id not in results for call in calls):
        return 0, ()
    return at, tuple(_Done(call, results[call.id]) for call in calls)


def _results(message: Message, results: dict[str, ToolResult]) -> bool:
    """Adds what the message holds; whether it holds no words of the user's."""
    for block in message.blocks:
        if type(block) is ToolResult:
            results.setdefault(block.tool_use_id, block)
        elif type(block) is Text and message.role is Role.USER and not _is_reminder(block):
            return False
    return True


def _is_reminder(text: Text) -> bool:
    return not text.text.strip() or text.text.lstrip().startswith(REMINDER)


def _alike(one: tuple[_Done, ...], other: tuple[_Done, ...]) -> bool:
    return len(one) == len(other) and all(map(_same, one, other))


def _same(one: _Done, other: _Done) -> bool:
    if one.call.name != other.call.name or one.result.failed != other.result.failed:
        return False
    return one.result.parts == other.result.parts and _same_json(one.call.arguments, other.call.arguments)


def _same_json(one: str, other: str) -> bool:
    return one == other or _canonical(one) == _canonical(other)


def _canonical(text: str) -> object:
    value = read_json(text)
    return text if value is UNREAD else msgspec.json.encode(value, order="deterministic")
