"""The first thing that anybody runs: `landline demo`, and the verbs on the embedded model, as processes of their own.

A real model answers, through a real gateway, to a real client.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from landline.clients.install import ClientProgram
from tests.fixtures_real import CLAUDE_VERSIONS, real_cache

pytestmark = pytest.mark.embedded

RECEIPT = re.compile(
    r"  model +smollm2-135m-instruct\n"
    r"  context window +8,192 tokens\n"
    r"  prompt +(?P<prompt>\d+) tokens \(exact\), of them \d+ from the cache\n"
    r"  first token +after \d+\.\d\d s\n"
    r"  answer +(?P<answer>\d+) tokens, \d+ per second\n"
    r"  requests +(?P<requests>\d+)\n"
)


async def run(home: Path, *arguments: str, path: str = "", **variables: str) -> tuple[int, str, str]:
    """`python -m landline ...` with an empty home and this user's cache; exit code, standard output and error."""
    environ = {"PATH": path or os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": str(home)}
    environ |= {"XDG_CACHE_HOME": str(real_cache().parent), **variables}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "landline", *arguments),
        env=environ,
        cwd=home,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(90):
            out, error = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


async def test_the_demo_runs_the_real_client(
    tmp_path: Path, weights: Path, claude_programs: Mapping[str, ClientProgram]
) -> None:
    code, answer, told = await run(tmp_path, "demo", "--yes")
    assert code == 0, told
    assert "running Claude Code" in told
    assert len(answer.strip()) > 5
    receipt = RECEIPT.search(told)
    assert receipt, told
    assert int(receipt["prompt"]) > 30
    assert int(receipt["answer"]) > 2
    assert receipt["requests"] == "1"
    assert "landline launch claude --backend" in told
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # neither a client's file nor ours is left


async def test_the_demo_without_a_client_asks_plainly(tmp_path: Path, weights: Path) -> None:
    code, answer, told = await run(tmp_path, "demo", "--client", "none", "--prompt", "Say hello in one short sentence.")
    assert code == 0, told
    assert len(answer.strip()) > 5
    assert RECEIPT.search(told), told


async def test_the_demo_says_why_it_goes_on_without_a_client(tmp_path: Path, weights: Path) -> None:
    """Nobody to ask, and no --yes: nothing is installed."""
    cache = tmp_path / "cache" / "landline" / "weights"
    cache.mkdir(parents=True)
    (cache / weights.name).symlink_to(weights)
    variables = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    code, answer, told = await run(tmp_path, "demo", path=str(tmp_path), **variables)
    assert code == 0, told
    assert "Claude Code was not found and not installed (--yes does that)" in told
    assert len(answer.strip()) > 5


@pytest.mark.parametrize("version", CLAUDE_VERSIONS)
async def test_launch_on_the_embedded_model(
    tmp_path: Path, weights: Path, claude_programs: Mapping[str, ClientProgram], version: str
) -> None:
    """Both versions get a real answer; the exit code is the client's, the closing receipt counts its tokens."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").symlink_to(claude_programs[version].path)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    extra = '{"temperature":0}'
    code, answer, told = await run(
        tmp_path,
        *("launch", "claude", "--embedded", "--receipt", "--", "-p", "Say hello in one short sentence."),
        path=path,
        CLAUDE_CODE_SIMPLE="1",
        CLAUDE_CODE_EXTRA_BODY=extra,
        CLAUDE_CODE_MAX_OUTPUT_TOKENS="400",
        CLAUDE_CODE_TMPDIR=str(tmp_path),
    )
    assert code == 0, told
    assert f"Claude Code {version}" in told
    assert len(answer.strip()) > 5
    closing = re.search(r"(\d+) requests; ([\d,]+) prompt tokens, .* (\d+) answered", told)
    assert closing, told
    assert int(closing[2].replace(",", "")) > 30
    assert int(closing[3]) > 2
