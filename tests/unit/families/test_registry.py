"""The table of model families."""

from __future__ import annotations

import pytest

from landline.families.registry import Registry, read_families, with_family
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
