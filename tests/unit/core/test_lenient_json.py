"""JSON as models write it: what has one sure reading, and what has none."""

from __future__ import annotations

import time

import pytest

from landline.core.json_strings import mended, proper, proper_end
from landline.core.lenient_json import UNREAD, is_over, read_lenient


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{'a': True, 'b': None, \"c\": [False, 'x', 1.5e3],}", {"a": True, "b": None, "c": [False, "x", 1500.0]}),
        ("{'a': 'it\\'s', 'b': \"it's\"}", {"a": "it's", "b": "it's"}),
        ('"a": {"b": "c"}}', {"a": {"b": "c"}}),
        ('{"a": "x "y" z", "b": {"c": "d "e" f"}, "g": 1}', {"a": 'x "y" z', "b": {"c": 'd "e" f'}, "g": 1}),
        ('["a "b" c", "d"]', ['a "b" c', "d"]),
        ('```json\n{"a": "b"}\n```', {"a": "b"}),
        ('{"a": "b"}</tool_call><|im_end|>', {"a": "b"}),
        ('{"a": "b"}}', {"a": "b"}),
        ('{"a": "line\nline"}', {"a": "line\nline"}),
        ("[]", []),
    ],
)
def test_what_is_meant_for_sure(text: str, value: object) -> None:
    assert read_lenient(text) == value
    assert is_over(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"',
        '{"a": ',
        '{"a": "b',
        '{"a": "b"',
        '{"a": "b}',
        '{"a": {"b": "c"}',
        '{"a": "x "y"',
        "{'a': 'b'",
        '{"a": [1, 2',
        '"a": "b"',
        '{"cmd": "timeout 7\n7", "echo …\n</parameter":',
    ],
)
def test_what_is_cut_is_not_completed(text: str) -> None:
    assert read_lenient(text) is UNREAD or not isinstance(read_lenient(text), dict)
    assert not is_over(text)


def test_only_known_keys_follow_a_mark_that_was_not_escaped() -> None:
    text = '{"code": "d = {"a": "x", "b": "y"}", "n": 1}'
    assert read_lenient(text, {"code", "n"}) == {"code": 'd = {"a": "x", "b": "y"}', "n": 1}
    assert read_lenient('{"code": "x", "other": 1,}', {"code"}) == {"code": "x", "other": 1}


@pytest.mark.parametrize(
    "text",
    [
        '"' * 100_000,
        '{"a":' * 100_000,
        "[{" * 100_000,
        '{"a": "' + '", "b"' * 30_000,
        '{"a":"' + "\\" * 100_001 + '"}',
        '{"a": "' + '"}' * 50_000,
        "<|a|>" * 50_000,
        '{"a":"' + '"      ' * 30_000,
    ],
)
def test_hostile_text_is_read_in_time(text: str) -> None:
    began = time.process_time()
    read_lenient(text)
    is_over(text)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ("plain é 😀", "plain é 😀"),
        ('\\" \\\\ \\/ \\b \\u00e9 \\ud83d\\ude00', '\\" \\\\ \\/ \\b \\u00e9 \\ud83d\\ude00'),
        ("a\nb\r\x00", "a\\nb\\r\\u0000"),
        ("\\d \\x1b \\' \\u12", "\\\\d \\\\x1b ' \\\\u12"),
        ("\\ud83d \\ude00", "\\ufffd \\ufffd"),
        ('say "x"', 'say \\"x\\"'),
        ("\\", "\\\\"),
    ],
)
def test_the_inside_of_a_text(body: str, written: str) -> None:
    assert proper(body) == written
    assert proper(written) != written or proper_end(written) == len(written) or '"' in written


def test_an_escape_that_has_only_begun_waits() -> None:
    for begun in ("\\", "\\u", "\\u00e", "\\ud83d", "\\ud83d\\", "\\ud83d\\ude0"):
        assert mended(begun, 0) is None
        assert mended(begun, 0, last=True) is not None
