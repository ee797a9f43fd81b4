"""Plans of ten models for five machines are as in their golden files, and vLLM has every flag of them."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import pytest

from landline.planner.outcome import VLLM_RELEASE, Plan
from tests.golden.plans import FOLDER, MACHINES, MODELS, SAMPLES, files, golden_file, outcomes, sampled, written
from tests.golden.update import difference
from tests.golden.vllm_flags import FILE

RELEASES: dict[str, dict[str, list[str]]] = tomllib.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODELS)
def test_the_golden_file(name: str) -> None:
    file = golden_file(name)
    assert file.exists(), "no golden file; write it with: uv run python -m tests.golden.plans"
    changed = difference(file.name, file.read_bytes(), written(name).encode())
    assert not changed, f"if this is meant: uv run python -m tests.golden.plans\n{changed}"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_golden_file_of_another_format(name: str) -> None:
    """Row 11.11: published container recipes for several cards are wrong; these are read before they change."""
    file = FOLDER / name
    assert file.exists(), "no golden file; write it with: uv run python -m tests.golden.plans"
    changed = difference(name, file.read_bytes(), sampled(name).encode())
    assert not changed, f"if this is meant: uv run python -m tests.golden.plans\n{changed}"


def test_ten_models_on_five_machines_and_no_file_besides() -> None:
    assert (len(MODELS), len(MACHINES)) == (10, 5)
    assert set(FOLDER.iterdir()) == set(files())


def test_the_release_of_the_plans_is_one_whose_flags_are_known() -> None:
    assert VLLM_RELEASE in RELEASES
    assert all(len(one["flags"]) > 300 and len(one["variables"]) > 100 for one in RELEASES.values())


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", MODELS)
def test_every_flag_and_variable_exists(name: str, release: str) -> None:
    known = RELEASES[release]
    plans = [one for one in outcomes(name).values() if isinstance(one, Plan)]
    assert plans
    for plan in plans:
        # --a.b is a field of the JSON that --a takes.
        assert {flag.name.partition(".")[0] for flag in plan.flags} - set(known["flags"]) == set()
        assert {one.name for one in plan.environment} - set(known["variables"]) == set()


@pytest.mark.parametrize("release", RELEASES)
def test_what_recipes_and_families_add_exists_too(release: str) -> None:
    """Also for models whose cache is not known yet: a plan from their config.json has these flags."""
    wanted = {word for words in _recipe_words() for word in words if word.startswith("--")}
    names = {word.partition("=")[0].partition(".")[0].replace("_", "-") for word in wanted}
    assert names
    assert names - set(RELEASES[release]["flags"]) == set()


def _recipe_words() -> list[list[str]]:
    families: list[dict[str, Any]] = _table("landline.families", "families.toml")["family"]
    models: list[dict[str, Any]] = _table("landline.planner", "models.toml")["model"]
    arguments = [row["vllm_args"] for row in families if "vllm_args" in row]
    found = [words for one in arguments for key, words in one.items() if key != "env"]
    return found + [one["args"] for row in models for one in row["checkpoints"] if "args" in one]


def _table(package: str, name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(package).joinpath(name).read_text(encoding="utf-8"))
