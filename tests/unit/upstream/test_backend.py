"""What is known about one server."""

from __future__ import annotations

import pytest

from landline.upstream.backend import Backend, BackendKind, ServedModel, base_url


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://host:8000", "http://host:8000"),
        ("http://host:8000/", "http://host:8000"),
        ("  http://host:8000/v1/ \n", "http://host:8000"),
        ("http://host:8000/v1", "http://host:8000"),
        ("http://host:8000/v1/v1", "http://host:8000"),
        ("http://host:8000/v1/chat/completions", "http://host:8000"),
        ("http://host:8000/v1/completions", "http://host:8000"),
        ("http://host:8000/v1/messages", "http://host:8000"),
        ("http://host:8000/v1/models/", "http://host:8000"),
        ("https://host/openai/v1", "https://host/openai"),
        ("host:8000", "http://host:8000"),
        ("host", "http://host"),
        ("[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
@pytest.mark.row("1.01")
def test_base_url(given: str, base: str) -> None:
    assert base_url(given) == base
    assert base_url(base) == base


def test_the_configured_window_is_believed_before_all() -> None:
    backend = Backend("host", window=1000)
    backend.models = (ServedModel("m", 4000),)
    backend.learn_window("m", 8000)
    assert backend.window("m") == 1000


def test_an_overflow_teaches_a_window_that_nobody_told() -> None:
    backend = Backend("host")
    backend.models = (ServedModel("m"), ServedModel("n", 50))
    backend.learn_window("m", 8000)
    backend.learn_window("n", 8000)
    backend.learn_window("m", 9000)
    assert (backend.window("m"), backend.window("n"), backend.window("unknown")) == (8000, 50, 0)


def test_estimates_follow_what_was_counted() -> None:
    backend = Backend("host")
    before = backend.estimate_tokens(8200)
    backend.learn_size(100, 50)  # small requests are mostly template
    assert backend.estimate_tokens(8200) == before
    for _ in range(40):
        backend.learn_size(3000, 1000)
    assert backend.estimate_tokens(3000) == pytest.approx(1000, abs=2)
    assert backend.estimate_tokens(0) == 1


def test_the_key_goes_where_the_protocol_wants_it() -> None:
    assert Backend("host", key="k").headers == {"authorization": "Bearer k"}
    assert Backend("host", key="k", native=True).headers == {"x-api-key": "k"}
    assert Backend("host").headers == {}
    assert Backend("host", native=True).kind is BackendKind.ANTHROPIC
