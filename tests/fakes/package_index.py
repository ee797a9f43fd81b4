"""A package index that is a folder, and the wheels in it: uv and pip install from it without any network."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest


def only_index(parent: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the only index that uv and pip know of, for the length of the test."""
    folder = parent / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_CACHE_DIR": str(parent / "uv-cache"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
    }.items():
        monkeypatch.setenv(name, value)
    return folder


def build_wheel(folder: Path, *, name: str, version: str, files: dict[str, bytes], requires: str = "") -> None:
    """Write a wheel for every platform, its files executable; `requires` names one dependency."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = files | {f"{info}/METADATA": metadata.encode(), f"{info}/WHEEL": tag.encode()}
    whole[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*whole, f"{info}/RECORD"]).encode()
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in whole.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, content)
