"""Whose sampling is sent: the client's, the user's, the family's; and that numbers of two sources are not mixed."""

from __future__ import annotations

import msgspec
import pytest

from landline.config.settings import Sampling as OwnSampling
from landline.core.exchange import Notes
from landline.core.model import Conversation, Sampling
from landline.families.registry import Family
from landline.families.rows import FamilySampling, SamplingStatus
from landline.protocols.openai_chat.dialect import STANDARD, Dialect
from landline.server.sampling import chosen_sampling, in_force
from landline.transforms.sampling import family_sampled

TOP_K = Dialect(top_k=True)
EMPTY = Conversation(model="m", messages=())
RECIPE = FamilySampling(temperature=0.7, top_k=20, status=SamplingStatus.RECIPE, source="s")


def family(status: SamplingStatus = SamplingStatus.RECIPE) -> Family:
    return Family(name="f", match=("f",), sampling=msgspec.structs.replace(RECIPE, status=status))


def asking(**told: float) -> Conversation:
    return msgspec.structs.replace(EMPTY, sampling=Sampling(**told))  # type: ignore[arg-type]


@pytest.mark.parametrize("status", SamplingStatus)
def test_only_founded_numbers_are_sent(status: SamplingStatus) -> None:
    notes = Notes()
    sent = family_sampled(EMPTY, family(status), TOP_K, notes).sampling
    founded = status in (SamplingStatus.RECIPE, SamplingStatus.CARD)
    assert sent == (Sampling(0.7, None, 20) if founded else Sampling())
    assert notes.repairs == (["sampling defaults of the family f: temperature 0.7, top_k 20"] if founded else [])


def test_the_backend_gets_only_what_it_reads() -> None:
    notes = Notes()
    assert family_sampled(EMPTY, family(), STANDARD, notes).sampling == Sampling(0.7)
    only_k = Family(name="f", match=("f",), sampling=msgspec.structs.replace(RECIPE, temperature=None))
    assert family_sampled(EMPTY, only_k, STANDARD, notes) is EMPTY
    assert notes.repairs == ["sampling defaults of the family f: temperature 0.7"]


@pytest.mark.parametrize(
    ("own", "asked", "sent"),
    [
        (OwnSampling(), {}, Sampling(0.7, None, 20)),
        (OwnSampling(family_defaults=False), {}, Sampling()),
        (OwnSampling(), {"top_p": 0.5}, Sampling(None, 0.5)),
        (OwnSampling(top_p=0.9), {}, Sampling(None, 0.9)),
        (OwnSampling(top_p=0.9), {"temperature": 1.0}, Sampling(1.0, 0.9)),
        (OwnSampling(top_p=0.9, override=True), {"top_p": 0.5}, Sampling(None, 0.9)),
        (OwnSampling(override=True), {"top_p": 0.5}, Sampling(None, 0.5)),
    ],
)
def test_the_client_before_the_user_before_the_family(
    own: OwnSampling, asked: dict[str, float], sent: Sampling
) -> None:
    assert chosen_sampling(asking(**asked), own, family(), TOP_K, Notes()).sampling == sent


@pytest.mark.parametrize(
    ("own", "known", "sent", "words"),
    [
        (OwnSampling(), family(), Sampling(0.7, None, 20), "of the family, by its recipe"),
        (OwnSampling(temperature=0), family(), Sampling(0), "your settings"),
        (OwnSampling(family_defaults=False), family(), Sampling(), "sampling.family_defaults is false"),
        (OwnSampling(), family(SamplingStatus.UNVERIFIED), Sampling(), "unverified"),
        (OwnSampling(), None, Sampling(), "the backend's own"),
    ],
)
def test_what_is_in_force_says_whose_it_is(own: OwnSampling, known: Family | None, sent: Sampling, words: str) -> None:
    told = in_force(own, known, TOP_K)
    assert told.sampling == sent
    assert words in told.source
    assert chosen_sampling(EMPTY, own, known, TOP_K, Notes()).sampling == sent
