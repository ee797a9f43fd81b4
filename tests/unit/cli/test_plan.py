"""`landline plan`: what it prints, how it ends, and what it says to wrong words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from landline.cli.main import cli
from landline.planner.catalogue import Precision
from tests.unit.planner.test_model_config import LLAMA

QWEN = "Qwen/Qwen3.6-27B"
SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "plan.schema.json"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings but those of the test, no cache of the hub, and no hub."""
    monkeypatch.setenv("LANDLINE_CONFIG", str(tmp_path / "landline.toml"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "landline.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["plan", *arguments])


def test_a_plan_is_a_script() -> None:
    done = plan(QWEN, "--gpu", "RTX5090")
    assert done.exit_code == 0, done.output
    head, *_ = done.stdout.splitlines()
    assert head == f"# {QWEN} on 1 x RTX 5090 (31.8 GiB): 131,072 tokens, 1.2 sessions of that length at once"
    assert "\nvllm serve nvidia/Qwen3.6-27B-NVFP4 \\\n" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("form", ["compose", "systemd", "kubernetes"])
def test_other_formats(form: str) -> None:
    done = plan(QWEN, "--gpu", "H100x2", "--format", form, "--sessions", "3")
    assert done.exit_code == 0
    assert "priority" in done.stdout


def test_json_keeps_to_its_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    fits = plan(QWEN, "--gpu", "RTX5090", "--json")
    refused = plan("zai-org/GLM-4.7", "--gpu", "RTX4090", "--json")
    for done in (fits, refused):
        jsonschema.validate(json.loads(done.stdout), schema)
    assert (fits.exit_code, refused.exit_code) == (0, 1)
    assert json.loads(refused.stdout)["fits"] is False
    assert json.loads(refused.stdout)["offers"]
    told = json.loads(fits.stdout)
    assert all({"name", "value", "unit", "exact", "formula"} == set(number) for number in told["plan"]["numbers"])


def test_what_does_not_fit_ends_with_1_and_says_what_would() -> None:
    done = plan("zai-org/GLM-4.7", "--gpu", "RTX5090")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "does not fit on 1 x RTX 5090" in done.stderr
    assert "more cards: " in done.stderr
    assert "another model: Qwen/Qwen3.6-35B-A3B" in done.stderr


def test_what_to_run_on_a_card() -> None:
    done = plan("--list", "--vram", "24")
    assert done.exit_code == 0
    assert "openai/gpt-oss-20b" in done.stdout
    told = json.loads(plan("--list", "--vram", "24", "--json").stdout)
    assert told["models"][0]["context_tokens"] >= 32_768
    none = plan("--list", "--vram", "2")
    assert none.exit_code == 1
    assert "No model of the table fits" in none.stdout
    assert "ask for less (--context, --sessions)" in none.stdout
    refused = plan("zai-org/GLM-4.7", "--vram", "48")
    assert (refused.exit_code, " such cards hold it" in refused.stderr) == (1, True), refused.stderr


def test_a_mac_gets_llama_cpp_and_ollama_on_request() -> None:
    assert "llama-server --model" in plan("openai/gpt-oss-20b", "--gpu", "apple-36gb").stdout
    assert "OLLAMA_CONTEXT_LENGTH=" in plan("openai/gpt-oss-20b", "--gpu", "apple-36gb", "--engine", "ollama").stdout


def test_a_folder_of_ones_own(alone: Path) -> None:
    folder = alone / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    done = plan("./my-model", "--vram", "24", "--explain")
    assert done.exit_code == 0, done.output
    assert f"vllm serve {folder}" in done.stdout
    assert "8.03e9 parameters (counted from the config.json)" in done.stdout
    assert re.search(r"cache per token +64.0 KiB +exact", done.stdout)


def test_the_family_of_a_folder_is_told_by_its_template(alone: Path) -> None:
    folder = alone / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert "no family is known" in plan("./mine", "--vram", "24").stdout
    (folder / "chat_template.jinja").write_text("<args-json-object> </think>", encoding="utf-8")
    assert "--tool-call-parser hermes" in plan("./mine", "--vram", "24").stdout


@pytest.mark.parametrize(
    ("arguments", "words", "hint"),
    [
        ([QWEN], "A plan is for a card", "--gpu"),
        ([QWEN, "--gpu", "H100", "--vram", "80"], "do not go together", "--vram"),
        ([QWEN, "--vram", "nan"], "must be a number", "--vram 24"),
        (["--gpu", "H100"], "Which model", "landline plan MODEL"),
        (["a\nb", "--gpu", "H100"], "control characters", "landline plan"),
        ([QWEN, "--gpu", "GTX 1080"], "No card is known", "RTX 4090"),
        ([QWEN, "--gpu", "H100x0"], "no number of cards", "H100x8"),
        ([QWEN, "--gpu", "H100", "--quantization", "q3"], "No quantisation", "fp8"),
        ([QWEN, "--gpu", "H100", "--context", "4096"], "too few", "65536"),
        ([QWEN, "--gpu", "H100", "--context", "999999"], "window of 262,144", "--context"),
        (["nobody/nothing", "--gpu", "H100"], "not in landline's table", "config.json"),
        (["Qwen/Qwen3.8-27B", "--gpu", "H100"], "in no table", "config.json"),
        (["qwen3.5", "--gpu", "H100"], "fits 5 models", "whole name"),
        ([QWEN, "--list", "--gpu", "H100"], "--list shows every model", "Leave MODEL out"),
        (["--list", "--gpu", "H100", "--format", "compose"], "no compose of a list", "one MODEL"),
        ([QWEN, "--gpu", "apple-64gb", "--engine", "vllm"], "vLLM does not run", "llama.cpp"),
        (["openai/gpt-oss-20b", "--gpu", "apple-64gb", "--format", "compose"], "no compose for llama.cpp", "command"),
    ],
)
def test_wrong_words_end_with_2_and_a_hint(arguments: list[str], words: str, hint: str) -> None:
    done = plan(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.output
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--vram", "0"],
        ["--vram", "-24"],
        ["--vram", "inf"],
        ["--vram", "24", "--context", "0"],
        ["--vram", "24", "--context", "-1"],
        ["--vram", "24", "--sessions", "0"],
        ["--vram", "24", "--sessions", "many"],
        ["--vram", "24", "--format", "word"],
    ],
)
def test_numbers_that_are_none_are_refused(arguments: list[str]) -> None:
    done = plan(QWEN, *arguments)
    assert done.exit_code == 2, done.output
    assert "Invalid value" in done.stderr


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"num_hidden_layers": -1}', b"\x00" * 100])
def test_a_broken_config_is_refused(alone: Path, content: bytes) -> None:
    (alone / "config.json").write_bytes(content)
    done = plan("config.json", "--vram", "24")
    assert done.exit_code == 2
    assert "cannot be planned with" in done.stderr


def test_help_has_examples_and_every_quantisation_is_taken() -> None:
    text = plan("--help").stdout
    assert "landline plan --list --vram 24" in text
    for precision in Precision:
        done = plan(QWEN, "--gpu", "H200", "--quantization", precision.value.upper())
        assert "No quantisation is called" not in done.stderr
