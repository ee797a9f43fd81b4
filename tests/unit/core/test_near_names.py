"""Which tool is meant by a name that a model wrote a little wrong; a name is never guessed."""

from __future__ import annotations

import time

import pytest

from landline.core.near_names import meant

NAMES = ["Bash", "Read", "Grep", "WebFetch", "WebSearch", "TodoWrite", "mcp__docs__search", "install_package", "start"]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Bash", "Bash"),
        ("bash", "Bash"),
        ("GrepTool", "Grep"),
        ("functions.Read", "Read"),
        ("functions.Read:0", "Read"),
        ("default_api.web_fetch", "WebFetch"),
        ("bash<|channel|>commentary", "Bash"),
        ('"Bash"', "Bash"),
        ("todo-write", "TodoWrite"),
        ("search", "mcp__docs__search"),
        ("Bsh", "Bash"),
        ("reda", "Read"),
        ("WebSaerch", "WebSearch"),
    ],
)
def test_one_name_is_meant(written: str, name: str) -> None:
    assert meant(written, NAMES) == name


@pytest.mark.parametrize(
    "written",
    [
        "",
        "tool",
        "<|channel|>",
        "unknown",
        "uninstall_package",  # the opposite
        "restart",
        "head",
        "Write",
        "Ba",
        "WebWatch",
        "x" * 1_000_000,
    ],
)
def test_no_name_is_guessed(written: str) -> None:
    assert meant(written, NAMES) is None


def test_two_that_are_as_near_stay() -> None:
    assert meant("get_item", ["get_items", "get_iten"]) is None
    assert meant("READ", ["read", "Read"]) is None
    assert meant("search", ["mcp__a__search", "mcp__b__search"]) is None
    assert meant("read", ["read", "Read"]) == "read"


def test_many_long_names_cost_little() -> None:
    names = [f"{'tool_with_a_long_name' * 5}_{at}" for at in range(200)]
    began = time.process_time()
    assert meant("tool_with_a_long_name" * 6, names) is None
    assert time.process_time() - began < 1
