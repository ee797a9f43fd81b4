"""Pure parts of the checks: names, proxies, rates, the table and its functions, the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from landline.clients.checking.bench import Finding as ProbeFinding
from landline.clients.checking.causes import Cause, Fault
from landline.clients.doctor.address import is_excepted, is_placeholder
from landline.clients.doctor.answers import is_held_back, tool_parser
from landline.clients.doctor.catalogue import CHECKS, MODEL_CHECKS
from landline.clients.doctor.diagnosing import FUNCTIONS, worst
from landline.clients.doctor.finding import Diagnosis, Finding, Passed, Severity, Source, Untried
from landline.clients.doctor.limits import expected_prefill, prefill_time
from landline.clients.doctor.models import nearest, without_long_context
from landline.clients.doctor.report import lines
from landline.clients.doctor.settings_in_force import Origin, SettingsInForce, Value
from landline.clients.doctor.state import (
    Client,
    ModelServer,
    Place,
    Prefill,
    Probed,
    State,
    Streamed,
    is_url,
    sent_model,
)
from landline.upstream.dialects import BackendKind


def settings(**env: str) -> SettingsInForce:
    values = {name: (Value(text, Origin.USER, Source("f", 1), Path("f")),) for name, text in env.items()}
    keys = {"model": values.pop("model")} if "model" in values else {}
    return SettingsInForce(env=values, keys=keys, user_file=Path("f"))


def test_every_check_of_the_table_has_a_function() -> None:
    assert list(FUNCTIONS) == list(CHECKS)
    assert set(MODEL_CHECKS) <= set(CHECKS)
    assert all(check.cause.endswith(".") and check.title for check in CHECKS.values())


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("QWEN3", "Qwen3"),
        ("org/Qwen3", "Qwen3"),
        ("Qwen3-AWQ", "Qwen3"),
        ("Qwen3:latest", "Qwen3"),
        ("Qwen31", ""),
        ("glm", ""),
        ("", ""),
    ],
)
def test_near_names(asked: str, near: str) -> None:
    assert nearest(asked, ("other", "Qwen3"))[0] == near


def test_long_context_is_taken_off_as_often_as_it_stands() -> None:
    assert without_long_context("x[1m][1M]") == "x"


@pytest.mark.parametrize(
    ("env", "version", "sent"),
    [
        ({"ANTHROPIC_MODEL": "m", "model": "k"}, (2, 1, 329), "m"),
        ({"model": "k"}, (2, 1, 329), "k"),
        ({"model": "haiku", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "h"}, (2, 1, 329), "h"),
        ({"model": "haiku"}, (2, 1, 197), "claude-opus-4-8"),
        ({"ANTHROPIC_DEFAULT_OPUS_MODEL": "o"}, (2, 1, 329), "o"),
        ({"model": "sonnet[1m]", "ANTHROPIC_DEFAULT_SONNET_MODEL": "s"}, (2, 1, 329), "s"),
        ({"model": "sonnet[1m]", "ANTHROPIC_DEFAULT_SONNET_MODEL": "s"}, (2, 1, 197), "claude-opus-4-8"),
        ({}, (2, 1, 100), "claude-sonnet-4-6"),
        ({}, (2, 0, 1), "claude-opus-5-5"),
        ({}, (), "claude-opus-5-5"),
    ],
)
def test_the_model_that_is_sent(env: dict[str, str], version: tuple[int, ...], sent: str) -> None:
    assert sent_model(settings(**env), Client("", version)).name == sent


@pytest.mark.parametrize(
    ("env", "excepted"),
    [
        ({"NO_PROXY": "127.0.0.1"}, True),
        ({"NO_PROXY": "localhost, 127.0.0.1:4000"}, True),
        ({"NO_PROXY": "*"}, True),
        ({"NO_PROXY": "127.0.0.1", "no_proxy": "other"}, False),  # the lower-case one counts
        ({"NO_PROXY": "127.0.0.10"}, False),
        ({}, False),
    ],
)
def test_exceptions_of_a_proxy(env: dict[str, str], excepted: bool) -> None:
    assert is_excepted("127.0.0.1", settings(**env)) is excepted


@pytest.mark.parametrize("text", ["PLEASE_SET_KEY", "your-api-key-here", "<token>", "changeme"])
def test_placeholders(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["landline", "dummy", "sk-1234", "local"])
def test_words_that_are_no_placeholders(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize("text", ["", "x", "ftp://x", "http://", "http://[", "http://x:999999", "http://x:0"])
def test_what_is_no_url(text: str) -> None:
    assert not is_url(text)


@pytest.mark.parametrize(
    ("streamed", "held"),
    [
        (Streamed(40, 0.2, 1.2), False),
        (Streamed(40, 1.199, 1.2), True),
        (Streamed(40, 60.0, 60.001), True),
        (Streamed(40, 60.0, 60.4), False),  # long waited for, then quickly written
        (Streamed(8, 1.2, 1.2), None),
        (Streamed(40, 0.01, 0.02), None),
    ],
)
def test_streams_that_are_held_back(streamed: Streamed, held: bool | None) -> None:
    assert is_held_back(streamed) is held


def test_the_time_of_a_first_request() -> None:
    assert expected_prefill(Prefill(2_260, 1.5)) == 15
    assert expected_prefill(Prefill(0, 1.5)) > 0


def state(*, landline: bool, probed: Probed, **env: str) -> State:
    place = Place(url="http://h", answers=True, version="1" if landline else "", status=200)
    server = ModelServer(url="http://m", named_by="--backend", answers=True, served=("m",), kind=BackendKind.VLLM)
    return State(
        client=Client("claude", (2, 1, 329)),
        settings=settings(**env),
        gateway=place,
        pointed_at=place,
        server=server,
        probed=probed,
    )


SLOW = Probed(prefill=Prefill(2_000, 40.0, 2_000))


def test_a_slow_prefill_is_an_error_where_nothing_sends_signs_of_life() -> None:
    problems = prefill_time(state(landline=False, probed=SLOW))
    assert isinstance(problems, list)
    assert "about 452 s to read, and the client waits 300 s" in problems[0].finding
    assert isinstance(prefill_time(state(landline=True, probed=SLOW)), Passed)
    problems = prefill_time(state(landline=True, probed=SLOW, API_TIMEOUT_MS="5000"))
    assert isinstance(problems, list)
    assert problems[0].edits
    assert isinstance(prefill_time(state(landline=True, probed=SLOW, API_TIMEOUT_MS="600000")), Passed)


@pytest.mark.parametrize("cause", [Cause.NO_TOOL_PARSER, Cause.WRONG_TOOL_PARSER, Cause.CALL_IN_THINKING])
def test_markup_is_an_error_where_nothing_reads_it(cause: Cause) -> None:
    probed = Probed(call=ProbeFinding(False, "seen", Fault(cause, "seen", "qwen3_coder")))
    alone, behind = (tool_parser(state(landline=landline, probed=probed)) for landline in (False, True))
    assert isinstance(alone, list)
    assert isinstance(behind, list)
    assert (alone[0].severity, behind[0].severity) == (None, Severity.WARNING)  # None: the table's, an error
    assert "qwen3_coder" in alone[0].fix


def finding(name: str, severity: Severity, text: str = "seen") -> Finding:
    return Finding(
        id=name, title="t", finding=text, cause="Because.", fix="do it", severity=severity, source=Source("f", 3)
    )


def test_a_good_report_has_five_lines() -> None:
    good = tuple(finding(name, Severity.OK) for name in CHECKS if name not in MODEL_CHECKS)
    quick = Diagnosis(good, tuple(Untried(name, "t", "quick") for name in MODEL_CHECKS))
    shown = lines(quick, width=100)
    assert len(shown) == 5
    assert shown[-1] == "OK: nothing is wrong."
    assert worst(quick) is Severity.OK


def test_errors_stand_before_warnings_with_cause_and_fix() -> None:
    told = Diagnosis((finding("telemetry", Severity.WARNING), finding("token", Severity.ERROR)))
    text = "\n".join(lines(told))
    assert text.index("x token: seen (f:3)") < text.index("! telemetry: seen (f:3)")
    assert "Because." in text
    assert "> do it" in text
    assert text.endswith("NOT OK: 1 error and 1 warning.")
    assert worst(told) is Severity.ERROR


def test_a_peers_text_does_nothing_to_a_terminal() -> None:
    told = Diagnosis((finding("token", Severity.ERROR, "a\x1b[2Jb http://me:secret@host/"),))
    text = "\n".join(lines(told))
    assert "\x1b" not in text
    assert "secret" not in text


def test_everything_wrong_is_one_screen_of_an_editor() -> None:
    bad = Diagnosis(tuple(finding(name, Severity.ERROR) for name in list(CHECKS)[:9]))
    assert len(lines(bad, width=100)) <= 45
