from __future__ import annotations

from http import HTTPStatus

import pytest

from landline.clients.egress.destinations import Destination
from landline.clients.egress.heads import Asked, Refusal, read_head, response


def asked(content: bytes, **options: str) -> Asked:
    found = read_head(content, **options)
    assert isinstance(found, Asked), found
    return found


def refused(content: bytes, **options: str) -> HTTPStatus:
    found = read_head(content, **options)
    assert isinstance(found, Refusal), found
    return found.status


def test_a_tunnel_passes_nothing_of_its_head_on():
    found = asked(b"CONNECT Example.org.:443 HTTP/1.1\r\nHost: example.org:443\r\nProxy-Authorization: Basic eDp5")
    assert (found.to, found.is_tunnel, found.head) == (Destination("example.org", 443), True, b"")


def test_a_plain_request_goes_on_for_the_host_of_its_line_alone():
    found = asked(
        b"POST http://example.org:8080/a?b=1 HTTP/1.1\r\nHost: other.test\r\nProxy-Authorization: Basic eDp5\r\n"
        b"Proxy-Connection: keep-alive\r\nConnection: keep-alive\r\nContent-Length: 3\r\nX: y"
    )
    assert found.to == Destination("example.org", 8080)
    assert found.head == (
        b"POST /a?b=1 HTTP/1.1\r\nHost: example.org:8080\r\nConnection: close\r\nContent-Length: 3\r\nX: y\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("target", "line", "port"),
    [("http://h", b"GET / ", 80), ("HTTP://h?q=/x", b"GET /?q=/x ", 80), ("http://[::1]:9/p", b"GET /p ", 9)],
)
def test_forms_of_an_address(target: str, line: bytes, port: int):
    found = asked(f"GET {target} HTTP/1.0".encode())
    assert found.head.startswith(line)
    assert found.to.port == port


def test_an_upgrade_stays_one():
    head = asked(b"GET http://h/ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade").head
    assert b"Connection: upgrade\r\nUpgrade: websocket" in head


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\r\n", b"GET / HTTP/1.1", b"GET https://example.org/ HTTP/1.1", b"GET ftp://example.org/ HTTP/1.1"),
        *(b"CONNECT example.org HTTP/1.1", b"CONNECT http://example.org:443 HTTP/1.1", b"CONNECT :443 HTTP/1.1"),
        *(b"CONNECT example.org:443", b"CONNECT  example.org:443 HTTP/1.1", b"CONNECT example.org:443 HTTP/2.0"),
        *(
            b"CONNECT a:443 HTTP/1.1\r\nX : y",
            b"CONNECT a:443 HTTP/1.1\r\n X: y",
            b"CONNECT a:443 HTTP/1.1\r\nX\x00: y",
        ),
        *(b"CONNECT a:443 HTTP/1.1\nX: y", b"GET http://a/\rb HTTP/1.1", b"GET http://a/ HTTP/1.1\r\nX: a\rb"),
        *(b"\x16\x03\x01\x02\x00\x01", b"GET http://user:pw@a/ HTTP/1.1", b"GET http://a:b:c/ HTTP/1.1"),
        *(b"CONNECT \xff\xfe:443 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET http:///x HTTP/1.1"),
    ],
)
def test_what_is_not_plainly_a_request_is_refused(content: bytes):
    assert refused(content) is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "header",
    [
        *("", "Proxy-Authorization: Basic eDp5", "Proxy-Authorization: Bearer bGFuZGxpbmU6dA=="),
        "Proxy-Authorization: Basic bGFuZGxpbmU6dA==\r\nProxy-Authorization: Basic eDp5",
    ],
)
def test_where_a_credential_is_wanted_it_must_be_that_one(header: str):
    line = b"CONNECT example.org:443 HTTP/1.1"
    wrong = line + (b"\r\n" + header.encode() if header else b"")
    assert refused(wrong, credential="landline:t") is HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    asked(line + b"\r\nproxy-authorization: Basic bGFuZGxpbmU6dA==", credential="landline:t")


def test_a_refusal_is_a_whole_answer_in_words():
    content = response(HTTPStatus.FORBIDDEN, "example.org:443 is not allowed")
    head, _, body = content.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body == b"landline: example.org:443 is not allowed\n"
