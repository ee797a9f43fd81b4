"""For models whose server or chat template knows no tools: told in the prompt, called and answered in words.

The calls are in the family's own syntax, so that what the model was trained on helps it, and `tool_calls.py` reads them
back. The tools stand at the end of the system text and each call and result where it was, written alike in every turn:
a later turn extends the prompt of the earlier one. Run again, it changes nothing.
"""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.model import (
    Block,
    Conversation,
    Message,
    Role,
    Text,
    Tool,
    ToolResult,
    Tools,
    ToolUse,
)
from landline.families.tool_parsers.syntax import Syntax, WrittenCall

TOLD = "tools told in the prompt: the backend knows none"
FAILED = "[the tool call failed]\n"
_EXAMPLE = WrittenCall("NAME_OF_THE_TOOL", '{"name_of_an_argument": "its value"}')
_HEAD = """# Tools

You can call tools. These are the tools, one JSON object on each line:

"""
_RULES = """

To call a tool, write the call exactly in this form, with a tool's name and its arguments as its parameters describe \
them, and then end your answer:

{example}

You may write several calls one after the other. Do not write a call inside a code block, and do not invent results: \
they come in the next message, between <tool_response> and </tool_response>. Where no tool is needed, just answer."""


def tools_in_words(conversation: Conversation, syntax: Syntax, notes: Notes) -> Conversation:
    """The same object where no tool is offered, and none was called."""
    messages = tuple([_worded(message, syntax, notes) for message in conversation.messages])
    changed = any(new is not old for new, old in zip(messages, conversation.messages, strict=True))
    if not conversation.tools and not changed:
        return conversation
    system, choice = conversation.system, conversation.tool_choice
    if conversation.tools and (choice is None or choice.mode != "none"):
        system = (*system, described(conversation.tools, syntax))
        notes.repaired(TOLD)
    if choice is not None and choice.mode in ("any", "tool"):
        notes.drop(f"tool_choice {choice.mode}: the backend knows no tools")
    return msgspec.structs.replace(conversation, system=system, messages=messages, tools=Tools(), tool_choice=None)


def described(tools: Tools, syntax: Syntax) -> str:
    lines = "\n".join(map(_line, tools))
    return _HEAD + lines + _RULES.format(example=syntax.write([_EXAMPLE]).strip())


def _line(tool: Tool) -> str:
    name = msgspec.json.encode(tool.name).decode()
    description, schema = (bytes(raw).decode("utf-8", "replace") for raw in (tool.description, tool.schema))
    return f'{{"name": {name}, "description": {description}, "parameters": {schema}}}'


def _worded(message: Message, syntax: Syntax, notes: Notes) -> Message:
    kinds = {type(block) for block in message.blocks}
    if message.role is Role.ASSISTANT:
        return _answer(message, syntax) if ToolUse in kinds else message
    return _results(message, notes) if ToolResult in kinds else message


def _answer(message: Message, syntax: Syntax) -> Message:
    """Its calls behind its words, as the model wrote them, or would have."""
    calls = [block for block in message.blocks if isinstance(block, ToolUse)]
    rest: list[Block] = [block for block in message.blocks if not isinstance(block, ToolUse)]
    written = syntax.write([WrittenCall(call.name, call.arguments, call.id) for call in calls])
    words = any(isinstance(block, Text) and block.text for block in rest)
    return Message(message.role, (*rest, Text("\n" + written if words else written)))


def _results(message: Message, notes: Notes) -> Message:
    return Message(message.role, tuple(_result(b, notes) if isinstance(b, ToolResult) else b for b in message.blocks))


def _result(result: ToolResult, notes: Notes) -> Text:
    texts: list[str] = []
    for part in result.parts:
        text = getattr(part, "text", None)
        if isinstance(text, str):
            texts.append(text)
        else:
            notes.drop(f"{type(part).__name__} in a tool result")
    said = "\n".join(texts)
    return Text(f"<tool_response>\n{FAILED if result.failed else ''}{said}\n</tool_response>")
