"""What is chosen for which card, what is refused, and what is offered instead."""

from __future__ import annotations

import msgspec
import pytest

from landline.errors import LandlineError
from landline.planner.candidates import Machine, tensor_parallel, weights_of
from landline.planner.catalogue import Checkpoint, Model, Precision, split_count
from landline.planner.decision import LEAST_TOKENS, Refusal, Wish
from landline.planner.planning import choosable, given_card, others, plan
from landline.planner.shape import Known
from tests.unit.planner.models import CATALOGUE, cards, family, model, outcome, planned, shape

QWEN = "Qwen/Qwen3.6-27B"


def test_the_best_weights_that_grant_the_wish_are_taken() -> None:
    assert planned(QWEN, "RTX 5090").precision == "nvfp4"
    assert planned(QWEN, "RTX PRO 6000").precision == "fp8"
    assert planned(QWEN, "RTX PRO 6000", Wish(precision=Precision.BF16)).precision == "bf16"


def test_the_cache_becomes_fp8_only_where_bf16_does_not_do() -> None:
    assert planned(QWEN, "RTX PRO 6000").kv_type == "auto"
    assert planned(QWEN, "RTX PRO 6000", Wish(sessions=12)).kv_type == "fp8"


def test_a_card_without_fp8_keeps_the_cache_in_bf16() -> None:
    assert planned("openai/gpt-oss-20b", "RTX 3090").kv_type == "auto"
    assert planned(QWEN, "A100", Wish(sessions=20)).kv_type == "auto"
    assert isinstance(outcome(QWEN, "A100", Wish(sessions=20, context=65_536)), Refusal)


def test_without_a_wished_length_the_context_shrinks_to_what_fits() -> None:
    found = planned("mistralai/Devstral-Small-2-24B-Instruct-2512", "RTX 5090")
    assert LEAST_TOKENS <= found.context_tokens < 65_536
    assert found.context_tokens % 1024 == 0
    assert any("tokens are few" in note for note in found.notes)


def test_row_5_12_a_wished_length_below_32k_is_refused_and_below_64k_warned_of() -> None:
    with pytest.raises(LandlineError, match="4,096 tokens are too few") as caught:
        outcome(QWEN, "RTX 5090", Wish(context=4096))
    assert "--context 65536" in caught.value.hint
    few = planned(QWEN, "RTX 5090", Wish(context=32_768))
    assert any("32,768 tokens are few" in note for note in few.notes)
    assert not any("are few" in note for note in planned(QWEN, "RTX 5090", Wish(context=65_536)).notes)


def test_more_than_the_window_of_the_model_is_refused() -> None:
    with pytest.raises(LandlineError, match="window of 262,144 tokens, and 262,145 are wanted"):
        outcome(QWEN, "H200", Wish(context=262_145))
    small = msgspec.structs.replace(model(QWEN), context=8192)
    with pytest.raises(LandlineError, match="window of 8,192"):
        outcome(small, "H200")


def test_what_would_fit_is_said() -> None:
    found = outcome(QWEN, "RTX 5090", Wish(precision=Precision.FP8, context=131_072))
    assert isinstance(found, Refusal)
    assert found.offers[0] == "smaller weights: --quantization nvfp4 holds 131,072 tokens"
    found = outcome("mistralai/Devstral-Small-2-24B-Instruct-2512", "RTX 5090", Wish(context=131_072))
    assert isinstance(found, Refusal)
    assert found.offers[0].startswith("a shorter context: --context ")
    assert found.offers[1].startswith("more cards: 2 x RTX 5090")
    found = outcome(QWEN, "RTX 5090", Wish(context=65_536, sessions=50))
    assert isinstance(found, Refusal)
    assert "fewer sessions: --sessions 2" in found.offers


def test_every_offer_is_true() -> None:
    assert planned("mistralai/Devstral-Small-2-24B-Instruct-2512", "RTX 5090x2", Wish(context=131_072))
    assert planned(QWEN, "RTX 5090", Wish(context=65_536, sessions=2))
    found = outcome("mistralai/Devstral-Small-2-24B-Instruct-2512", "RTX 5090", Wish(context=131_072))
    assert isinstance(found, Refusal)
    shorter = int(found.offers[0].rpartition(" ")[2])
    assert planned("mistralai/Devstral-Small-2-24B-Instruct-2512", "RTX 5090", Wish(context=shorter))


def test_weights_that_are_too_large_are_named() -> None:
    found = outcome("zai-org/GLM-4.7", "RTX 4090")
    assert isinstance(found, Refusal)
    assert "does not fit on 1 x RTX 4090 (23.5 GiB) with 32,768 tokens: its smallest weights (nvfp4) take" in found.why


def test_another_model_for_the_same_card() -> None:
    told = others(CATALOGUE, cards("RTX 4090"), Wish(), engine="vllm", family_of=family)
    assert told.startswith("another model: ")
    assert "openai/gpt-oss-20b (mxfp4, 131,072 tokens)" in told
    assert others(CATALOGUE, given_card(2), Wish(), engine="vllm", family_of=family) == ""


def test_the_list_holds_only_what_fits() -> None:
    found = choosable(CATALOGUE, given_card(24), Wish(), engine="vllm", family_of=family)
    assert "openai/gpt-oss-20b" in [row.model for row in found.models]
    assert all(row.weights_gib < 24 and row.context_tokens >= LEAST_TOKENS for row in found.models)
    assert [row.parameters_b for row in found.models] == sorted((r.parameters_b for r in found.models), reverse=True)
    assert "Qwen/Qwen3.8-27B" in found.unknown_shapes


def test_the_list_keeps_to_the_wish() -> None:
    wish = Wish(precision=Precision.MXFP4, sessions=2)
    found = choosable(CATALOGUE, given_card(24), wish, engine="vllm", family_of=family)
    assert [row.model for row in found.models] == ["openai/gpt-oss-20b"]
    assert (
        choosable(CATALOGUE, given_card(24), Wish(precision=Precision.Q4_K_M), engine="vllm", family_of=family).models
        == ()
    )


def test_a_model_without_a_known_shape_says_how_to_give_one() -> None:
    with pytest.raises(LandlineError, match=r"layers of Qwen/Qwen3.8-27B are not in") as caught:
        outcome("Qwen/Qwen3.8-27B", "H100")
    assert "config.json" in caught.value.hint


def test_a_precision_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(LandlineError, match="No int4 checkpoint") as caught:
        outcome(QWEN, "H100", Wish(precision=Precision.INT4))
    assert "bf16, fp8, nvfp4" in caught.value.hint


def test_bf16_weights_are_made_fp8_while_they_are_loaded() -> None:
    own = Model(
        id="/models/mine",
        parameters_b=27,
        context=131_072,
        checkpoints=(Checkpoint(precision=Precision.BF16, id="/models/mine", weights_bytes=54 * 10**9),),
        shape=shape(QWEN),
    )
    found = planned(own, "RTX PRO 6000", Wish(precision=Precision.FP8))
    assert found.precision == "fp8"
    assert ("--quantization", "fp8") in [(flag.name, flag.value) for flag in found.flags]
    assert not any(flag.name == "--quantization" for flag in planned(own, "RTX PRO 6000").flags)


def test_weights_are_exact_where_the_files_are_there_and_whole_on_one_card() -> None:
    one = msgspec.structs.replace(
        model(QWEN), checkpoints=(Checkpoint(precision=Precision.FP8, id="x", weights_bytes=31 * 10**9),)
    )
    (found,) = (number for number in planned(one, "H100").numbers if number.name == "weights per card")
    assert found.exact
    (found,) = (number for number in planned(one, "H100x2").numbers if number.name == "weights per card")
    assert not found.exact
    assert not weights_of(model(QWEN), model(QWEN).checkpoints[0], Precision.BF16).exact


@pytest.mark.parametrize(
    ("name", "count", "used"), [(QWEN, 8, 8), (QWEN, 3, 2), (QWEN, 6, 4), ("zai-org/GLM-4.7", 6, 4), (QWEN, 1, 1)]
)
def test_as_many_cards_are_used_as_the_heads_can_be_spread_over(name: str, count: int, used: int) -> None:
    assert tensor_parallel(shape(name), Machine(card=CATALOGUE.card("H100"), count=count)) == used


def test_idle_cards_and_a_needless_spread_are_told() -> None:
    found = planned(QWEN, "H100x3")
    assert (found.cards, found.idle_cards) == (2, 1)
    assert any("1 of 3 cards stay idle" in note for note in found.notes)
    assert any("one H100 holds it too" in note for note in found.notes)


def test_vllm_is_not_planned_for_a_mac() -> None:
    with pytest.raises(LandlineError, match="vLLM does not run on Apple 64GB") as caught:
        outcome("openai/gpt-oss-20b", "apple-64gb")
    assert "llama.cpp" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("H100", ("H100", 1)),
        ("H100x8", ("H100", 8)),
        ("RTX4090x2", ("RTX4090", 2)),
        ("RTX4090", ("RTX4090", 1)),
        ("RTX 5090 x 4", ("RTX 5090", 4)),
        ("A100*2", ("A100", 2)),
    ],
)
def test_cards_and_their_number(text: str, found: tuple[str, int]) -> None:
    assert split_count(text) == found
    assert CATALOGUE.card(found[0])


@pytest.mark.parametrize("text", ["", "H100x0", "H100x65", "H100x999", "x8", "  "])
def test_what_is_no_number_of_cards(text: str) -> None:
    with pytest.raises(LandlineError):
        CATALOGUE.card(split_count(text)[0])


def test_an_unknown_card_names_those_that_are_known() -> None:
    with pytest.raises(LandlineError, match="No card is known as GTX 1080") as caught:
        CATALOGUE.card("GTX 1080")
    assert "--vram" in caught.value.hint
    with pytest.raises(LandlineError, match=r"There are .*RTX PRO 6000"):
        CATALOGUE.card("6000")


@pytest.mark.parametrize("name", ["qwen/qwen3.6-27b", "Qwen3.6-27B", "qwen3.6-27b/", "Qwen3.6-27"])
def test_a_model_by_a_part_of_its_name(name: str) -> None:
    found = CATALOGUE.model(name)
    assert found is not None
    assert found.id == QWEN


def test_a_checkpoint_by_its_own_name_is_that_one_alone() -> None:
    found = model("nvidia/Qwen3.6-27B-NVFP4")
    assert [one.precision for one in found.checkpoints] == [Precision.NVFP4]


def test_a_part_that_many_have_is_refused() -> None:
    with pytest.raises(LandlineError, match=r"fits \d+ models") as caught:
        CATALOGUE.model("qwen3.5")
    assert caught.value.hint
    assert CATALOGUE.model("no such model") is None


def test_every_model_of_the_table_with_a_shape_can_be_planned() -> None:
    machine = cards("B200x16")
    for one in CATALOGUE.models:
        if one.shape is not None:
            assert not isinstance(plan(one, family(one.id), machine, Wish(), engine="vllm"), Refusal), one.id
            assert family(one.id) is not None, one.id


def test_no_number_of_a_shape_that_is_not_stated_is_exact() -> None:
    for one in CATALOGUE.models:
        if one.shape is None or one.shape.status not in (Known.INFERRED, Known.UNCHECKED):
            continue
        found = plan(one, family(one.id), cards("B200x16"), Wish(), engine="vllm")
        assert not isinstance(found, Refusal)
        assert not any(number.exact for number in found.numbers), one.id
