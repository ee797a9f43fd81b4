"""Every error text that landline understands has a sample of the backend that wrote it, read as it should be."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from landline.errors import ErrorKind
from landline.upstream.failures import (
    LOADING,
    NO_TOOL_PARSER,
    OUTPUT_TOO_LARGE,
    OVERFLOWS,
    Known,
    Refusal,
    clean,
    error_text,
    failed_in_stream,
    read_refusal,
)

SAMPLES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "golden" / "failures.toml").read_text(encoding="utf-8")
)["sample"]
BASE = "http://backend:8000"
WINDOW, ESTIMATE = 4321, 5432


def read(status: int, body: str, *, content_type: str = "application/json") -> Refusal:
    return read_refusal(status, body.encode(), Known(WINDOW, ESTIMATE, BASE), content_type=content_type)


def deciding(pattern: re.Pattern[str], table: tuple[re.Pattern[str], ...]) -> list[str]:
    """The samples in which `pattern` is the first of its table that is found."""
    texts = [error_text(sample["body"].encode()) for sample in SAMPLES]
    return [text for text in texts if next((row for row in table if row.search(text)), None) is pattern]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["backend"])
@pytest.mark.row("5.17")
def test_the_sample_is_read_as_it_should_be(sample: dict[str, Any]) -> None:
    assert sample["source"] in ("recorded", "documentation only")
    refusal = read(sample["status"], sample["body"])
    assert refusal.error.kind == sample["kind"]
    assert refusal.output_too_large is sample.get("output_too_large", False)
    assert sample.get("hint", "") in refusal.error.hint
    assert "mend" not in sample or refusal.mend == sample["mend"]
    assert "check" not in sample or refusal.error.check == sample["check"]
    if refusal.error.kind is ErrorKind.PROMPT_TOO_LONG:
        window = sample.get("window", WINDOW)
        prompt = max(sample.get("prompt", ESTIMATE), window + 1)
        assert (refusal.window, refusal.prompt) == (window, sample.get("prompt", ESTIMATE))
        assert refusal.error.text == f"prompt is too long: {prompt} tokens > {window} maximum"
    elif refusal.output_too_large:
        assert (refusal.window, refusal.prompt) == (sample.get("window", WINDOW), sample.get("prompt", 0))


@pytest.mark.parametrize("pattern", OVERFLOWS, ids=lambda pattern: pattern.pattern[:60])
def test_every_overflow_row_decides_a_sample(pattern: re.Pattern[str]) -> None:
    assert deciding(pattern, OVERFLOWS)


@pytest.mark.parametrize("pattern", OUTPUT_TOO_LARGE, ids=lambda pattern: pattern.pattern[:60])
def test_every_output_row_decides_a_sample(pattern: re.Pattern[str]) -> None:
    assert deciding(pattern, OUTPUT_TOO_LARGE)


def test_a_server_that_loads_has_a_sample() -> None:
    assert deciding(LOADING, (LOADING,))


def test_the_missing_tool_parser_has_samples() -> None:
    assert len(deciding(NO_TOOL_PARSER, (NO_TOOL_PARSER,))) == 2


def test_an_output_that_leaves_no_room_is_an_overflow() -> None:
    text = "'max_tokens' is too large: 32000. Your request has 40000 input tokens (32000 > 32768 - 40000)."
    text = f"This model's maximum context length is 32768 tokens. {text}"
    assert not read(400, text).output_too_large


@pytest.mark.parametrize(
    ("status", "kind", "final"),
    [
        (400, ErrorKind.INVALID_REQUEST, False),
        (401, ErrorKind.BACKEND_UNAVAILABLE, True),
        (403, ErrorKind.BACKEND_UNAVAILABLE, True),
        (404, ErrorKind.BAD_BACKEND, True),
        (408, ErrorKind.BACKEND_TIMEOUT, False),
        (413, ErrorKind.REQUEST_TOO_LARGE, False),
        (418, ErrorKind.BAD_BACKEND, True),
        (422, ErrorKind.INVALID_REQUEST, False),
        (429, ErrorKind.RATE_LIMITED, False),
        (500, ErrorKind.BAD_BACKEND, False),
        (503, ErrorKind.OVERLOADED, False),
        (504, ErrorKind.BACKEND_TIMEOUT, False),
        (529, ErrorKind.OVERLOADED, False),
    ],
)
def test_what_has_no_text_is_read_by_its_status(status: int, kind: ErrorKind, final: bool) -> None:
    error = read(status, "").error
    assert (error.kind, error.final) == (kind, final)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"error":{"message":"a  b\\nc"}}', "a b c"),
        ('{"error":"a"}', "a"),
        ('{"detail":[{"msg":"a"}]}', "[{'msg': 'a'}]"),
        ('{"object":"error","message":"a"}', "a"),
        ("plain words", "plain words"),
        ("[1]", "[1]"),
        ("{", "{"),
        ("", ""),
        ("[" * 100_000, "[" * 600 + " …"),
    ],
)
def test_the_message_is_found_in_any_envelope(body: str, text: str) -> None:
    assert error_text(body.encode()) == text


def test_bytes_that_are_no_text_are_still_shown() -> None:
    assert error_text(b"\xff\xfe broken") == "�� broken"


def test_what_may_be_a_key_is_not_shown() -> None:
    shown = clean("refused: Bearer abcdefghijklmnop and sk-abcdefghijklmnop")
    assert "abcdefghijklmnop" not in shown
    assert shown == "refused: [key] and [key]"


@pytest.mark.parametrize(
    ("status", "cut", "kind"),
    [
        (0, True, ErrorKind.BAD_BACKEND),
        (500, False, ErrorKind.BAD_BACKEND),
        (503, False, ErrorKind.OVERLOADED),
        (429, False, ErrorKind.OVERLOADED),
    ],
)
@pytest.mark.row("3.33")
def test_a_failure_in_the_stream(status: int, cut: bool, kind: ErrorKind) -> None:
    assert failed_in_stream(status, "x", Known(WINDOW, ESTIMATE, BASE), cut=cut).kind is kind
