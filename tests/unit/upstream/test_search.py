"""Search services: what is sent to them, and what is believed of their answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from landline.core.searches import Found
from landline.upstream.client import UpstreamClient
from landline.upstream.search import CommandSearcher, SearchFailed, SearxSearcher, arguments, read_results, searcher
from tests.fakes.upstream import Request, Step, Upstream, json_answer


@pytest.mark.parametrize(
    ("command", "query", "run"),
    [
        (["find"], "a b", ["find", "a b"]),
        (["find", "--json", "{query}", "-x"], "a; rm -rf /", ["find", "--json", "a; rm -rf /", "-x"]),
        (["find", "q={query}&n=3"], "a", ["find", "q=a&n=3"]),
        (["find"], "--output=/etc/passwd", ["find", " --output=/etc/passwd"]),
        (["find", "{query}"], "-x", ["find", " -x"]),
        (["find", "q={query}"], "-x", ["find", "q=-x"]),
        (["find"], "a\0b", ["find", "a b"]),
        (["find", "{query}"], "{query}", ["find", "{query}"]),
    ],
)
def test_the_query_is_one_argument_and_never_an_option(command: list[str], query: str, run: list[str]) -> None:
    assert arguments(command, query) == run


@pytest.mark.parametrize("shape", [lambda found: found, lambda found: {"results": found, "number_of_results": 9}])
def test_results_are_read_in_the_shapes_that_services_have(shape: object) -> None:
    found = [
        {"url": "https://a.example/", "title": " A \n page ", "content": " words ", "publishedDate": "2026-01-02"},
        {"url": "http://b.example", "snippet": "x" * 9_000, "title": None},
        {"url": "javascript:alert(1)", "title": "no address"},
        {"url": "https://c.example/ x", "title": "two lines"},
        {"title": "nothing"},
    ]
    assert callable(shape)
    first, second = read_results(json.dumps(shape(found)).encode())
    assert first == Found("https://a.example/", "A page", "words", "2026-01-02")
    assert (second.title, len(second.text)) == ("http://b.example", 2_000)


@pytest.mark.parametrize(
    "url",
    [
        "https://blocked.example\\@fine.example/",  # browsers go to the first, RFC 3986 says the second
        "https://%62locked.example/",
        "https://fine.example@blocked.example/",
        "https://fine.example/\x1b[2J",
    ],
)
def test_addresses_whose_host_is_read_in_two_ways_are_left_out(url: str) -> None:
    assert read_results(json.dumps([{"url": url, "title": "x"}]).encode()) == []


def test_a_title_cannot_steer_a_terminal() -> None:
    [found] = read_results(b'[{"url": "https://x.example/a?b=%40@c", "title": "a\\u001b]0;b\\u0007 c"}]')
    assert found == Found("https://x.example/a?b=%40@c", "a]0;b c")


@pytest.mark.parametrize("body", [b"", b"<html>", b"3", b'[{"url": 3}]', b"[" * 9_999, b"[" + b" " * 2**20 + b"]"])
def test_anything_else_is_a_failure(body: bytes) -> None:
    with pytest.raises(SearchFailed):
        read_results(body)


async def test_a_command_sees_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDLINE_BACKEND_KEY", "secret-key")
    script = 'test -n "$PATH" && printf \'[{"url": "https://x.example", "title": "%s"}]\' "$LANDLINE_BACKEND_KEY"'
    [found] = await CommandSearcher(("sh", "-c", script), timeout_s=5).search("q")
    assert found.title == "https://x.example"


async def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    script = f"(sleep 0.6; touch {file}) & sleep 9"
    with pytest.raises(SearchFailed, match="in time"):
        await CommandSearcher(("sh", "-c", script), timeout_s=0.1).search("q")
    await asyncio.sleep(0.8)
    assert not file.exists()


async def test_a_command_that_is_given_up_while_it_starts_is_ended_with_its_children(tmp_path: Path) -> None:
    for steps in range(10):
        script = f"(sleep 0.3; touch {tmp_path / str(steps)}) & sleep 9"
        task = asyncio.create_task(CommandSearcher(("sh", "-c", script), timeout_s=5).search("q"))
        for _ in range(steps):
            await asyncio.sleep(0)
        time.sleep(0.03)  # a busy loop: the program is further than we know
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.sleep(0.4)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(connect_timeout_s=1, idle_timeout_s=1)
    yield client
    client.close()


async def test_searxng_is_asked_for_json(client: UpstreamClient) -> None:
    def answer(request: Request) -> list[Step]:
        asked = parse_qs(urlsplit(request.path).query) or parse_qs(request.query)
        assert asked == {"q": ["a & b"], "format": ["json"]}
        return json_answer(200, {"results": [{"url": "https://a.example", "title": "A"}]})

    async with Upstream(answer) as server:
        found = await SearxSearcher(server.url + "/", client=client, timeout_s=2).search("a & b")
        assert [page.url for page in found] == ["https://a.example"]


@pytest.mark.parametrize(("status", "told"), [(403, "search.formats"), (500, "status 500")])
async def test_what_searxng_refuses_is_told(client: UpstreamClient, status: int, told: str) -> None:
    async with Upstream(lambda _: json_answer(status, {})) as server:
        with pytest.raises(SearchFailed, match=told):
            await SearxSearcher(server.url, client=client, timeout_s=2).search("q")


async def test_searxng_that_is_gone_is_told(client: UpstreamClient) -> None:
    with pytest.raises(SearchFailed, match="did not answer"):
        await SearxSearcher("http://127.0.0.1:9", client=client, timeout_s=2).search("q")


def test_a_command_counts_more_than_an_address(client: UpstreamClient) -> None:
    assert searcher(url="", command=(), timeout_s=1, client=client) is None
    assert isinstance(searcher(url="http://x", command=(), timeout_s=1, client=client), SearxSearcher)
    assert isinstance(searcher(url="http://x", command=("a",), timeout_s=1, client=client), CommandSearcher)
