"""What makes a request large, in numbers: which parts weigh most, and what its user can do about each.

Looked at only when a prompt does not fit, or hardly fits, a window: it measures every part of the request.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from landline.core.model import Block, Conversation, Document, Image, Role, Text, Thinking, Tool, ToolResult, ToolUse
from landline.errors import ErrorKind, LandlineError
from landline.transforms.limits import PICTURE_AS_TEXT_BYTES

SHOWN = 3
NAME_LENGTH = 60
MCP_PREFIX = "mcp__"
# Which switch of Claude Code (each =1) takes a tool away; measured on 2.1.197 and 2.1.329.
SWITCHES = {
    "Workflow": "CLAUDE_CODE_DISABLE_WORKFLOWS=1",
    "CronCreate": "CLAUDE_CODE_DISABLE_CRON=1",
    "CronDelete": "CLAUDE_CODE_DISABLE_CRON=1",
    "CronList": "CLAUDE_CODE_DISABLE_CRON=1",
    "Monitor": "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1",
    "TaskStop": "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1",
    "TaskOutput": "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1",
    "Skill": "CLAUDE_CODE_DISABLE_BUNDLED_SKILLS=1",
}
MCP_SERVER = "take that server out of the client's settings, or start with --strict-mcp-config"
ANY_TOOL = "CLAUDE_CODE_SIMPLE=1 leaves three tools"
SYSTEM_TEXT = "CLAUDE_CODE_SIMPLE_SYSTEM_PROMPT=1, CLAUDE_CODE_DISABLE_AUTO_MEMORY=1"
MESSAGES = "long results and files in the conversation: /compact or /clear"
# How their user agents begin. OpenCode 1.18.33 answers an overflow with a summary and the same request again, without
# end where the summary gains nothing (seven requests a second, measured); an error that names no overflow stops it.
ENDLESS_CLIENTS = ("opencode/",)
SMALL_SHARE = 8  # a conversation of less than one part in so many of the window is not worth a summary


class Part(Struct, frozen=True):
    """One part of a request. `tokens` are estimated from its bytes; `remedy` says what makes it smaller."""

    name: str
    size: int  # bytes
    tokens: int
    remedy: str


def largest_parts(conversation: Conversation, *, bytes_per_token: float) -> tuple[Part, ...]:
    """The parts that weigh most, the heaviest first. The tools of one MCP server count as one part."""
    sizes: dict[tuple[str, str], int] = {}
    for tool in conversation.tools:
        part = _tool_part(tool)
        sizes[part] = sizes.get(part, 0) + _tool_bytes(tool)
    sizes["system text", SYSTEM_TEXT] = sum(_bytes(text) for text in conversation.system)
    sizes["messages", MESSAGES] = sum(_blocks_bytes(message.blocks) for message in conversation.messages)
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:SHOWN]
    return tuple(
        Part(name, size, round(size / bytes_per_token), remedy) for (name, remedy), size in heaviest if size > 0
    )


def first_too_large(largest: tuple[Part, ...], *, remedies: bool = True) -> str:
    """The alert for a first request that does not fit, which cannot be compacted. `remedies`: those of Claude Code."""
    told = [f" ({part.remedy})" if remedies else "" for part in largest]
    parts = "; ".join(f"{part.name} {part.tokens} tokens{remedy}" for part, remedy in zip(largest, told, strict=True))
    return f"the first request does not fit the window, and a first request cannot be compacted; most of it: {parts}"


def beyond_compaction(
    conversation: Conversation, *, prompt_tokens: int, window: int, client: str
) -> LandlineError | None:
    """The error for an overflow that a summary does not mend, for clients that would try without end; else None.

    Nothing is gained where the model has said nothing yet, and where it is system text and tools that fill the window.
    Its words are none of those by which clients know an overflow. `client` is the user agent.
    """
    if not client.startswith(ENDLESS_CLIENTS):
        return None
    begun = any(message.role is Role.ASSISTANT for message in conversation.messages)
    fixed, all_of_it = _fixed_bytes(conversation), _all_bytes(conversation)
    rest = prompt_tokens * (all_of_it - fixed) // max(all_of_it, 1)
    if begun and rest * SMALL_SHARE >= window:
        return None
    what = "Its system text and tools alone" if fixed * 2 > all_of_it else "What was said in it"
    return LandlineError(
        ErrorKind.INVALID_REQUEST,
        f"This request has {prompt_tokens} tokens, and the window of the model has {window}. {what} cannot be made "
        "shorter by a summary.",
        hint="Serve the model with a larger window, or take out MCP servers, tools, instructions or attached files.",
    )


def _all_bytes(conversation: Conversation) -> int:
    said = sum(_blocks_bytes(message.blocks) for message in conversation.messages)
    return said + sum(_bytes(text) for text in conversation.system) + sum(map(_tool_bytes, conversation.tools))


def _fixed_bytes(conversation: Conversation) -> int:
    """System text and tools: what each request of a session has."""
    said = sum(_blocks_bytes(message.blocks) for message in conversation.messages if message.role is not Role.SYSTEM)
    return _all_bytes(conversation) - said


def _tool_part(tool: Tool) -> tuple[str, str]:
    if tool.name.startswith(MCP_PREFIX):
        server = tool.name.removeprefix(MCP_PREFIX).partition("__")[0][:NAME_LENGTH]
        return f"MCP server {server}", MCP_SERVER
    return f"tool {tool.name[:NAME_LENGTH]}", SWITCHES.get(tool.name, ANY_TOOL)


def _tool_bytes(tool: Tool) -> int:
    return len(tool.name) + len(bytes(tool.description)) + len(bytes(tool.schema))


def _blocks_bytes(blocks: Iterable[Block]) -> int:
    return sum(_block_bytes(block) for block in blocks)


def _block_bytes(block: Block) -> int:
    match block:
        case Text() | Thinking():
            return _bytes(block.text)
        case ToolUse():
            return _bytes(block.arguments)
        case ToolResult():
            return _blocks_bytes(block.parts)
        case Document():
            return _bytes(block.text or "")
        case Image():
            return min(len(block.data), PICTURE_AS_TEXT_BYTES)
        case _:
            return 0


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
