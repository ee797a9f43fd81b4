"""The embedded model, really running: what the gateway relies on, and that it always ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from landline.errors import LandlineError
from landline.upstream.embedded import EmbeddedModel, default_threads, start_embedded
from tests.fixtures_real import MODEL_WINDOW

pytestmark = pytest.mark.embedded

TOOLS = [{"type": "function", "function": {"name": "look", "description": "Look", "parameters": {"type": "object"}}}]
QUESTION = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Say hello."}]
CONVERSATION = [
    *QUESTION,
    {"role": "assistant", "content": "Hello!"},
    {"role": "system", "content": "Reminder: be kind."},
    {"role": "user", "content": "Grüße 🎉"},
]


def call(url: str, method: str, path: str, body: object = None) -> tuple[int, str]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def stream(url: str, **fields: object) -> list[dict[str, Any]]:
    body = {"stream": True, "stream_options": {"include_usage": True}, "temperature": 0, **fields}
    status, text = call(url, "POST", "/v1/chat/completions", body)
    assert status == 200, text
    assert text.rstrip().endswith("data: [DONE]")
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def is_gone(url: str) -> bool:
    """Whether nobody listens any more. (The process id says less: it stays until somebody reaps the process.)"""
    address = urlsplit(url)
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address.hostname, address.port)) != 0


def wait_until_gone(url: str, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_gone(url):
        assert time.monotonic() < deadline, f"the model at {url} still runs"
        time.sleep(0.02)


def test_serves_what_it_says(embedded_model: EmbeddedModel) -> None:
    assert embedded_model.url.startswith("http://127.0.0.1:")
    assert call(embedded_model.url, "GET", "/health") == (200, '{"status":"ok"}')
    status, text = call(embedded_model.url, "GET", "/v1/models")
    assert status == 200
    assert [model["id"] for model in json.loads(text)["data"]] == [embedded_model.model]
    status, text = call(embedded_model.url, "GET", "/props")
    assert json.loads(text)["default_generation_settings"]["n_ctx"] == embedded_model.window == MODEL_WINDOW
    slots = json.loads(call(embedded_model.url, "GET", "/slots")[1])
    assert [slot["n_ctx"] for slot in slots] == [MODEL_WINDOW, MODEL_WINDOW]
    assert call(embedded_model.url, "GET", "/metrics")[0] == 200


def test_answers_in_a_stream_with_usage(embedded_model: EmbeddedModel) -> None:
    chunks = stream(embedded_model.url, messages=QUESTION, max_tokens=8)
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    assert "Hello" in text
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens"] == 21
    assert chunks[-1]["usage"]["completion_tokens"] == 8
    assert chunks[-1]["timings"]["predicted_per_second"] > 0


@pytest.mark.parametrize("fields", [{"messages": QUESTION, "tools": TOOLS}, {"messages": CONVERSATION}])
def test_tokens_are_counted_exactly(embedded_model: EmbeddedModel, fields: dict[str, object]) -> None:
    _, counted = call(embedded_model.url, "POST", "/v1/chat/completions/input_tokens", fields)
    usage = stream(embedded_model.url, max_tokens=1, **fields)[-1]["usage"]
    assert json.loads(counted)["input_tokens"] == usage["prompt_tokens"]


def test_an_overlong_prompt_is_an_http_error_also_in_a_stream(embedded_model: EmbeddedModel) -> None:
    messages = [{"role": "user", "content": "word " * (MODEL_WINDOW + 100)}]
    status, text = call(embedded_model.url, "POST", "/v1/chat/completions", {"messages": messages, "stream": True})
    error = json.loads(text)["error"]
    assert status == 400
    assert error["type"] == "exceed_context_size_error"
    assert error["n_ctx"] == MODEL_WINDOW
    assert error["n_prompt_tokens"] > MODEL_WINDOW


def test_pages_of_other_sites_may_not_read_it(embedded_model: EmbeddedModel) -> None:
    connection = HTTPConnection(urlsplit(embedded_model.url).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/slots", headers={"Origin": "https://example.invalid"})
        answer = connection.getresponse()
        assert answer.headers.get("Access-Control-Allow-Origin", "") == ""


async def test_loading_leaves_the_event_loop_turning(weights: Path) -> None:
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    beating = asyncio.create_task(beat())
    model = await asyncio.to_thread(start_embedded, weights, window=512, threads=1)
    beating.cancel()
    model.close()
    assert longest < 0.25
    wait_until_gone(model.url)


@pytest.fixture
def busy(weights: Path) -> Iterator[tuple[EmbeddedModel, HTTPConnection]]:
    """A model of its own in the middle of a long prompt."""
    model = start_embedded(weights, window=MODEL_WINDOW, threads=1)
    connection = HTTPConnection(urlsplit(model.url).netloc, timeout=30)
    with contextlib.closing(connection):
        body = {"messages": [{"role": "user", "content": "word " * 3500}], "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        assert connection.getresponse().status == 200, "the answer is committed before the prompt is read"
        yield model, connection
    model.close()


def test_close_ends_it_in_the_middle_of_a_request(busy: tuple[EmbeddedModel, HTTPConnection]) -> None:
    model, _ = busy
    start = time.monotonic()
    model.close()
    model.close()
    assert time.monotonic() - start < 2
    assert is_gone(model.url)


OWNER = """
import os, pathlib, sys, time
from landline.upstream.embedded import start_embedded
model = start_embedded(pathlib.Path(sys.argv[1]), window=512, threads=1)
print(model.url, flush=True)
ENDING
"""


@pytest.mark.parametrize(
    ("ending", "sent", "code"),
    [
        ("model.close(); sys.exit(5)", None, 5),
        ("sys.exit(0)", None, 0),
        ("os._exit(3)", None, 3),
        ("time.sleep(60)", signal.SIGINT, -signal.SIGINT),
        ("time.sleep(60)", signal.SIGKILL, -signal.SIGKILL),
    ],
    ids=["closed", "forgotten", "no-exit-handlers", "ctrl-c", "killed"],
)
def test_it_ends_with_its_owner(weights: Path, ending: str, sent: signal.Signals | None, code: int) -> None:
    command = [sys.executable, "-c", OWNER.replace("ENDING", ending), str(weights)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        if sent is not None:
            owner.send_signal(sent)
        _, errors = owner.communicate(timeout=10)
        assert owner.returncode == code
        assert "llama" not in errors
    wait_until_gone(url)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"hello")
    with pytest.raises(LandlineError, match=r"did not start: .*GGUF") as caught:
        start_embedded(broken, window=512, threads=1)
    assert str(broken) in caught.value.hint


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(LandlineError, match="weights of the embedded model are not at"):
        start_embedded(tmp_path / "none.gguf", window=512, threads=1)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.upstream.embedded.find_spec", lambda _name: None)
    with pytest.raises(LandlineError, match="xllamacpp") as caught:
        start_embedded(tmp_path / "none.gguf", window=512, threads=1)
    assert "pip install 'landline[embedded]'" in caught.value.hint


@pytest.mark.parametrize(("cores", "threads"), [(None, 1), (1, 1), (2, 1), (8, 7)])
def test_one_core_is_left_free(monkeypatch: pytest.MonkeyPatch, cores: int | None, threads: int) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert default_threads() == threads
