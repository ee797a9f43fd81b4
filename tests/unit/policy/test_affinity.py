"""Which replica a session belongs to."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from landline.policy.affinity import ranked
from landline.policy.identity import LONGEST_SESSION, session_name, session_of_metadata

URLS = tuple(f"http://replica-{n}:8000" for n in range(4))


@given(st.text(), st.permutations(URLS))
def test_the_order_of_the_addresses_changes_nothing(session: str, urls: list[str]) -> None:
    name = session_name(session)
    assert ranked(name, urls) == ranked(name, URLS)
    assert sorted(ranked(name, urls)) == sorted(URLS)


@given(st.text(), st.sampled_from(URLS))
def test_only_the_sessions_of_a_replica_that_goes_move(session: str, gone: str) -> None:
    name = session_name(session)
    rest = [url for url in URLS if url != gone]
    assert ranked(name, rest) == [url for url in ranked(name, URLS) if url != gone]


def test_sessions_are_spread_evenly() -> None:
    first = Counter(ranked(f"session-{n}", URLS)[0] for n in range(2000))
    assert all(400 < first[url] < 600 for url in URLS)


@given(st.text(max_size=400))
def test_a_session_s_name_can_stand_in_a_header_and_tells_sessions_apart(told: str) -> None:
    name = session_name(told)
    assert len(name) <= LONGEST_SESSION
    assert all("!" <= char <= "~" for char in name)
    assert session_name(told) == name
    assert bool(name) == bool(told)


def test_long_ids_with_one_beginning_are_apart() -> None:
    assert session_name("x" * 300 + "1") != session_name("x" * 300 + "2")


@pytest.mark.parametrize(
    ("metadata", "session"),
    [
        ({"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": "abc"})}, "abc"),
        ({"user_id": json.dumps({"session_id": 5})}, ""),
        ({"user_id": json.dumps(["abc"])}, ""),
        ({"user_id": "user_1"}, ""),
        ({"user_id": '{"session_id":"a\\r\\nx-evil: 1"}'}, session_name("a\r\nx-evil: 1")),
        ({"user_id": None}, ""),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_session_in_the_metadata(metadata: object, session: str) -> None:
    assert session_of_metadata(Raw(json.dumps(metadata).encode())) == session


def test_no_metadata_at_all() -> None:
    assert session_of_metadata(UNSET) == ""
