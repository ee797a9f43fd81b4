"""The flags, variables and parsers of vLLM's releases, read out of their wheels without running them.

    uv run python -m tests.golden.vllm_flags WHEEL...

writes vllm_flags.toml, one table per wheel. A wheel comes from `pip download --no-deps vllm==0.33.0` (340 MB). Flags
are the names in calls of add_argument, and the fields of the classes that vLLM makes flags of.
"""

from __future__ import annotations

import ast
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).parent / "vllm_flags.toml"
SOURCES = re.compile(r"vllm/engine/arg_utils\.py|vllm/entrypoints/\w+/cli_args\.py")
VARIABLES = "vllm/envs.py"
PARSERS = {"tool_parsers": "vllm/tool_parsers/__init__.py", "reasoning_parsers": "vllm/reasoning/__init__.py"}
_FIELDS_ARE_FLAGS = {"BaseFrontendArgs", "FrontendArgs"}


def flags_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield from (word for word in words if word.startswith("--"))
        if isinstance(node, ast.ClassDef) and node.name in _FIELDS_ARE_FLAGS:
            fields = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
            yield from (f"--{one.id.replace('_', '-')}" for one in fields if isinstance(one, ast.Name))


def variables_in(source: str) -> set[str]:
    return set(re.findall(r'^    "(VLLM_\w+)":', source, re.MULTILINE))


def parsers_in(source: str) -> set[str]:
    """The names of the table of parsers that are loaded when they are asked for."""
    tables = [node.value for node in ast.parse(source).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    keys = [key for table in tables if isinstance(table, ast.Dict) for key in table.keys]
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def read_wheel(path: Path) -> str:
    version = path.name.split("-")[1]
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if SOURCES.fullmatch(name)]
        flags = {flag for name in names for flag in flags_in(wheel.read(name).decode())}
        variables = variables_in(wheel.read(VARIABLES).decode())
        parsers = {kind: parsers_in(wheel.read(name).decode()) for kind, name in PARSERS.items()}
    lines = [f'["{version}"]', *_array("flags", sorted(flags)), *_array("variables", sorted(variables))]
    lines += [line for kind, names in parsers.items() for line in _array(kind, sorted(names))]
    return "\n".join(lines) + "\n"


def _array(name: str, values: list[str]) -> Iterator[str]:
    yield f"{name} = ["
    yield from (f'  "{value}",' for value in values)
    yield "]"


if __name__ == "__main__":
    head = "# Written by `uv run python -m tests.golden.vllm_flags WHEEL...`; names only.\n"
    FILE.write_text("\n".join([head, *map(read_wheel, map(Path, sorted(sys.argv[1:])))]), encoding="utf-8")
