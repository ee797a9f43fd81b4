"""Which sampling a request is sent with: the client's, the settings', the family's, or none. The same for who asks."""

from __future__ import annotations

from msgspec import Struct

from landline.config.settings import Sampling as OwnSampling
from landline.core.exchange import Notes
from landline.core.model import Conversation, Sampling
from landline.families.registry import Family
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.sampling import configured, family_sampled, sampled, takes


class InForce(Struct, frozen=True):
    """What is sent where a client says nothing, and whose numbers they are."""

    sampling: Sampling
    source: str


def chosen_sampling(
    conversation: Conversation, own: OwnSampling, family: Family | None, dialect: Dialect, notes: Notes
) -> Conversation:
    """The conversation with the sampling that is sent."""
    conversation = sampled(conversation, _numbers(own), notes, override=own.override)
    if family is None or not own.family_defaults:
        return conversation
    return family_sampled(conversation, family, dialect, notes)


def in_force(own: OwnSampling, family: Family | None, dialect: Dialect) -> InForce:
    """For a client that sends none, in words for whoever runs the gateway."""
    theirs = takes(_numbers(own), dialect)
    if theirs != Sampling():
        return InForce(theirs, "your settings")
    told = family.sampling if family is not None else None
    if told is None:
        return InForce(Sampling(), "the backend's own; no other is known for it")
    if not told.status.is_sent:
        return InForce(
            Sampling(), f"the backend's own; what is known for its family is {told.status.value} ({told.source})"
        )
    if not own.family_defaults:
        return InForce(Sampling(), "the backend's own; sampling.family_defaults is false")
    return InForce(takes(told.values, dialect), f"of the family, by its {told.status.value} ({told.source})")


def _numbers(own: OwnSampling) -> Sampling:
    return configured(temperature=own.temperature, top_p=own.top_p, top_k=own.top_k)
