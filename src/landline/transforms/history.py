"""Makes the history whole, for every backend: each call has its result, and each result its call.

Clients cut histories (an interrupt, a compaction, a crash), and backends refuse what is left, at every later turn. A
message and its repair depend on what stands before it, and for the calls of an answer on the user's messages behind it
up to the next answer. So a later turn changes nothing of an earlier one, unless a client delivers a result late, in
front of which no answer stands: then the result takes the place of the stand-in.

A turn without content keeps its place, as an empty text: roles go on alternating. Only an empty answer at the end is
left out, because the model is to write one there.

Knows nothing of backends; what single templates want beyond this is in `turns.py`.
"""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.model import (
    Block,
    Conversation,
    Message,
    Opaque,
    ResultPart,
    Role,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    replace_messages,
)

NO_RESULT = "[No result: the call was interrupted before its tool had answered.]"
WITHOUT_CALL = "[Result of a tool call that is not part of this conversation any more]"
ANOTHER_RESULT = "[Another result of a tool call that was answered already]"


def whole_history(conversation: Conversation, notes: Notes) -> Conversation:
    """The same object where nothing is missing."""
    if _is_whole(conversation.messages):
        return conversation
    repair = _Repair(notes)
    for message in conversation.messages:
        repair.take(message)
    return replace_messages(conversation, repair.finished())


def _is_whole(messages: tuple[Message, ...]) -> bool:
    """Whether the results of each answer's calls, and no others, stand in the message behind it."""
    owed: list[str] = []
    for message in messages:
        if message.role is Role.ASSISTANT:
            if owed:
                return False
            owed = [block.id for block in message.blocks if type(block) is ToolUse]
        else:
            paid = [block.tool_use_id for block in message.blocks if type(block) is ToolResult]
            if paid != owed and sorted(paid) != sorted(owed):
                return False
            owed = []
    return not owed and not (messages and messages[-1].role is Role.ASSISTANT and is_empty(messages[-1]))


def is_empty(message: Message) -> bool:
    """Whether nothing in it can be sent."""
    return not any(map(_says_something, message.blocks))


def _says_something(block: Block) -> bool:
    if isinstance(block, Text | Thinking):
        return bool(block.text)
    return not isinstance(block, Opaque)


class _Repair:
    """Takes the messages in their order. The user's messages wait until all between two answers are known."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._out: list[Message] = []
        self._calls: list[ToolUse] = []  # of the last answer
        self._waiting: list[Message] = []  # the user's messages behind it

    def take(self, message: Message) -> None:
        if message.role is not Role.ASSISTANT:
            self._waiting.append(message)
            return
        self._let_out()
        self._out.append(message)
        self._calls = [block for block in message.blocks if isinstance(block, ToolUse)]

    def finished(self) -> list[Message]:
        self._let_out()
        while len(self._out) > 1 and self._out[-1].role is Role.ASSISTANT and is_empty(self._out[-1]):
            self._notes.repaired("empty answer at the end left out")
            self._out.pop()
        return self._out

    def _let_out(self) -> None:
        """Results first, in the order of their coming; then the rest, in place.

        What is whole stays message for message: a call cut off later must not move what was sent before it.
        """
        results = self._results()
        missing = [call for call in self._calls if call.id not in results]
        if missing:
            self._notes.repaired("result of an interrupted tool call filled in")
            self._waiting = self._waiting or [Message(Role.USER, ())]
        rest = [self._without(message, results) for message in self._waiting]
        owed: list[Block] = [*results.values(), *(ToolResult(call.id, (Text(NO_RESULT),)) for call in missing)]
        if owed:
            rest[0] = Message(Role.USER, (*owed, *rest[0].blocks))
        self._out.extend(
            left for left, whole in zip(rest, self._waiting, strict=True) if left.blocks or not whole.blocks
        )
        self._calls, self._waiting = [], []

    def _results(self) -> dict[str, ToolResult]:
        """The first result of each call, by its id."""
        known = {call.id for call in self._calls}
        found: dict[str, ToolResult] = {}
        late = False  # behind another message of the user's
        for message in self._waiting:
            for block in message.blocks:
                if isinstance(block, ToolResult) and block.tool_use_id in known:
                    found.setdefault(block.tool_use_id, block)
            if not found and message.blocks and known:
                late = True
        if late and found:
            self._notes.repaired("tool results moved up to their calls")
        return found

    def _without(self, message: Message, results: dict[str, ToolResult]) -> Message:
        """What is left of a message when the results have left it; results without a call become words."""
        blocks: list[Block] = []
        for block in message.blocks:
            if not isinstance(block, ToolResult):
                blocks.append(block)
            elif results.get(block.tool_use_id) is not block:
                blocks.extend(self._words(block, results))
        return msgspec.structs.replace(message, blocks=tuple(blocks))

    def _words(self, result: ToolResult, results: dict[str, ToolResult]) -> list[Block]:
        same = results.get(result.tool_use_id)
        if same is not None and same.parts == result.parts:
            self._notes.drop("the same tool result once more")
            return []
        self._notes.repaired("tool result without its call turned into words")
        return [Text(WITHOUT_CALL if same is None else ANOTHER_RESULT), *map(_block, result.parts)]


def _block(part: ResultPart) -> Block:
    return part
