"""Any name finds a served model; no name is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.policy.routing import LISTED_PREFIX, Names, Route, listed, route, unlisted

QWEN, GLM, LONG = "Qwen/Qwen3.5-27B", "zai-org/GLM-4.6", "odd[1m]"
NAMES = Names(
    served=(QWEN, GLM, LONG),
    default=GLM,
    aliases={"fast": QWEN, "pinned[1m]": GLM},
    tiers={"haiku": QWEN, "Opus": LONG},
)
TIERS = ("opus", "sonnet", "haiku", "fable")


@pytest.mark.parametrize(
    ("asked", "served", "rule"),
    [
        (QWEN, QWEN, "exact"),
        pytest.param(LONG, LONG, "exact", marks=pytest.mark.row("1.07")),
        pytest.param(f"{QWEN}[1m]", QWEN, "exact", marks=pytest.mark.row("1.07")),
        pytest.param(f"{QWEN}[1M][1m]", QWEN, "exact", marks=pytest.mark.row("1.07")),
        ("fast", QWEN, "alias"),
        ("fast[1m]", QWEN, "alias"),
        ("pinned[1m]", GLM, "alias"),
        pytest.param("Qwen3.5-27B", QWEN, "base name", marks=pytest.mark.row("1.10")),
        ("qwen3.5-27b", QWEN, "base name"),
        ("other-org/QWEN3.5-27B[1m]", QWEN, "base name"),
        ("claude-haiku-4-5-20251001", QWEN, "tier haiku"),
        pytest.param("haiku", QWEN, "tier haiku", marks=pytest.mark.row("1.06")),
        ("claude-OPUS-4-8[1m]", LONG, "tier Opus"),
        pytest.param("sonnet-4-5-20250929", GLM, "default", marks=pytest.mark.row("1.07")),
        ("inherit", GLM, "default"),
        ("", GLM, "default"),
        ("[1m]", GLM, "default"),
        (listed(QWEN), QWEN, "exact"),
        (listed(LONG), LONG, "exact"),
        (f"{listed(QWEN)}[1m]", QWEN, "exact"),
        (f"{LISTED_PREFIX}gone", GLM, "default"),
    ],
)
@pytest.mark.row("1.03")
def test_routes(asked: str, served: str, rule: str) -> None:
    assert route(asked, NAMES) == Route(served, rule, known=rule != "default")


def test_without_a_default_the_first_served_model_answers() -> None:
    assert route("anything", Names((QWEN, GLM))) == Route(QWEN, "default", known=False)
    assert route("anything[1m]", Names(())) == Route("anything", "default")


def test_a_base_name_that_two_models_share_decides_nothing_and_that_is_told() -> None:
    told = "default: 2 models have that base name"
    assert route("x", Names(("a/x", "b/X"), default="b/X")) == Route("b/X", told, known=False)
    assert route("x", Names(("a/x", "b/X"), default="x")).known


NAME = st.text(min_size=1) | st.lists(st.sampled_from([*TIERS, "~", "S", "opu", "[1m]", "/", LISTED_PREFIX])).map(
    "".join
)


@given(NAME)
@pytest.mark.row("1.08")
def test_a_listed_id_is_reversible_and_names_no_tier(model: str) -> None:
    ident = listed(model)
    assert ident.startswith("anthropic")
    assert unlisted(ident) == model
    assert not [tier for tier in TIERS if tier in ident.lower()]


@given(st.lists(NAME.filter(lambda name: not name.startswith(LISTED_PREFIX)), min_size=1, unique=True), NAME)
def test_every_listed_id_finds_its_model_and_every_name_some_model(served: list[str], other: str) -> None:
    names = Names(tuple(served), tiers={"opus": served[0]})
    assert [route(listed(model), names).model for model in served] == served
    assert route(other, names).model in served
