"""Judgements of single probes that need no server."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from landline.clients.checking import caches, context, speed
from landline.clients.checking.asking import Answer, Call
from landline.clients.checking.calls import CODE, UNICODE, difference
from landline.clients.checking.causes import Cause
from landline.clients.checking.direct import RawAnswer
from landline.clients.checking.loop import TARGET, WANTED, Folder
from landline.clients.checking.outputs import red_square
from landline.upstream.caching import CacheMetrics
from landline.upstream.dialects import BackendKind


def use(folder: Folder, name: str, **arguments: object) -> tuple[str, bool]:
    return folder.use(Call("c", name, "", dict(arguments)))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "outside.txt").write_text("secret")
    root = tmp_path / "folder"
    root.mkdir()
    return Folder(root)


def test_the_tools_work_in_their_folder(folder: Folder) -> None:
    assert use(folder, "write_file", path=TARGET, content=f"{WANTED}\n") == ("written", False)
    assert use(folder, "list_files") == (TARGET, False)
    assert use(folder, "read_file", path=f"./{TARGET}") == (f"{WANTED}\n", False)
    assert folder.done


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/hostname", "", ".", "..", "a/b.txt", "x\0y", 7, None, ["a"]])
def test_nothing_outside_is_reached(folder: Folder, path: object, tmp_path: Path) -> None:
    for name in ("read_file", "write_file"):
        said, is_error = use(folder, name, path=path, content="mine")
        assert is_error
        assert "secret" not in said
        assert str(tmp_path) not in said
    assert (tmp_path / "outside.txt").read_text() == "secret"
    assert list(folder.root.iterdir()) == []


def test_a_link_out_is_not_followed(folder: Folder, tmp_path: Path) -> None:
    (folder.root / "link.txt").symlink_to(tmp_path / "outside.txt")
    assert use(folder, "read_file", path="link.txt")[1]
    assert use(folder, "write_file", path="link.txt", content="mine")[1]
    assert (tmp_path / "outside.txt").read_text() == "secret"


@pytest.mark.parametrize("content", [None, 7, "x" * 100_000, "\ud800"])
def test_contents_that_are_none_are_refused(folder: Folder, content: object) -> None:
    assert use(folder, "write_file", path=TARGET, content=content)[1]
    assert not folder.done


def test_an_unknown_tool_is_an_error(folder: Folder) -> None:
    assert use(folder, "delete_file", path=TARGET) == ("There is no tool delete_file.", True)


def test_where_two_texts_part() -> None:
    assert "at character 2: “X”" in difference("abc", "abX")
    assert "at character 3: “the end” instead of “d”" in difference("abcd", "abc")


def test_what_is_to_be_copied_holds_what_breaks_parsers() -> None:
    for part in ('"', "'", "\\", "\n", "{", "<b>", "&amp;", "$", "`"):
        assert part in CODE
    assert len(UNICODE.encode()) > len(UNICODE) + 40


# ------------------------------------------------------------------------------------------------ long prompts


def test_a_longer_log_begins_like_a_shorter_one() -> None:
    assert context.log_of(400).startswith(context.log_of(200))
    assert context.log_of(20).count(context.NEEDLE) == 1


@pytest.mark.parametrize(
    ("answer", "exact", "wanted"),
    [
        (Answer(text="It is heron-4821.", prompt=10_000), True, None),
        (Answer(text="It is heron-4821."), True, None),
        (Answer(text="I do not know.", prompt=10_000), True, Cause.LOST_IN_CONTEXT),
        (Answer(text="I do not know.", prompt=4_096), True, Cause.PROMPTS_CUT),
        (Answer(text="heron-4821", prompt=6_000), True, Cause.PROMPTS_CUT),
        (Answer(text="heron-4821", prompt=6_000), False, None),
        (Answer(problem="prompt is too long: 10000 tokens > 4096 maximum"), True, Cause.WINDOW_SMALLER_THAN_SAID),
        (Answer(problem="broke off"), True, Cause.REFUSED),
    ],
)
def test_a_long_prompt_is_judged(answer: Answer, exact: bool, wanted: Cause | None) -> None:
    finding = context.judge(10_000, answer, exact=exact, window=20_000)
    assert (finding.fault.cause if finding.fault else None) is wanted
    assert finding.passed is (wanted is None)


# ------------------------------------------------------------------------------------------------ the cache

OFF, ON = CacheMetrics(enabled=False), CacheMetrics(queries=100, hits=0)
HIT = CacheMetrics(queries=200, hits=90)


@pytest.mark.parametrize(
    ("cached", "kind", "before", "after", "wanted"),
    [
        (None, BackendKind.VLLM, None, None, Cause.CACHE_NOT_REPORTED),
        (None, BackendKind.VLLM, ON, HIT, Cause.CACHE_NOT_REPORTED),
        (None, BackendKind.VLLM, ON, ON, Cause.CACHE_OFF),
        (None, BackendKind.VLLM, OFF, OFF, Cause.CACHE_OFF),
        (0, BackendKind.VLLM, None, None, Cause.CACHE_OFF),
        (90, BackendKind.VLLM, None, None, Cause.CACHE_OFF),
        (None, BackendKind.OLLAMA, None, None, None),
    ],
)
def test_why_nothing_came_from_the_cache(
    cached: int | None,
    kind: BackendKind,
    before: CacheMetrics | None,
    after: CacheMetrics | None,
    wanted: Cause | None,
) -> None:
    finding = caches.judge(RawAnswer(cached=cached, prompt=100), kind, before, after)
    assert (finding.fault.cause if finding.fault else None) is wanted
    assert finding.passed is (None if wanted is None else False)


# ------------------------------------------------------------------------------------------------ speed


def test_speed_of_each_and_together() -> None:
    answers = [Answer(output=41, first_s=1.0, total_s=5.0), Answer(output=41, first_s=2.0, total_s=6.0)]
    finding, figures = speed.judge(answers, 6.0)
    assert figures == {"first_token_s": 2.0, "tokens_per_s": 10.0, "tokens_per_s_together": 13.7}
    assert finding.passed


def test_an_answer_in_one_piece_is_not_infinitely_fast() -> None:
    _, figures = speed.judge([Answer(output=40, first_s=4.0, total_s=4.001)], 4.0)
    assert figures["tokens_per_s"] == 10.0


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (Answer(output=40, first_s=1.0, total_s=41.0), Cause.SLOW),
        (Answer(output=40, first_s=30.0, total_s=32.0), Cause.SLOW),
        (Answer(problem="overloaded"), Cause.REFUSED),
    ],
)
def test_what_is_too_slow(answer: Answer, wanted: Cause) -> None:
    finding, _ = speed.judge([answer], 41.0)
    assert finding.fault is not None
    assert finding.fault.cause is wanted


def test_the_picture_is_a_png() -> None:
    data = red_square()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at = data.index(b"IDAT")
    size = int.from_bytes(data[at - 4 : at], "big")
    assert len(zlib.decompress(data[at + 4 : at + 4 + size])) == 64 * (1 + 3 * 64)
