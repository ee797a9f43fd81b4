"""Sampling as the user's settings have it, where the client says nothing, or against what it says; else the family's.

Claude Code sends none, so that without either the backend's defaults rule: for vLLM the checkpoint's own
(generation_config.json), for llama.cpp and others those of the server, whatever the model.
"""

from __future__ import annotations

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Conversation, Sampling
from landline.families.registry import Family
from landline.protocols.openai_chat.dialect import Dialect

OVERRULED = "sampling of the client overruled by the settings"
NOTHING = Sampling()


def configured(*, temperature: float, top_p: float, top_k: int) -> Sampling:
    """The settings' numbers, of which -1 (temperature) and 0 (the others) leave it to the backend."""
    if temperature < 0 and not top_p and not top_k:  # nearly always
        return NOTHING
    return Sampling(temperature if temperature >= 0 else None, top_p or None, top_k or None)


def sampled(conversation: Conversation, own: Sampling, notes: Notes, *, override: bool) -> Conversation:
    """The conversation with the sampling that is sent: `own` is what the user configured."""
    if own is NOTHING:
        return conversation
    asked = conversation.sampling
    first, second = (own, asked) if override else (asked, own)
    chosen = Sampling(
        second.temperature if first.temperature is None else first.temperature,
        second.top_p if first.top_p is None else first.top_p,
        second.top_k if first.top_k is None else first.top_k,
    )
    if any(value not in (None, sent) for value, sent in _pairs(asked, chosen)):
        notes.repaired(OVERRULED)
    return msgspec.structs.replace(conversation, sampling=chosen)


def family_sampled(conversation: Conversation, family: Family | None, dialect: Dialect, notes: Notes) -> Conversation:
    """The conversation with what the family recommends, where neither client nor user say anything.

    The numbers were recommended together, so none of them is mixed with somebody else's.
    """
    if family is None or conversation.sampling != NOTHING:
        return conversation
    sent = takes(family.sent_sampling, dialect)
    if sent == NOTHING:
        return conversation
    notes.repaired(f"sampling defaults of the family {family.name}: {in_words(sent)}")
    return msgspec.structs.replace(conversation, sampling=sent)


def takes(sampling: Sampling, dialect: Dialect) -> Sampling:
    """What of it a backend of `dialect` reads."""
    return sampling if dialect.top_k else msgspec.structs.replace(sampling, top_k=None)


def in_words(sampling: Sampling) -> str:
    told = (("temperature", sampling.temperature), ("top_p", sampling.top_p), ("top_k", sampling.top_k))
    return ", ".join(f"{name} {value:g}" for name, value in told if value is not None)


def _pairs(asked: Sampling, sent: Sampling) -> tuple[tuple[float | None, float | None], ...]:
    return (asked.temperature, sent.temperature), (asked.top_p, sent.top_p), (asked.top_k, sent.top_k)
