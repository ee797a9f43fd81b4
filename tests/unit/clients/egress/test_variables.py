from __future__ import annotations

import pytest

from landline.clients.egress.destinations import Destination
from landline.clients.egress.variables import leading_to, users_proxies

FAR = Destination("example.org", 443)


def test_a_proxy_with_its_password():
    found = users_proxies({"HTTPS_PROXY": "http://me:p%40ss@proxy.corp:3128"})
    assert found.https is not None
    assert (found.https.at, found.https.credential) == (Destination("proxy.corp", 3128), "me:p@ss")
    assert found.http is None
    assert found.has_credential
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(
    ("environ", "https", "http"),
    [
        ({}, "", ""),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "a", ""),
        ({"ALL_PROXY": "http://a:1"}, "a", "a"),
        ({"HTTP_PROXY": "a:1", "all_proxy": "http://b:1"}, "b", "a"),
        ({"HTTPS_PROXY": "", "https_proxy": ""}, "", ""),
        ({"HTTPS_PROXY": "https://a"}, "a", ""),
    ],
)
def test_which_variable_counts(environ: dict[str, str], https: str, http: str):
    found = users_proxies(environ)
    assert [one.at.host if one else "" for one in (found.https, found.http)] == [https, http]
    assert found.unusable == ""


@pytest.mark.parametrize("text", ["socks5://a:1080", "socks5h://a:1", "http://", "http://a:b", "http://a b:1"])
def test_a_proxy_that_ours_cannot_go_through_is_named(text: str):
    found = users_proxies({"ALL_PROXY": text})
    assert (found.https, found.http, found.unusable) == (None, None, "ALL_PROXY")


@pytest.mark.parametrize(
    ("no_proxy", "straight"),
    [
        ("", False),
        ("*", True),
        ("example.org", True),
        (".org", True),
        ("*.example.org", True),
        ("ple.org", False),
        ("www.example.org", False),
        (" other.test , EXAMPLE.ORG ", True),
        ("example.org:443", True),
        ("example.org:80", False),
        ("10.0.0.0/8", False),
        ("not/a/network", False),
    ],
)
def test_exceptions_are_the_users_own(no_proxy: str, straight: bool):
    found = users_proxies({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": no_proxy})
    assert (found.towards(FAR, tunnel=True) is None) is straight


def test_exceptions_for_addresses_and_for_this_machine():
    found = users_proxies({"ALL_PROXY": "http://proxy:1", "no_proxy": "10.0.0.0/8,2001:db8::1"})
    straight = {
        host: found.towards(Destination(host, 80), tunnel=False) is None
        for host in ("10.1.2.3", "11.1.2.3", "2001:db8::1", "localhost", "127.0.0.5", "::1")
    }
    assert [host for host, is_so in straight.items() if not is_so] == ["11.1.2.3"]


def test_what_leads_to_ours_keeps_this_machine_out_of_it():
    env = leading_to(4711, credential="landline:t", exceptions=["gpu-box"])
    assert env["HTTPS_PROXY"] == env["all_proxy"] == "http://landline:t@127.0.0.1:4711"
    assert env["NO_PROXY"] == env["no_proxy"] == "gpu-box,127.0.0.1,localhost,::1"
    assert env["NODE_USE_ENV_PROXY"] == "1"
