"""Starts vLLM, tells it what to say, and reads its own counters."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vllm.installed import WINDOW

HERE = Path(__file__).resolve().parent
START_S = 300.0
SERVED = "tiny"
PARSERS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3")
BLOCK = 128  # tokens of one block of the prefix cache on the CPU
_COUNTER = re.compile(r"^(vllm:[a-z_]+)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Prefilled:
    """Tokens of prompts so far, by vLLM's own counters."""

    asked: int
    cached: int

    @property
    def computed(self) -> int:
        return self.asked - self.cached

    def since(self, before: Prefilled) -> Prefilled:
        return Prefilled(self.asked - before.asked, self.cached - before.cached)


@dataclass(frozen=True)
class Vllm:
    url: str
    rules: Path

    def say(self, *rules: tuple[str, str]) -> None:
        """What the model writes from now on: (what the end of the prompt matches, the text), the first match wins."""
        self.rules.write_text(json.dumps([{"match": match, "say": say} for match, say in rules]))

    def prefilled(self) -> Prefilled:
        found: dict[str, int] = {}
        for name, value in _COUNTER.findall(self.call("/metrics").decode()):
            found[name] = found.get(name, 0) + int(float(value))
        return Prefilled(found["vllm:prefix_cache_queries_total"], found["vllm:prefix_cache_hits_total"])

    def forget_prompts(self) -> None:
        """Empties the prefix cache."""
        self.call("/reset_prefix_cache", b"")

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return json.loads(self.call(path, json.dumps(body).encode()))

    def call(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


@contextmanager
def running(
    python: Path, model: Path, scratch: Path, *, parsers: Sequence[str] = PARSERS, arguments: Sequence[str] = ()
) -> Iterator[Vllm]:
    """vLLM on a free port, until the end of the block."""
    rules, log, port = scratch / "rules.json", scratch / "vllm.log", _free_port()
    rules.write_text("[]")
    environment = {
        **os.environ,
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_SERVER_DEV_MODE": "1",  # for /reset_prefix_cache
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(HERE),
        "LANDLINE_TEST_RULES": str(rules),
    }
    command = [
        *(str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--load-format", "dummy", "--dtype", "bfloat16", "--enforce-eager", "--served-model-name", SERVED),
        *("--max-model-len", str(WINDOW), "--max-num-seqs", "8", "--enable-prompt-tokens-details"),
        "--enable-server-load-tracking",
        *parsers,
        *("--logits-processors", "scripted_logits:Scripted", "--host", "127.0.0.1", "--port", str(port)),
        *arguments,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=scratch, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        server = Vllm(f"http://127.0.0.1:{port}", rules)
        _wait(server, process, log)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(server: Vllm, process: subprocess.Popen[bytes], log: Path) -> None:
    began = time.monotonic()
    while time.monotonic() - began < START_S:
        if process.poll() is not None:
            break
        try:
            server.call("/health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"vLLM did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
