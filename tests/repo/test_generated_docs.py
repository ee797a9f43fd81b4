"""The pages that are made from the code are as the code would make them now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GENERATE = Path(__file__).resolve().parents[2] / "docs" / "generate.py"


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(GENERATE), *arguments], capture_output=True, text=True, timeout=60)


def test_generated_pages_are_fresh() -> None:
    done = generate("--check")
    assert done.returncode == 0, done.stderr


def test_a_stale_page_is_found_and_mended(tmp_path: Path) -> None:
    page = tmp_path / "reference" / "settings.md"
    assert generate("--into", str(tmp_path)).returncode == 0
    page.write_text(page.read_text(encoding="utf-8") + "edited by hand\n", encoding="utf-8")
    done = generate("--check", "--into", str(tmp_path))
    assert done.returncode == 1
    assert "reference/settings.md is stale" in done.stderr
    assert "schema" not in done.stderr
    assert page.read_text(encoding="utf-8").endswith("edited by hand\n")
    assert generate("--into", str(tmp_path)).stdout == "wrote reference/settings.md\n"
    assert generate("--check", "--into", str(tmp_path)).returncode == 0
