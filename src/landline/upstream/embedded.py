"""The small model that runs without a server of the user's: llama.cpp through `xllamacpp`, in a child of this process.

A child, although the library can run inside our own process, because measured with xllamacpp 2026.10.11549: loading
holds the interpreter lock for its whole time (0.4 to 0.7 s in which no event loop turns), and neither stopping the
server nor leaving the interpreter comes to an end while a request runs (given up on after 6 s). A child is
simply ended. Must not know what the model is used for; `embedded_child.py` is what runs on the other side.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import msgspec

from landline.errors import ErrorKind, LandlineError

MODEL_NAME = "smollm2-135m-instruct"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 5.0
FIRST_WORDS = 300


class Ready(msgspec.Struct, frozen=True):
    """The one line that the child writes: where it listens, or why it does not."""

    url: str = ""
    error: str = ""


@dataclass(frozen=True)
class _Child:
    """The running child. It ends by itself when `lifeline` closes, also if this process is killed."""

    process: subprocess.Popen[bytes]
    lifeline: IO[bytes]

    def end(self) -> None:
        # Ended by signal, not asked: a normal stop does not come to an end while a request runs.
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.lifeline.close()


class EmbeddedModel:
    """A running embedded model. It ends with `close()`, and at the latest with this process, however that ends."""

    def __init__(self, child: _Child, *, url: str, model: str, window: int) -> None:
        self.url = url
        """Base URL on loopback, without /v1."""
        self.model = model
        self.window = window
        """Tokens of context that one request may fill, prompt and answer together."""
        self.pid = child.process.pid
        # Runs once: at close(), when the object is dropped, or at exit of the interpreter.
        self._end = weakref.finalize(self, child.end)

    def close(self) -> None:
        """Stop the model, in the middle of a request too. Calling it again does nothing."""
        self._end()


def start_embedded(weights: Path, *, window: int, threads: int, parallel: int = 1) -> EmbeddedModel:
    """Load the model and return when it answers. Blocks for about a second: call it with `asyncio.to_thread`.

    `window` is in tokens per request, `threads=0` means one less than the cores, `parallel` is how many requests run
    at once (each with a window of its own). Raises LandlineError when the library is missing or the model cannot be
    loaded.
    """
    if find_spec("xllamacpp") is None:
        raise LandlineError(
            ErrorKind.BACKEND_UNAVAILABLE,
            "The embedded model needs the package xllamacpp, which is not installed.",
            hint="Run `pip install 'landline[embedded]'`, or name a server of your own with --backend URL.",
        )
    if not weights.is_file():
        raise LandlineError(
            ErrorKind.BACKEND_UNAVAILABLE,
            f"The weights of the embedded model are not at {weights}.",
            hint="Run `landline demo`, which fetches them.",
        )
    options = {
        "weights": str(weights),
        "model": MODEL_NAME,
        "window": window,
        "threads": threads or default_threads(),
        "parallel": parallel,
    }
    child, ready, words = _start(json.dumps(options))
    if not ready.url:
        child.end()
        cause = " ".join([ready.error, words]).strip() or "it ended without a word"
        raise LandlineError(
            ErrorKind.BACKEND_UNAVAILABLE,
            f"The embedded model did not start: {cause}",
            hint=f"If the file is damaged, remove {weights} and run `landline demo` again; it needs 0.6 GB of memory.",
        )
    return EmbeddedModel(child, url=ready.url, model=MODEL_NAME, window=window)


def default_threads() -> int:
    """One less than the cores: with all of them, llama.cpp's spinning threads starve each other and everything else."""
    return max(1, (os.cpu_count() or 1) - 1)


def _start(options: str) -> tuple[_Child, Ready, str]:
    """Start the child and wait for its line. Returns the line, empty when none came, and the first words of stderr."""
    # -P: a folder named landline or a json.py where the user stands must not be imported instead of the real ones.
    command = [sys.executable, "-P", "-m", "landline.upstream.embedded_child", options]
    with tempfile.TemporaryFile() as errors:
        # A session of its own keeps the terminal's Ctrl-C from it: whoever started it decides when it ends.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        lifeline, answers = process.stdin, process.stdout
        assert lifeline is not None and answers is not None
        child = _Child(process, lifeline)
        deadline = threading.Timer(START_TIMEOUT_S, process.kill)
        deadline.daemon = True
        deadline.start()
        try:
            with answers:
                line = answers.readline()
        except BaseException:  # Ctrl-C while it loads: nobody else knows the child yet.
            child.end()
            raise
        finally:
            deadline.cancel()
        ready = msgspec.json.decode(line, type=Ready) if line.strip() else Ready()
        return child, ready, _first_words(errors)


def _first_words(errors: IO[bytes]) -> str:
    """The start of what it said: llama.cpp names the cause first and then each caller that failed of it."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    return " ".join(line.strip() for line in lines if line.strip())[:FIRST_WORDS]
