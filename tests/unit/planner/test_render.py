"""Formats: each is whole in its own language, and says the same line."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from landline.errors import LandlineError
from landline.planner.catalogue import Checkpoint, Precision
from landline.planner.command import command_words
from landline.planner.compose import quoted as compose_quoted
from landline.planner.decision import Wish
from landline.planner.kubernetes import quoted as kubernetes_quoted
from landline.planner.outcome import Plan, PlanDocument
from landline.planner.render import Format, document, render
from landline.planner.served import in_container
from landline.planner.systemd import escaped
from tests.unit.planner.models import model, outcome, planned

QWEN = "Qwen/Qwen3.6-27B"
DEEPSEEK = "deepseek-ai/DeepSeek-V3.1"
TEXTS = [one for one in Format if one is not Format.JSON]


def of_folder(folder: str) -> Plan:
    one = Checkpoint(precision=Precision.FP8, id=folder, weights_bytes=30 * 10**9)
    return planned(msgspec.structs.replace(model(QWEN), id=folder, checkpoints=(one,)), "H100")


def code(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line and not line.startswith("#"))


def test_the_command_is_a_script_with_the_words_of_the_plan() -> None:
    plan = planned(QWEN, "RTX 5090")
    words = shlex.split(code(render(plan, Format.COMMAND, explain=True)).replace("\\\n", " "))
    assert words[0] == "VLLM_NO_USAGE_STATS=1"
    assert tuple(words[1:]) == command_words(plan)


@pytest.mark.parametrize("folder", ["/models/a b", "/models/$(id)", "/models/it's", "/models/100%"])
def test_a_strange_folder_is_one_word(folder: str) -> None:
    plan = of_folder(folder)
    words = shlex.split(code(render(plan, Format.COMMAND, explain=False)).replace("\\\n", " "))
    assert words[3] == folder
    assert folder.replace("$", "$$").replace("%", "%%") in render(plan, Format.SYSTEMD, explain=False).replace('"', "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("name", [QWEN, DEEPSEEK])
def test_a_shell_reads_the_command(name: str, tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text(render(planned(name, "H200x8"), Format.COMMAND, explain=True), encoding="utf-8")
    assert subprocess.run(["bash", "-n", str(script)], check=False, timeout=20).returncode == 0


def test_templates_are_fetched_by_their_hash() -> None:
    text = render(planned(DEEPSEEK, "H200x8"), Format.COMMAND, explain=False)
    assert re.search(r"^curl -fsSL -o \S+\.jinja https://\S+ &&$", text, re.MULTILINE)
    assert re.search(r'^echo "[0-9a-f]{64}  \S+\.jinja" \| sha256sum --check &&$', text, re.MULTILINE)


@pytest.mark.parametrize("form", TEXTS)
def test_every_format_says_numbers_flags_and_notes(form: Format) -> None:
    plan = planned(QWEN, "RTX 5090")
    text = render(plan, form, explain=False)
    for flag in plan.flags:
        assert flag.name in code(text)
        assert flag.why in text
    assert all(number.name in text for number in plan.numbers)
    assert all(note in text for note in plan.notes)
    assert not text.endswith("\n")


@pytest.mark.parametrize("form", TEXTS)
def test_formulae_are_shown_on_request(form: Format) -> None:
    plan = planned(QWEN, "RTX 5090")
    formulae = [number.formula for number in plan.numbers]
    assert all(formula in render(plan, form, explain=True) for formula in formulae)
    assert not any(formula in render(plan, form, explain=False) for formula in formulae)


def test_every_number_says_whether_it_is_exact() -> None:
    text = render(planned(QWEN, "RTX 5090"), Format.COMMAND, explain=False)
    assert re.search(r"# cache per token +32.0 KiB +exact", text)
    assert re.search(r"# left for the cache +5.3 GiB +estimated", text)


def test_compose_has_a_health_check_and_is_reached_from_here_alone() -> None:
    text = render(planned(QWEN, "H100x4"), Format.COMPOSE, explain=False)
    assert '"127.0.0.1:8000:8000"' in text
    assert "healthcheck:" in text
    assert "/health" in text
    assert "              count: 4" in text
    assert '      - "0.0.0.0"' in text
    assert "image: vllm/vllm-openai:v0.33.0" in text
    assert "\t" not in text


def test_containers_get_the_template_and_the_folder() -> None:
    text = render(planned(DEEPSEEK, "H200x8"), Format.COMPOSE, explain=False)
    assert '"./tool_chat_template_deepseekv31.jinja:/templates/tool_chat_template_deepseekv31.jinja:ro"' in text
    assert '"/templates/tool_chat_template_deepseekv31.jinja"' in text
    inside = in_container(of_folder("/models/mine"))
    assert inside.arguments[:3] == ("/model", "--served-model-name", "mine")
    assert 'source: "/models/mine"\n        target: /model\n        read_only: true' in render(
        of_folder("/models/mine"), Format.COMPOSE, explain=False
    )


def test_kubernetes_has_a_claim_probes_and_a_service() -> None:
    text = render(planned(QWEN, "H100x4"), Format.KUBERNETES, explain=False)
    kinds = re.findall(r"^kind: (\w+)$", text, re.MULTILINE)
    assert kinds == ["PersistentVolumeClaim", "Deployment", "Service"]
    assert text.count("\n---\n") == 2
    assert all(probe in text for probe in ("startupProbe:", "readinessProbe:", "livenessProbe:"))
    assert 'nvidia.com/gpu: "4"' in text
    # A service that is called vllm would set VLLM_PORT=tcp://... for vLLM itself.
    assert not re.search(r"name: vllm$", text.rpartition("---")[2], re.MULTILINE)
    assert "enableServiceLinks: false" in text
    assert "kubectl create configmap" in render(planned(DEEPSEEK, "H200x8"), Format.KUBERNETES, explain=False)
    assert 'path: "/models/mine"' in render(of_folder("/models/mine"), Format.KUBERNETES, explain=False)


def test_systemd_has_a_user_of_its_own_and_starts_again() -> None:
    text = render(planned(QWEN, "H100x4"), Format.SYSTEMD, explain=False)
    assert "DynamicUser=yes" in text
    assert "Restart=on-failure" in text
    assert re.search(r"^ExecStart=/opt/vllm/bin/vllm serve Qwen/Qwen3.6-27B-FP8 \\$", text, re.MULTILINE)
    assert "vllm==0.33.0" in text
    assert "llama-server --model" in render(
        planned("openai/gpt-oss-20b", "rx7900xtx", engine="llama.cpp"), Format.SYSTEMD, explain=False
    )


def test_words_are_quoted_as_each_language_wants() -> None:
    word = '{"a": "$HOME $(id) 100%"}'
    assert json.loads(compose_quoted(word)) == '{"a": "$$HOME $$(id) 100%"}'
    assert json.loads(kubernetes_quoted(word)) == '{"a": "$HOME $$(id) 100%"}'
    assert escaped(word) == '"{\\"a\\": \\"$$HOME $$(id) 100%%\\"}"'
    assert escaped("plain-word_1.0") == "plain-word_1.0"
    assert escaped("") == '""'


def test_json_is_the_whole_plan() -> None:
    plan = planned(QWEN, "RTX 5090", Wish(sessions=1))
    told = msgspec.json.decode(render(plan, Format.JSON, explain=False), type=PlanDocument)
    assert told == document(plan)
    assert told.command[:3] == ("vllm", "serve", "nvidia/Qwen3.6-27B-NVFP4")
    refused = document(outcome("zai-org/GLM-4.7", "RTX 4090"))
    assert not refused.fits
    assert refused.why
    assert refused.offers


@pytest.mark.parametrize(
    ("engine", "form"), [("ollama", Format.COMPOSE), ("llama.cpp", Format.KUBERNETES), ("ollama", Format.SYSTEMD)]
)
def test_formats_that_a_server_has_not_are_refused(engine: str, form: Format) -> None:
    plan = planned("openai/gpt-oss-20b", "apple-64gb", engine=msgspec.convert(engine, str))  # type: ignore[arg-type]
    with pytest.raises(LandlineError, match=f"There is no {form.value} for {engine}") as caught:
        render(plan, form, explain=False)
    assert "command" in caught.value.hint
