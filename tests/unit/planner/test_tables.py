"""The shipped tables: each number has a source, each name is there once."""

from __future__ import annotations

from collections import Counter

import pytest

from landline.planner.catalogue import Card, read_catalogue
from tests.unit.planner.models import CATALOGUE, FAMILIES

CARD = b'[[card]]\nname = "X"\ngib = 24\nstatus = "stated"\nsource = "a sheet"\n'
MODEL = b'[[model]]\nid = "a/b"\nparameters_b = 1\ncontext = 1\ncheckpoints = [{ precision = "fp8", id = "a/b" }]\n'


def _once(names: list[str]) -> None:
    assert [name for name, count in Counter(names).items() if count > 1] == []


def _names(card: Card) -> tuple[str, ...]:
    return card.name, *card.match


def test_every_card_has_a_source_and_names_of_its_own() -> None:
    _once([name for card in CATALOGUE.cards for name in {one.lower().replace(" ", "") for one in _names(card)}])
    for card in CATALOGUE.cards:
        assert card.source
        assert all(CATALOGUE.card(name) is card for name in _names(card))
        assert (card.capability > 0) == (card.engine == "vllm")


def test_every_model_has_checkpoints_and_every_shape_a_source() -> None:
    _once([model.id for model in CATALOGUE.models])
    for model in CATALOGUE.models:
        _once([one.precision for one in model.checkpoints])
        assert all(one.recipe_gb > 0 for one in model.checkpoints)
        assert model.shape is None or model.shape.source
        assert FAMILIES.family(model.id) is not None, model.id


@pytest.mark.parametrize(
    ("cards", "models"),
    [
        (CARD.replace(b"24", b"-1"), MODEL),
        (CARD.replace(b'source = "a sheet"', b""), MODEL),
        (CARD + b"wheels = 4", MODEL),
        (b"[[card", MODEL),
        (CARD, MODEL.replace(b"fp8", b"fp9")),
        (CARD, MODEL.replace(b"context = 1", b"context = 0")),
        (CARD, MODEL + b"attention_heads = 8"),
        (CARD, MODEL + b'layers = [{ kind = "spiral", layers = 1 }]'),
    ],
)
def test_tables_that_are_none_are_refused(cards: bytes, models: bytes) -> None:
    assert read_catalogue(CARD, MODEL).models[0].id == "a/b"
    with pytest.raises(ValueError):
        read_catalogue(cards, models)
