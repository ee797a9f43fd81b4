"""Tools that the client found in mid-session, without moving the tools at the head of the prompt.

A client with tool search sends few tools and the names of the rest. What a search finds it inserts, marked
`defer_loading`, in the middle of its tool list (Claude Code 2.1.329), and the result of the search holds a
`tool_reference` for each. Chat templates write the tools first, so such an insertion would have the whole prompt
computed again. Here the list stays as it was, and a found tool is told in words where its reference stands: name,
description and schema, the same bytes in every later turn.

Decisions:
- A second reference to the same tool says only that it was found above.
- A deferred tool that no reference names was found in a part of the history that is gone (compaction, cleared
  results), if the client searches itself: then it is told at the end of the user's first message, which is new in that
  case, and the head of the prompt holds. A client without a search tool of its own just sends deferred tools: they are
  ordinary tools, at their places.
- Only vLLM is known to pass on a call of a tool that is not in the list, and not with every parser (families.toml:
  listed_tools_only), nor for `tool_choice` any or tool or without parallel calls, where a grammar is made of the list.
  llama.cpp always has such a grammar, SGLang drops such a call, Ollama does not recognise it. There found tools join
  the list, behind all others in the order of their finding: the prompt moves once per search, and the report says so.
- Parsers of XML-like syntaxes (vLLM: qwen3_coder and others) take the types of arguments from the listed tools and
  leave every argument of another tool a string. `tool_repair` makes them what the tool's schema says.
"""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.model import (
    Block,
    Conversation,
    Message,
    ResultPart,
    Role,
    Text,
    Tool,
    ToolReference,
    ToolResult,
    Tools,
    replace_messages,
)
from landline.protocols.openai_chat.dialect import Dialect

SEARCH_TOOL = "ToolSearch"  # Claude Code's own
TOLD = "found tools told in words where they were found"
LISTED = "found tools listed behind all others: the backend calls listed tools only"


def found_tools(conversation: Conversation, dialect: Dialect, notes: Notes) -> Conversation:
    """The conversation with the tool list that was there before anything was found."""
    if not conversation.tools.once(_any_deferred):
        return conversation  # a reference without its tool is written as a few words
    known = {tool.name: tool for tool in conversation.tools}
    deferred = [tool for tool in conversation.tools if tool.deferred]
    if not any(tool.name == SEARCH_TOOL for tool in conversation.tools):
        deferred = [tool for tool in deferred if tool.name in _referred(conversation.messages)]
    if not deferred:
        return _in_words(conversation, {}, known)
    if not _callable_unlisted(conversation, dialect):
        notes.repaired(LISTED)
        return _listed(conversation, deferred, known)
    notes.repaired(TOLD)
    told = {tool.name: tool for tool in deferred}
    kept = Tools(tool for tool in conversation.tools if tool.name not in told)
    return _in_words(msgspec.structs.replace(conversation, tools=kept), told, known)


def _any_deferred(tools: Tools) -> bool:
    return any(tool.deferred for tool in tools)


def _callable_unlisted(conversation: Conversation, dialect: Dialect) -> bool:
    choice = conversation.tool_choice
    return dialect.calls_unlisted_tools and (choice is None or (choice.mode in ("auto", "none") and choice.parallel))


def _listed(conversation: Conversation, deferred: list[Tool], known: dict[str, Tool]) -> Conversation:
    order = _referred(conversation.messages)
    behind = sorted(deferred, key=lambda tool: order.get(tool.name, -1))
    names = {tool.name for tool in deferred}
    kept = [tool for tool in conversation.tools if tool.name not in names]
    return _in_words(msgspec.structs.replace(conversation, tools=Tools((*kept, *behind))), {}, known)


# ------------------------------------------------------------------------------------------------ references to words


def _refers(message: Message) -> bool:
    for block in message.blocks:
        if isinstance(block, ToolReference):
            return True
        if isinstance(block, ToolResult) and any(isinstance(part, ToolReference) for part in block.parts):
            return True
    return False


def _referred(messages: tuple[Message, ...]) -> dict[str, int]:
    """Name of each tool that a reference names, with its place in the order of finding."""
    names: dict[str, int] = {}
    blocks = (block for message in messages if _refers(message) for block in message.blocks)
    for block in blocks:
        for part in block.parts if isinstance(block, ToolResult) else (block,):
            if isinstance(part, ToolReference):
                names.setdefault(part.name, len(names))
    return names


def _in_words(conversation: Conversation, told: dict[str, Tool], known: dict[str, Tool]) -> Conversation:
    """Every reference as text; tools of `told` with all that a call needs, at their first reference."""
    writer = _Words(told, known)
    messages = [writer.message(message) if _refers(message) else message for message in conversation.messages]
    lost = [tool for name, tool in told.items() if name not in writer.seen]
    return replace_messages(conversation, _with_lost(messages, lost))


def _with_lost(messages: list[Message], lost: list[Tool]) -> list[Message]:
    at = next((at for at, message in enumerate(messages) if message.role is Role.USER), None)
    if not lost or at is None:
        return messages
    texts = "\n\n".join(map(_described, lost))
    block = Text(f"<system-reminder>\n{texts}\n</system-reminder>")
    messages[at] = msgspec.structs.replace(messages[at], blocks=(*messages[at].blocks, block))
    return messages


class _Words:
    def __init__(self, told: dict[str, Tool], known: dict[str, Tool]) -> None:
        self.seen: set[str] = set()
        self._told = told
        self._known = known

    def message(self, message: Message) -> Message:
        return msgspec.structs.replace(message, blocks=tuple(self._block(block) for block in message.blocks))

    def _block(self, block: Block) -> Block:
        if isinstance(block, ToolReference):
            return self._text(block)
        if isinstance(block, ToolResult):
            return msgspec.structs.replace(block, parts=tuple(self._part(part) for part in block.parts))
        return block

    def _part(self, part: ResultPart) -> ResultPart:
        return self._text(part) if isinstance(part, ToolReference) else part

    def _text(self, reference: ToolReference) -> Text:
        name, again = reference.name, reference.name in self.seen
        self.seen.add(name)
        tool = self._told.get(name)
        if tool is not None and not again:
            return Text(_described(tool))
        if name in self._known:
            return Text(f"{reference.text} You can call it now.")
        return Text(f"{reference.text} It is not available any more.")


def _described(tool: Tool) -> str:
    """In the form in which most templates write a tool, on one line, with the client's own bytes."""
    name = msgspec.json.encode(tool.name).decode()
    description, schema = (bytes(raw).decode("utf-8", "replace") for raw in (tool.description, tool.schema))
    return (
        f"Tool found: {tool.name}. You can call it now, just like the tools that you were given at the start:\n"
        f'{{"name":{name},"description":{description},"parameters":{schema}}}'
    )
