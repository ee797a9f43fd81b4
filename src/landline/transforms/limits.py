"""Fits a request into the context window: the answer may not ask for more room than the prompt leaves."""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Conversation, Image
from landline.errors import ErrorKind, LandlineError

# Kept free behind prompt and answer: templates add a few tokens that counting by parts does not see.
MARGIN_TOKENS = 16
PICTURE_AS_TEXT_BYTES = 6_000


def picture_bytes(conversation: Conversation) -> int:
    """How many bytes of a request are pictures, beyond what each counts as in tokens.

    Base64 says nothing about tokens: a picture costs what its size in pixels says, some 1,500 tokens for large ones.
    """
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


def prompt_too_long(prompt_tokens: int, window: int) -> LandlineError:
    """The words by which clients know that they must compact; both numbers decide how much."""
    return LandlineError(
        ErrorKind.PROMPT_TOO_LONG, f"prompt is too long: {max(prompt_tokens, window + 1)} tokens > {window} maximum"
    )
