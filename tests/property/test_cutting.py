"""Law 1: cutting the upstream's bytes anywhere changes nothing of what the client gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.stream_invariant import check_stream, same_events
from tests.fakes.streams import CASES, Case, differences
from tests.golden.translate import ASKED_MODEL, translate

TRAILING = (
    b"\n",
    b"\n\n: bye\n\n",
    b'data: {"choices":[{"index":0,"delta":{"content":"late"}}]}\n\n',
    b"data: ",
    b"\xff",
)
DONE_CASES = [name for name, case in CASES.items() if case.ends_with_done]


def check(case: Case, raw: bytes) -> None:
    folded = check_stream(raw, asked_model=ASKED_MODEL, tools=case.tools, backend_finish=case.finish)
    assert differences(case, folded) == []
    assert same_events(translate(case.upstream), raw)


@pytest.mark.parametrize("name", CASES)
def test_byte_by_byte(name: str) -> None:
    case = CASES[name]
    check(case, translate(case.upstream, cuts=range(len(case.upstream))))


@pytest.mark.parametrize("name", CASES)
def test_cut_once_at_every_place_of_the_first_and_last_bytes(name: str) -> None:
    case = CASES[name]
    size = len(case.upstream)
    places = sorted({*range(1, min(40, size)), *range(max(1, size - 60), size)})
    whole = translate(case.upstream)
    assert all(same_events(whole, translate(case.upstream, cuts=[place])) for place in places)


@given(data=st.data())
def test_any_cuts(data: st.DataObject) -> None:
    case = CASES[data.draw(st.sampled_from(sorted(CASES)))]
    cuts = data.draw(st.lists(st.integers(1, max(1, len(case.upstream))), max_size=12))
    check(case, translate(case.upstream, cuts=cuts))


@pytest.mark.parametrize("trailing", TRAILING)
@pytest.mark.parametrize("name", DONE_CASES)
def test_what_follows_the_end_mark_changes_nothing(name: str, trailing: bytes) -> None:
    case = CASES[name]
    # A mark without its blank line is whole only because the stream ends there.
    upstream = case.upstream if case.upstream.endswith(b"\n\n") else case.upstream.rstrip() + b"\r\n\r\n"
    check(case, translate(upstream + trailing))
    check(case, translate(upstream + trailing, cuts=[len(upstream)]))
