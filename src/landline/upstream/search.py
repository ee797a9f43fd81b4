"""Asks a search service: a SearXNG, or a program of the user's own. Knows nothing of who asked or what may be shown.

The query is a model's text and the answer a stranger's: a program is never run through a shell and gets no key of
ours in its environment; what comes back is bounded in size and time, and read as JSON only.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from landline.core.searches import Found
from landline.errors import LandlineError
from landline.upstream.child_processes import end, start
from landline.upstream.client import UpstreamClient

OUTPUT_LIMIT = 1024 * 1024
TEXT_LIMIT = 2_000  # characters of one result's text
NAME_LIMIT = 300
URL_LIMIT = 2_000
# With a backslash, an escape or a user name before the path, a client may understand another host than
# `policy/searching.py` judged.
_ADDRESS = re.compile(r"https?://[^\s/?#\\@%]+(?:[/?#]\S*)?")
PLACE = "{query}"
# What a program needs to start, and how it reaches the network. Nothing else of our environment: it holds keys.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")


class SearchFailed(Exception):
    """No results, for a reason in constant words: neither the query nor what the service said."""


class Searcher(Protocol):
    async def search(self, query: str) -> list[Found]:
        """What was found, best first. Raises SearchFailed."""
        ...


class _Result(Struct, frozen=True):
    """SearXNG says `content` and `publishedDate`, other programs `text` or `snippet`."""

    url: str | None = None
    title: str | None = None
    text: str | None = None
    content: str | None = None
    snippet: str | None = None
    publishedDate: str | None = None


class _Results(Struct, frozen=True):
    results: list[_Result] | None = None


_read = msgspec.json.Decoder(list[_Result] | _Results).decode


class SearxSearcher:
    """`url` is the base of a SearXNG whose settings allow the format json."""

    def __init__(self, url: str, *, client: UpstreamClient, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._client = client
        self._timeout_s = timeout_s

    async def search(self, query: str) -> list[Found]:
        address = f"{self._url}/search?{urlencode({'q': query, 'format': 'json'})}"
        try:
            status, body = await self._client.get(address, {"accept": "application/json"}, timeout_s=self._timeout_s)
        except LandlineError as error:
            raise SearchFailed("the search service did not answer") from error
        if status == 403:
            raise SearchFailed("the search service refuses JSON: add `json` to search.formats in its settings.yml")
        if status != 200:
            raise SearchFailed(f"the search service answered with status {status}")
        return read_results(body)


class CommandSearcher:
    """`command` is a program with its arguments; the query stands where one of them says {query}, else at the end."""

    def __init__(self, command: Sequence[str], *, timeout_s: float, environ: Mapping[str, str] | None = None) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        known = os.environ if environ is None else environ
        names = (*PASSED_ON, *map(str.lower, PASSED_ON))
        self._environ = {name: known[name] for name in names if name in known}

    async def search(self, query: str) -> list[Found]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return read_results(await self._run(arguments(self._command, query)))
        except TimeoutError:
            raise SearchFailed("the search command did not end in time (search.timeout_s)") from None
        except (OSError, ValueError):
            raise SearchFailed("the search command cannot be run: is search.command right?") from None

    async def _run(self, command: list[str]) -> bytes:
        process = await start(command, environ=self._environ)
        try:
            assert process.stdout is not None
            output = await _all_of(process.stdout)
            if await process.wait():
                raise SearchFailed(f"the search command ended with exit code {process.returncode}")
            return output
        finally:
            await end(process)


async def _all_of(stream: asyncio.StreamReader) -> bytes:
    output = bytearray()
    while piece := await stream.read(65_536):
        output += piece
        if len(output) > OUTPUT_LIMIT:
            raise SearchFailed("the search command printed more than 1 MiB")
    return bytes(output)


def arguments(command: Sequence[str], query: str) -> list[str]:
    """The command for one query. An argument must not begin with a dash of the query's: it would be an option."""
    query = query.replace("\0", " ")
    safe = f" {query}" if query.startswith("-") else query
    if not any(PLACE in argument for argument in command[1:]):
        return [*command, safe]
    return [
        command[0],
        *(argument.replace(PLACE, safe if argument.startswith(PLACE) else query) for argument in command[1:]),
    ]


def read_results(body: bytes) -> list[Found]:
    """Results with an address and a title, cut to what a model can use. Raises SearchFailed."""
    if len(body) > OUTPUT_LIMIT:
        raise SearchFailed("the search service answered with more than 1 MiB")
    try:
        read: list[_Result] | _Results = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SearchFailed("the search service answered with something else than JSON results") from None
    results: list[_Result] = (read.results or []) if isinstance(read, _Results) else read
    return [found for found in map(_found, results) if found is not None]


def _found(result: _Result) -> Found | None:
    url = (result.url or "").strip()
    if len(url) > URL_LIMIT or not url.isprintable() or not _ADDRESS.fullmatch(url):
        return None
    text = result.text or result.content or result.snippet or ""
    title = "".join(char for char in " ".join((result.title or "").split()) if char.isprintable())[:NAME_LIMIT] or url
    return Found(url, title, text.strip()[:TEXT_LIMIT], (result.publishedDate or "")[:40])


def searcher(*, url: str, command: Sequence[str], timeout_s: float, client: UpstreamClient) -> Searcher | None:
    """The configured one; a command counts more than an address. None: nothing is configured."""
    if command:
        return CommandSearcher(command, timeout_s=timeout_s)
    return SearxSearcher(url, client=client, timeout_s=timeout_s) if url else None
