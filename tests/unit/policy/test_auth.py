"""Keys, and the names by which the gateway may be called."""

from __future__ import annotations

import pytest

from landline.errors import ErrorKind, LandlineError
from landline.policy.auth import check_host, check_key, is_loopback, presented_keys


@pytest.mark.parametrize(
    ("authorization", "api_key", "keys"),
    [
        ("Bearer a", "", ("a",)),
        ("bearer  a ", " b ", ("a", "b")),
        ("", "b", ("b",)),
        ("Basic a", "", ()),
        ("Bearer", "", ()),
        ("", "", ()),
    ],
)
def test_both_headers_are_read(authorization: str, api_key: str, keys: tuple[str, ...]) -> None:
    assert presented_keys(authorization, api_key) == keys


def test_one_valid_key_is_enough() -> None:
    check_key(("wrong", "b"), ("a", "b"))
    check_key((), ())
    check_key(("anything",), ())


@pytest.mark.parametrize("presented", [(), ("",), ("wrong",), ("é",), ("a ",)])
def test_a_missing_or_wrong_key_is_refused_for_good(presented: tuple[str, ...]) -> None:
    with pytest.raises(LandlineError) as raised:
        check_key(presented, ("a", "b"))
    assert (raised.value.kind, raised.value.final) == (ErrorKind.AUTHENTICATION, True)
    assert "gateway.keys" in raised.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost", "LOCALHOST.", "ip6-localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "origin", "keyed"),
    [
        ("127.0.0.1:4000", "", False),
        ("localhost", "", False),
        ("[::1]:4000", "", False),
        ("Box.lan:4000", "", False),
        ("10.0.0.7:4000", "", True),
        ("[fe80::1]:4000", "", True),
        ("localhost:4000", "http://localhost:3000", False),
        ("localhost:4000", "https://box.lan", False),
    ],
)
def test_own_names_may_call(host: str, origin: str, keyed: bool) -> None:
    check_host(host, origin, own_names=("box.lan",), keyed=keyed)


@pytest.mark.parametrize(
    ("host", "origin", "keyed"),
    [
        ("evil.example:4000", "", True),
        ("10.0.0.7:4000", "", False),
        ("", "", False),
        ("localhost.evil.example", "", False),
        ("localhost:4000", "https://evil.example", True),
        ("localhost:4000", "null", True),
        ("localhost:4000", "http://[", False),
    ],
)
def test_foreign_names_and_pages_are_refused(host: str, origin: str, keyed: bool) -> None:
    with pytest.raises(LandlineError) as raised:
        check_host(host, origin, own_names=("box.lan",), keyed=keyed)
    assert raised.value.kind is ErrorKind.FORBIDDEN
