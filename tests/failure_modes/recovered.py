"""What a client gets of a model's raw words: one chat stream through the request's own transforms, cut in many ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from landline.core.exchange import Notes
from landline.core.fold import Answer, Fold
from landline.core.grammar import Grammar
from landline.core.model import Text, Thinking, ToolUse
from landline.core.stream import Pipeline
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.openai_chat.dialect import Dialect
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from landline.transforms.sequence import outbound
from tests.fakes.chat_stream import DONE, chunk, sse, usage_chunk


def _tool(name: str, required: Sequence[str], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"name": name, "description": f"Does {name}.", "input_schema": schema}


STRING, INTEGER, BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
ITEM = {"type": "object", "properties": {"content": STRING, "done": BOOLEAN}}
TOOLS = [
    _tool("Bash", ["command"], command=STRING, timeout=INTEGER, background=BOOLEAN),
    _tool("Read", ["file_path"], file_path=STRING, limit=INTEGER),
    _tool("Write", ["file_path", "content"], file_path=STRING, content=STRING),
    _tool("Grep", ["pattern"], pattern=STRING, path=STRING),
    _tool("TodoWrite", ["todos"], todos={"type": "array", "items": ITEM}),
    _tool("Status", []),
]
CUTS = (1, 2, 3, 7, 1_000_000)  # sizes of the pieces in which the words come

Call = tuple[str, Any]


class Got:
    """`said`: texts, thinking and calls in their order; arguments that are no JSON object stay text."""

    def __init__(self, answer: Answer, notes: Notes) -> None:
        self.answer = answer
        self.notes = notes
        self.said = [_said(block) for block in answer.blocks]
        self.stop = str(answer.stop_reason)

    @property
    def calls(self) -> list[Call]:
        return [one for one in self.said if isinstance(one, tuple)]

    @property
    def text(self) -> str:
        return "".join(block.text for block in self.answer.blocks if isinstance(block, Text))

    @property
    def thinking(self) -> str:
        return "".join(block.text for block in self.answer.blocks if isinstance(block, Thinking))


def _said(block: Any) -> Any:
    if not isinstance(block, ToolUse):
        return block.text
    try:
        return block.name, json.loads(block.arguments)
    except ValueError:
        return block.name, block.arguments


def got(
    text: str = "",
    *,
    thinking: str = "",
    parser: str = "",
    reasoning: str = "",
    finish: str = "stop",
    tools: Sequence[dict[str, Any]] = TOOLS,
    deltas: Sequence[dict[str, Any]] = (),
    sizes: Sequence[int] = CUTS,
    **dialect: Any,
) -> Got:
    """The same for every cut, or an assertion fails. `deltas` follow the words."""
    spoken = Dialect(tool_parsers=(parser,) if parser else (), reasoning_parser=reasoning, **dialect)
    answers = [_got(spoken, text, thinking, finish, tools, deltas, size) for size in sizes]
    for other in answers[1:]:
        assert (other.said, other.stop) == (answers[0].said, answers[0].stop)
    return answers[0]


def _got(
    dialect: Dialect,
    text: str,
    thinking: str,
    finish: str,
    tools: Sequence[dict[str, Any]],
    deltas: Sequence[dict[str, Any]],
    size: int,
) -> Got:
    notes = Notes()
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": list(tools)}
    _, conversation = decode_request(json.dumps(body).encode(), notes)
    request = outbound(conversation, dialect, notes)
    pipeline = Pipeline(ChatStreamDecoder(notes=notes), request.restoring)
    words = [{"reasoning": piece} for piece in _pieces(thinking, size)]
    words += [{"content": piece} for piece in _pieces(text, size)]
    fold, grammar = Fold(), Grammar()
    for delta in [*words, *deltas]:
        events = pipeline.feed(sse(chunk(delta)))
        grammar.check(events)
        fold.push(events)
    for end in (sse(chunk({}, finish), usage_chunk(10, 5)), DONE):
        events = pipeline.feed(end)
        grammar.check(events)
        fold.push(events)
    assert grammar.over
    assert fold.answer is not None
    return Got(fold.answer, notes)


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]
