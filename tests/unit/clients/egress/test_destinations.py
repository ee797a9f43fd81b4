from __future__ import annotations

import pytest

from landline.clients.egress.destinations import Destination, Law, Mode, Verdict, destination, rules
from landline.errors import SettingsError

GATEWAY = Destination("127.0.0.1", 4000)


def law(mode: Mode, *allow: str, gateway: Destination = GATEWAY) -> Law:
    return Law(mode=mode, gateway=gateway, allow=rules(allow))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.org:443", "example.org", 443),
        ("EXAMPLE.org.:443", "example.org", 443),
        ("[::1]:80", "::1", 80),
        ("[2001:DB8:0:0::1]:443", "2001:db8::1", 443),
        ("10.0.0.1:8080", "10.0.0.1", 8080),
        ("xn--bcher-kva.example:443", "xn--bcher-kva.example", 443),
        ("_http._tcp.example:443", "_http._tcp.example", 443),
    ],
)
def test_one_host_has_one_spelling(text: str, host: str, port: int):
    assert destination(text) == Destination(host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":443", "example.org", "example.org:", "example.org:0", "example.org:65536", "example.org:1e3"),
        *("example.org:٤٤٣", "example.org:+443", "a..b:443", ".example.org:443", "example.org..:443", "-a:443"),
        *("user@example.org:443", "example.org/x:443", "ex ample.org:443", "bücher.example:443", "a" * 254 + ":443"),
        *("::1:443", "[::1:443", "[::1]443", "[example.org]:443", "[fe80::1%eth0]:443", "[]:443", "exa\x00mple:443"),
    ],
)
def test_what_is_not_plainly_a_destination_is_none(text: str):
    assert destination(text) is None


def test_a_default_port_serves_only_where_none_is_written():
    assert destination("example.org", default_port=80) == Destination("example.org", 80)
    assert destination("[::1]", default_port=80) == Destination("::1", 80)
    assert destination("example.org:", default_port=80) is None


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        (Mode.OPEN, Verdict.ALLOWED),
        (Mode.AUDIT, Verdict.ALLOWED),
        (Mode.PROXY_ONLY, Verdict.REFUSED),
        (Mode.LOCK, Verdict.REFUSED),
    ],
)
def test_what_a_mode_does_with_a_host_that_nobody_named(mode: Mode, verdict: Verdict):
    assert law(mode).judge(Destination("example.org", 443)) is verdict
    assert law(mode).judge(GATEWAY) is Verdict.GATEWAY


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("example.org", "example.org", 443, True),
        ("Example.ORG.", "example.org", 8443, True),
        ("example.org", "www.example.org", 443, False),
        ("example.org", "example.org.evil.test", 443, False),
        ("example.org", "notexample.org", 443, False),
        (".example.org", "www.example.org", 443, True),
        ("*.example.org", "a.b.example.org", 443, True),
        (".example.org", "example.org", 443, True),
        (".example.org", "notexample.org", 443, False),
        ("example.org:443", "example.org", 443, True),
        ("example.org:443", "example.org", 22, False),
        ("10.0.0.1", "10.0.0.1", 80, True),
        ("10.0.0.1", "10.0.0.10", 80, False),
        ("::1", "::1", 80, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("[2001:db8::1]:443", "2001:db8::1", 444, False),
    ],
)
@pytest.mark.parametrize("mode", [Mode.PROXY_ONLY, Mode.LOCK])
def test_an_entry_of_the_allow_list_covers_what_it_says(mode: Mode, entry: str, host: str, port: int, allowed: bool):
    verdict = law(mode, entry).judge(Destination(host, port))
    assert verdict is (Verdict.ALLOWED if allowed else Verdict.REFUSED)


@pytest.mark.parametrize("entry", ["", "*", ".", "https://example.org", "example.org/x", "a b", "*.*.org", "x:99999"])
def test_an_entry_that_means_nothing_is_refused(entry: str):
    with pytest.raises(SettingsError, match="is no host for --egress-allow"):
        rules([entry])


def test_the_gateway_is_one_port_under_all_names_of_this_machine():
    held = law(Mode.LOCK)
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2", "a.localhost"):
        assert held.judge(Destination(host, 4000)) is Verdict.GATEWAY
        assert held.judge(Destination(host, 4001)) is Verdict.REFUSED
    far = law(Mode.PROXY_ONLY, gateway=Destination("gpu-box", 4000))
    assert far.judge(Destination("127.0.0.1", 4000)) is Verdict.REFUSED


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0", "fe80::1%2"])
def test_a_name_must_not_lead_back_to_this_machine(address: str):
    named = Destination("rebound.test", 80)
    assert not law(Mode.LOCK, "rebound.test").may_reach(named, address)
    assert law(Mode.AUDIT).may_reach(named, address)
    assert law(Mode.LOCK, "rebound.test").may_reach(named, "192.0.2.1")


def test_an_address_that_was_named_itself_may_be_reached():
    assert law(Mode.LOCK, "127.0.0.1:9000").may_reach(Destination("127.0.0.1", 9000), "127.0.0.1")
