"""Patterns: the one wildcard, what names and paths they are tried on, and that they stay quick."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.families.matching import MatchedOn, fits, glob_fits, names_of

SHORT = st.text("ab/", max_size=8)


@given(st.text("ab*", max_size=6), SHORT)
def test_a_glob_is_what_others_take_it_for(glob: str, name: str) -> None:
    assert glob_fits(glob, name) == fnmatchcase(name, glob)


def test_hostile_names_are_quick() -> None:
    glob, name = "*a" * 90 + "*b", "a" * 100_000
    began = time.perf_counter()
    assert not glob_fits(glob, name)
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("", ()),
        ("/", ()),
        ("qwen3-coder:30b", ("qwen3-coder:30b",)),
        ("Qwen/Qwen3.6-27B", ("qwen3.6-27b", "qwen", "qwen/qwen3.6-27b")),
        ("C:\\m\\Qwen3\\a.gguf", ("a.gguf", "qwen3", "c:/m/qwen3/a.gguf")),
        (
            "/hub/models--Qwen--Qwen3-32B/snapshots/9a2b",
            ("9a2b", "models--qwen--qwen3-32b", "snapshots", "/hub/models--qwen--qwen3-32b/snapshots/9a2b"),
        ),
    ],
)
def test_the_nearest_name_comes_first(path: str, names: tuple[str, ...]) -> None:
    assert names_of(path) == names


def test_a_pattern_without_a_slash_is_for_one_part() -> None:
    assert not fits(("*hermes*",), "/home/hermes/models/a", MatchedOn.ROOT)
    assert fits(("acme/*",), "acme/coder", MatchedOn.ID)
    assert not fits(("acme*",), "acme/coder", MatchedOn.ID)


def test_a_template_must_have_all_markers() -> None:
    assert fits(("<a>", "<b>"), "x <b> <a>", MatchedOn.TEMPLATE)
    assert not fits(("<a>", "<b>"), "x <b>", MatchedOn.TEMPLATE)
