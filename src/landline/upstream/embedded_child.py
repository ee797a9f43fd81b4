"""The child process that holds the embedded model: `python -P -m landline.upstream.embedded_child OPTIONS`.

Writes one JSON line to stdout when it listens, or when it failed, and lives until its stdin closes or a signal ends it.
Started by `embedded.py` only; must not know anything of the gateway.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import msgspec

# llama.cpp's level 1 is errors only. They are what explains a failed start; after it, stderr is closed.
ERRORS_ONLY = 1
PROMPT_CACHE_MIB = 256


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    weights: str
    model: str
    window: int
    threads: int
    parallel: int


def main(arguments: list[str]) -> None:
    options = msgspec.json.decode(arguments[0], type=Options)
    try:
        # The name keeps the server alive: it stops when the object is dropped.
        server: Any = import_module("xllamacpp").Server(_parameters(options))
        answer = {"url": server.listening_address}
    except (ImportError, RuntimeError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    sys.stdout.flush()
    if "url" in answer:
        _be_quiet()
        sys.stdin.buffer.read()
    # Not a normal exit: that one hangs while a request runs.
    os._exit(0 if "url" in answer else 1)


def _parameters(options: Options) -> Any:
    """What `llama-server` would get as flags. The library has no types to check against."""
    parameters: Any = import_module("xllamacpp").CommonParams()
    parameters.verbosity = ERRORS_ONLY
    parameters.model.path = options.weights
    parameters.model_alias = {options.model}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    # The context is divided over the slots.
    parameters.n_ctx = options.window * options.parallel
    parameters.n_parallel = options.parallel
    parameters.cpuparams.n_threads = options.threads
    parameters.cpuparams_batch.n_threads = options.threads
    parameters.n_gpu_layers = 0
    parameters.use_jinja = True
    parameters.endpoint_metrics = True
    parameters.endpoint_slots = True
    # Prompts of finished conversations are kept in memory for reuse; the default would keep 8 GiB of them.
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    # No page of its own, and no leave for pages of other sites to read answers of this port.
    parameters.ui = False
    parameters.cors_origins = ""
    return parameters


def _be_quiet() -> None:
    """From now on nothing of the library may appear between the lines of whoever started this."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


if __name__ == "__main__":
    main(sys.argv[1:])
