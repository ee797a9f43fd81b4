"""Runs in vLLM's interpreter: its own parser reads launch lines: JSON lists of words in, its complaints out.

Imports nothing of ours, and starts no engine.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from importlib import import_module
from importlib.util import find_spec

from vllm import __version__  # pyright: ignore[reportMissingImports]
from vllm.utils.argparse_utils import FlexibleArgumentParser  # pyright: ignore[reportMissingImports]

# Where releases keep it: 0.33, 0.32, earlier ones.
HOMES = ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args", "vllm.entrypoints.openai.cli_args")


def make_parser() -> FlexibleArgumentParser:
    home = next(one for one in HOMES if _is_there(one))
    return import_module(home).make_arg_parser(FlexibleArgumentParser())


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor the package it would be in
        return False


def complaint(parser: FlexibleArgumentParser, words: list[str]) -> str:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            parser.parse_args(words)
        except SystemExit:
            return said.getvalue()[-500:] or "refused"
        except ValueError as error:
            return str(error)
    return ""


if __name__ == "__main__":
    reader = make_parser()
    complaints = [complaint(reader, words) for words in json.load(sys.stdin)]
    sys.stdout.write("\n" + json.dumps({"version": __version__, "complaints": complaints}) + "\n")
