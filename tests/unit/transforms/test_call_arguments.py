"""When the pieces of a call's arguments leave, and what is said of calls that cannot be run."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from landline.core.model import Tool, Tools
from landline.families.tool_parsers.toolbox import RequestTools
from landline.transforms.call_arguments import CallArguments
from landline.transforms.unusable_calls import (
    INCOMPLETE,
    NO_OBJECT,
    NO_SUCH_TOOL,
    NOTHING_CALLED,
    unusable,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "file_path": {"type": "string"},
        "edits": {"type": "array", "items": {"type": "object", "properties": {"new": {"type": "string"}}}},
        "limit": {"type": "integer"},
    },
    "required": ["file_path"],
}


def fed(*pieces: str) -> list[str]:
    """What leaves with each piece, and at the end."""
    call = CallArguments(SCHEMA, lambda *_: None)
    return [*(call.feed(piece) for piece in pieces), call.finish(cut=False)]


def test_a_text_leaves_as_it_grows() -> None:
    pieces = ['{"file_', 'path": "a', "b", '\\n"', "}"]
    assert fed(*pieces) == ["", '{"file_path": "a', "b", "\\n", "", '"}']


def test_a_text_deep_in_a_list_leaves_as_it_grows() -> None:
    pieces = ['{"edits": [{"new": "a', "b", '"}, {"new": "c', '"}]}']
    assert fed(*pieces) == [*pieces[:3], "", pieces[3]]


def test_a_number_leaves_when_it_is_complete() -> None:
    assert fed('{"limit": 1', "2", ', "file_path": "a"}') == ["", "", '{"limit": 12, "file_path": "a', '"}']


def test_only_what_does_not_fit_is_held() -> None:
    assert fed('{"file_path": "a", "limit": "', '12"', ', "file_path": "b') == [
        '{"file_path": "a',
        '", "limit": 12',
        ', "file_path": "b',
        "",
    ]


@pytest.mark.parametrize("before", ["[]", "```json\n", "Sure: "])
@pytest.mark.parametrize("text", [r"\ud83d\ude00", r"half \ud83d of it"])
def test_what_the_general_repair_reads_holds_no_half_of_an_emoji(before: str, text: str) -> None:
    written = f'{before}{{"file_path": "{text}"}}'
    left = "".join(fed(written))
    left.encode()
    assert left == written or json.loads(left)["file_path"] in ("😀", "half \ufffd of it")


def test_what_cannot_be_followed_goes_on_from_what_has_left() -> None:
    assert fed('{"file_path": "say ', '"hi', '" now", "limit": "3"}') == [
        '{"file_path": "say ',
        "",
        "",
        '\\"hi\\" now","limit":3}',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"a":' * 50_000,
        '{"edits":[' + '{"new":"x"},' * 10_000,
        '{"x":[' + "1," * 50_000,
        '{"file_path":"' + "\\x" * 50_000,
        '{"file_path":' + " " * 100_000,
        '{"limit":"' + "[{" * 50_000 + '"}',
        '{"' + "k" * 100_000,
    ],
)
def test_hostile_arguments_take_linear_time(text: str) -> None:
    began = time.process_time()
    fed(text)
    fed(*text)
    assert time.process_time() - began < 6


def test_calls_that_cannot_be_run() -> None:
    tool = Tool("Edit", msgspec.Raw(b'""'), msgspec.Raw(json.dumps(SCHEMA).encode()))
    toolbox = RequestTools(Tools([tool]))
    assert unusable(toolbox, "Edit", '{"file_path": "a"}') == ""
    assert unusable(toolbox, "", "") == NOTHING_CALLED
    assert unusable(toolbox, "", '{"a": 1}') == NO_SUCH_TOOL
    assert unusable(toolbox, "Fly", "{}") == NO_SUCH_TOOL
    assert unusable(toolbox, "Edit", '{"limit": 1}') == INCOMPLETE
    assert unusable(toolbox, "Edit", "") == INCOMPLETE
    assert unusable(toolbox, "Edit", '{"file_path": ') == NO_OBJECT
