"""Fits a request into the context window: the answer may not ask for more room than the prompt leaves."""

from __future__ import annotations

from itertools import takewhile

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Block, Conversation, Image, Role, Text
from landline.errors import ErrorKind, LandlineError

# Kept free behind prompt and answer: templates add a few tokens that counting by parts does not see.
MARGIN_TOKENS = 16
PICTURE_AS_TEXT_BYTES = 6_000
# What a request for a summary adds to the conversation (about 1,500 tokens of instructions), and a short summary.
LARGEST_RESERVE = 4_096
RESERVED_SHARE = 16  # of smaller windows, one part in so many
COMPACTING_CLIENTS = ("claude-cli/", "claude-code/")  # how their user agents begin
TURNS_TO_COMPACT = 2  # answers of the model; of fewer, the client says that there is nothing to compact
REMINDER = "<system-reminder>"


def picture_bytes(conversation: Conversation) -> int:
    """How many bytes of a request are pictures, beyond what each counts as in tokens.

    Base64 says nothing about tokens: a picture costs what its size in pixels says, some 1,500 tokens for large ones.
    """
    if not conversation.media:
        return 0
    pictures = [block for message in conversation.messages for block in message.blocks if isinstance(block, Image)]
    return sum(max(len(picture.data) - PICTURE_AS_TEXT_BYTES, 0) for picture in pictures)


def clearly_fits(conversation: Conversation, *, prompt_bytes: int, window: int) -> bool:
    """Whether prompt and answer fit without counting: agents' prompts have about 4 bytes a token, here taken as 2."""
    wanted = conversation.max_tokens or 0
    return window <= 0 or prompt_bytes // 2 + wanted + MARGIN_TOKENS <= window


def clamp_output(conversation: Conversation, *, prompt_tokens: int, window: int, notes: Notes) -> Conversation:
    """The request with `max_tokens` cut to what is left. Raises LandlineError when the prompt alone does not fit."""
    left = window - prompt_tokens - MARGIN_TOKENS
    if left < 1:
        raise prompt_too_long(prompt_tokens, window)
    if conversation.max_tokens is None or conversation.max_tokens <= left:
        return conversation
    notes.repaired(f"max_tokens {conversation.max_tokens} clamped to {left}")
    return msgspec.structs.replace(conversation, max_tokens=left)


def prompt_limit(conversation: Conversation, *, window: int, client: str) -> int:
    """The most tokens that a prompt may have: the window, less what a compaction would need, where one can be had.

    A client that fills the window to its end cannot compact any more: its request for a summary is the whole
    conversation and one text more (measured on Claude Code 2.1.197 and 2.1.329). So a turn is refused a little earlier,
    and the request for a summary is not. `client` is the user agent.
    """
    turns = sum(message.role is Role.ASSISTANT for message in conversation.messages)
    if window <= 0 or turns < TURNS_TO_COMPACT or not client.startswith(COMPACTING_CLIENTS):
        return window
    if may_ask_for_summary(conversation):
        return window
    return window - min(window // RESERVED_SHARE, LARGEST_RESERVE)


def may_ask_for_summary(conversation: Conversation) -> bool:
    """Whether a request could be the client's own, for a summary of all before.

    Its instructions stand behind the model's last answer, after tool results or not; their wording differs between
    versions. Where in doubt, yes: a refused compaction ends the session, a turn too many only spends the reserve.
    """
    latest = takewhile(lambda message: message.role is not Role.ASSISTANT, reversed(conversation.messages))
    return any(_speaks_of_summary(block) for message in latest for block in message.blocks)


def _speaks_of_summary(block: Block) -> bool:
    return isinstance(block, Text) and not block.text.startswith(REMINDER) and "summar" in block.text.lower()


def prompt_scale(*, reported_window: int, window: int) -> float:
    """By what the prompt's tokens are multiplied for a client that assumes a larger window than the true one; else 1.

    Never less than 1: a client that is told too little would not compact before the backend refuses.
    """
    return max(reported_window / window, 1.0) if reported_window and window else 1.0


def prompt_too_long(prompt_tokens: int, window: int) -> LandlineError:
    """The words by which clients know that they must compact; both numbers decide how much."""
    return LandlineError(
        ErrorKind.PROMPT_TOO_LONG, f"prompt is too long: {max(prompt_tokens, window + 1)} tokens > {window} maximum"
    )
