"""The report on one screen, and the profile on disk."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from landline.clients.checking.profile import keep_profile, last_profile, profile_path
from landline.clients.checking.report import Report, Result, lines
from landline.errors import SettingsError


def result(probe: str, passed: bool | None, **fields: str) -> Result:
    return Result(id=probe, title=f"title of {probe}", passed=passed, detail=fields.pop("detail", "why"), **fields)


def report(*probes: Result, **fields: object) -> Report:
    known = {"landline": "1", "checked_at": "2026-11-20T10:00:00+00:00", "backend": "http://h:1", "kind": "vllm"}
    return msgspec.convert(known | {"model": "m", "grade": "LIMITED", "probes": probes} | fields, Report)


LOST = {"cause": "no_tool_parser", "mend": "start vLLM with --tool-call-parser qwen3_coder"}


def test_what_one_change_mends_stands_together_and_worst_first() -> None:
    shown = lines(
        report(
            result("parallel_calls", False, **LOST),
            result("cache", False, cause="cache_off", mend="switch it on"),
            result("single_call", False, **LOST),
            result("window", True),
            result("image", None, detail="not told"),
            grade="NOT READY",
        )
    )
    text = "\n".join(shown)
    assert text.count(LOST["mend"]) == 1
    assert shown[1].startswith("NOT READY")
    assert "  x no tool parser: title of single_call; title of parallel_calls" in shown
    assert "  ! cache off: title of cache" in shown
    assert text.index("no tool parser") < text.index("cache off")
    assert "  passed: window" in shown
    assert "  not tried: image: not told" in shown


def test_it_fits_on_a_screen_when_everything_fails() -> None:
    from landline.clients.checking.verdict import WEIGHTS

    shown = lines(report(*(result(probe, False, **LOST, detail="x" * 200) for probe in WEIGHTS)), width=79)
    assert len(shown) <= 40
    assert all(len(line) <= 79 for line in shown if "xxx" not in line)


def test_flags_are_not_broken_between_lines() -> None:
    shown = lines(report(result("cache", False, cause="c", mend="words " * 10 + "--enable-auto-tool-choice")), width=79)
    assert any("--enable-auto-tool-choice" in line for line in shown)


def test_what_a_peer_wrote_cannot_steer_the_terminal() -> None:
    bad = "\x1b[31mred\u202e"
    shown = "\n".join(lines(report(result("cache", False, cause="c", mend="m", detail=bad), model=bad, backend=bad)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_stopped_check_has_no_verdict() -> None:
    assert "NO VERDICT" in lines(report(grade=""))[1]


def test_a_profile_is_kept_by_kind_and_model(tmp_path: Path) -> None:
    one, other = report(model="a/b"), report(model="a-b")
    assert keep_profile(one, tmp_path) != keep_profile(other, tmp_path)
    again = report(model="a/b", grade="READY", checked_at="2026-11-21T10:00:00+00:00")
    path = keep_profile(again, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted({path, profile_path(tmp_path, "vllm", "a-b")})
    assert path.stat().st_mode & 0o077 == 0
    assert last_profile(tmp_path) == again
    assert last_profile(tmp_path, model="a-b") == other


@pytest.mark.parametrize("model", ["../../x", "/etc/passwd", "a" * 5000, ".", "\0", "\ud800", "ü 🎉"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, model: str) -> None:
    path = profile_path(tmp_path, "vllm", model)
    assert path.parent == tmp_path
    assert len(path.name) < 120
    path.write_text("{}")


def test_a_file_that_is_no_profile_is_passed_over(tmp_path: Path) -> None:
    keep_profile(report(), tmp_path)
    (tmp_path / "z.json").write_bytes(b"\xff{")
    (tmp_path / "y.json").write_text('{"grade": 7}')
    assert last_profile(tmp_path) == report()


def test_without_a_profile_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No check of m is kept") as caught:
        last_profile(tmp_path / "none", model="m")
    assert "landline check" in caught.value.hint
