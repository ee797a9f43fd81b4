"""The table of model families."""

from __future__ import annotations

import pytest

from landline.families.registry import MatchedOn, Registry, read_families, syntaxes_of, with_family
from landline.families.rows import FamilyTableError, SamplingStatus
from landline.protocols.openai_chat.dialect import STANDARD
from tests.property.requests import families


def test_every_family_is_found_by_its_own_patterns_and_has_evidence() -> None:
    registry = families()
    for family in registry.families:
        assert family.evidence
        found = registry.family(family.match[0].replace("*", "X"))
        assert found is not None
        assert found.name == family.name
    assert with_family(STANDARD, registry.family("smollm2-135m-instruct")) == STANDARD


@pytest.mark.parametrize(
    "row",
    ['name = "a"\nmatch = ["a"]\nevidence = []\nquirk = 1', 'name = "a"\nmatch = []\nevidence = []',
     'name = "a"\nmatch = ["a"]\nevidence = []\nquirks = ["unheard_of"]'],
)  # fmt: skip
def test_a_table_with_a_mistake_is_refused(row: str) -> None:
    with pytest.raises(ValueError, match=r"Object contains|without a pattern|Invalid enum"):
        read_families(f"[[family]]\n{row}".encode())


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen3.6-27B-FP8", "qwen3.6"),
        ("qwen3-coder:30b", "qwen3-coder"),
        ("unsloth/Qwen3.5-9B-GGUF", "qwen3.5"),
        ("/models/Devstral-Small-2-24B-Q4_K_M.gguf", "devstral-small-2"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("google/gemma-4-31B-it", "gemma-4-31b"),
        ("google/gemma-3-12b-it", "gemma"),
    ],
)
def test_names_as_servers_tell_them(model: str, name: str) -> None:
    found = families().family(model)
    assert found is not None
    assert found.name == name


def test_a_registry_without_families() -> None:
    assert Registry().family("m") is None


# ------------------------------------------------------------------------------------------------ why


@pytest.mark.parametrize(
    ("told", "name", "on"),
    [
        ({"model_id": "default", "root": "Qwen/Qwen3.6-27B-FP8"}, "qwen3.6", MatchedOn.ROOT),
        ({"model_id": "default", "root": "/hub/models--zai-org--GLM-5.2/snapshots/0a1b"}, "glm-5.2", MatchedOn.ROOT),
        ({"model_id": "default", "root": "/hermes/models/qwen3.6/weights"}, "qwen3.6", MatchedOn.ROOT),
        ({"model_id": "gpt-oss:20b", "root": "Qwen/Qwen3.6-27B"}, "gpt-oss", MatchedOn.ID),
        ({"model_id": "mine", "template": "{% if preserve_thinking %}"}, "qwen3.6", MatchedOn.TEMPLATE),
        ({"model_id": "mine", "architecture": "GptOss", "template": "[TOOL_CALLS]"}, "mistral", MatchedOn.TEMPLATE),
        ({"model_id": "mine", "architecture": "GptOss"}, "gpt-oss", MatchedOn.ARCHITECTURE),
        (
            {"model_id": "mine", "template": "<tool_call><function=f><parameter=a>"},
            "calls-as-qwen-xml",
            MatchedOn.TEMPLATE,
        ),
    ],
)
def test_what_a_server_tells_beside_the_name(told: dict[str, str], name: str, on: MatchedOn) -> None:
    match = families().match(**told)
    assert match is not None
    assert (match.family.name, match.on, match.overlay) == (name, on, False)


def test_a_match_says_which_pattern_fitted_what() -> None:
    match = families().match("default", root="/models/Qwen3.6-27B/")
    assert match is not None
    assert (match.pattern, match.value) == ("*qwen3.6*", "qwen3.6-27b")


def test_nothing_fits_a_model_that_nobody_knows() -> None:
    assert families().match("m", root="/m/m.gguf", template="{{ messages }}", architecture="llama") is None


def test_names_that_hold_those_of_other_families() -> None:
    for model, name in {
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": "deepseek-r1-distill",
        "NousResearch/Hermes-3-Llama-3.1-8B": "hermes",
        "my-model-step-5000": None,
        "tinyllama": None,
    }.items():
        found = families().family(model)
        assert (found.name if found else None) == name


def test_syntaxes_come_in_order_of_preference() -> None:
    assert syntaxes_of(families().family("deepseek-v3.2")) == ("deepseek_v32", "deepseek_v4")
    assert syntaxes_of(families().family("google/gemma-3-12b-it")) == ()
    assert syntaxes_of(None) == ()


# ------------------------------------------------------------------------------------------------ rows like others


def table(*rows: str) -> bytes:
    return "".join(f"[[family]]\n{row}\n" for row in rows).encode()


BASE = 'name = "base"\nmatch = ["base*"]\ntool_parser = "hermes"\ncontext = 8\nevidence = ["e"]'


def test_a_row_takes_what_it_leaves_out_from_the_row_that_it_is_like() -> None:
    more = 'name = "more"\nlike = "base"\nmatch = ["more"]\ncontext = 9'
    most = 'name = "most"\nlike = "more"\nmatch = ["most"]\ntool_parser = ""'
    registry = read_families(table(most, more, BASE))
    found = {row.name: (row.tool_parser, row.context, row.match, row.evidence) for row in registry.families}
    assert found["more"] == ("hermes", 9, ("more",), ())
    assert found["most"] == ("", 9, ("most",), ())
    assert registry.family("base-1") is not None


@pytest.mark.parametrize("like", ["nobody", "a", "b"])
def test_a_row_cannot_be_like_itself_or_nobody(like: str) -> None:
    rows = f'name = "a"\nlike = "{like}"\nmatch = ["a"]', 'name = "b"\nlike = "a"\nmatch = ["b"]'
    with pytest.raises(FamilyTableError, match=r"row 1 \(a\), field like"):
        read_families(table(*rows))


# ------------------------------------------------------------------------------------------------ the user's own rows


def test_rows_of_the_overlay_stand_before_ours() -> None:
    own = 'name = "house"\nlike = "base"\nmatch = ["base-house", "acme/*"]\ntool_parser = "mistral"'
    registry = read_families(table(BASE), overlay=table(own))
    for model in ("base-house", "x/base-house", "acme/base-1"):
        match = registry.match(model)
        assert match is not None
        assert (match.family.name, match.family.tool_parser, match.family.context) == ("house", "mistral", 8)
        assert match.overlay
    match = registry.match("base-1")
    assert match is not None
    assert not match.overlay


def test_a_row_of_the_overlay_may_change_ours_of_the_same_name() -> None:
    registry = read_families(table(BASE), overlay=table('name = "base"\nlike = "base"\nmatch = ["base*"]\ncontext = 1'))
    found = registry.family("base-1")
    assert found is not None
    assert (found.context, found.tool_parser) == (1, "hermes")


@pytest.mark.parametrize(
    ("overlay", "told"),
    [
        (b"\xff", "not valid TOML"),
        (b"[family", "not valid TOML"),
        (b"family = 1", r"tables \[\[family\]\]"),
        (b"[models]\na = 1", "unknown key models"),
        (table("match = ['a']"), r"row 1: Object missing required field `name`"),
        (table('name = "a"\nmatch = ["a"]', 'name = "a"\nmatch = ["b"]'), r"row 2 \(a\): there is a row of this name"),
        (table('name = "a"\nmatch = "a"'), r"row 1 \(a\), field match: Expected"),
        (table('name = "a"\nmatch = ["qwen[34]"]'), r"row 1 \(a\).*only wildcard"),
        (table('name = "a"\nmatch = ["a"]\nsampling = {temperature = 1.0}'), r"field sampling: .*`status`"),
        (
            table('name = "a"\nmatch = ["a"]\nsampling = {top_k = 0, status = "card", source = "s"}'),
            r"field sampling.top_k",
        ),
        (table('name = "a"\nmatch = ["a"]\nsampling = {temperature = nan, status = "card", source = "s"}'), "sampling"),
    ],
)
def test_a_broken_overlay_is_named_by_row_and_field(overlay: bytes, told: str) -> None:
    with pytest.raises(FamilyTableError, match=told):
        read_families(table(BASE), overlay=overlay)


def test_only_what_a_recipe_or_a_card_says_is_sent() -> None:
    assert {status for status in SamplingStatus if status.is_sent} == {SamplingStatus.RECIPE, SamplingStatus.CARD}
