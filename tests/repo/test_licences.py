"""No copyleft licence in what landline needs to run, and none but the named exception in what develops it."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]
COPYLEFT = re.compile(
    r"\b(?:[AL]?GPL|GNU|MPL|EPL|CDDL|EUPL|OSL|CPAL|SSPL|BUSL|CC-BY-SA|CeCILL)|"
    r"General Public|Mozilla Public|Eclipse Public|European Union Public|Affero|Server Side Public|Business Source",
    re.IGNORECASE,
)
# Reviewed in docs/decisions/0008-dependencies.md: used by tests only, unchanged, never shipped.
DEVELOPMENT_EXCEPTIONS = {"hypothesis"}


def required(roots: list[str]) -> dict[str, Distribution]:
    """Every installed distribution that the roots need here, at any depth, by normalised name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(root) for root in roots]
    while todo:
        requirement = todo.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        new_extras = [extra for extra in {"", *requirement.extras} if (name, extra) not in seen]
        seen.update((name, extra) for extra in new_extras)
        if not new_extras:
            continue
        found[name] = distribution(name)
        for line in found[name].requires or []:
            child = Requirement(line)
            if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in new_extras):
                todo.append(child)
    return found


def stated_licences(package: Distribution) -> list[str]:
    """What the package says about its licence: the expression if there is one, else short text and classifiers."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return [expression]
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    text = (metadata.get("License") or "").strip()
    return [*classifiers, *([text] if text else [])]


def is_copyleft(licences: list[str]) -> bool:
    """True where no stated choice is free of copyleft; 'A OR B' in one expression is a choice."""
    return any(all(COPYLEFT.search(choice) for choice in re.split(r"\s+OR\s+", text)) for text in licences)


def development_group() -> list[str]:
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]
    return [entry for entry in groups["dev"] if isinstance(entry, str)]


def test_what_runs_is_free_of_copyleft() -> None:
    packages = required(["landline[embedded]"])
    assert {"landline", "uvicorn", "xllamacpp", "h11"} <= packages.keys(), "the walk must reach what is needed"
    licences = {name: stated_licences(package) for name, package in packages.items()}
    assert [name for name, stated in licences.items() if not stated] == []
    assert {name: stated for name, stated in licences.items() if is_copyleft(stated)} == {}


def test_what_develops_is_free_of_copyleft_but_for_the_exception() -> None:
    licences = {name: stated_licences(package) for name, package in required(development_group()).items()}
    assert [name for name, stated in licences.items() if not stated] == []
    assert {name for name, stated in licences.items() if is_copyleft(stated)} == DEVELOPMENT_EXCEPTIONS


@pytest.mark.parametrize(
    "licences",
    [
        ["GPL-3.0-or-later"],
        ["LGPL-2.1-only AND MIT"],
        ["License :: OSI Approved :: GNU Affero General Public License v3"],
        ["MIT", "Mozilla Public License 2.0 (MPL 2.0)"],
        ["AGPL-3.0-only OR GPL-2.0-only"],
    ],
)
def test_copyleft_is_recognised(licences: list[str]) -> None:
    assert is_copyleft(licences)


@pytest.mark.parametrize("licences", [["MIT"], ["Apache-2.0 AND MIT"], ["MIT OR GPL-2.0-only"], ["PSF-2.0"]])
def test_permissive_is_recognised(licences: list[str]) -> None:
    assert not is_copyleft(licences)


def test_a_missing_package_is_not_passed_over() -> None:
    with pytest.raises(PackageNotFoundError):
        required(["landline-package-that-does-not-exist"])
