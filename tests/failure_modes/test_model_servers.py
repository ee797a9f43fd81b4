"""How model servers are started: what the planner prints, and what is said of one that was started otherwise."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landline.clients.checking.asking import Answer as Asked
from landline.clients.checking.bench import Finding as ProbeFinding
from landline.clients.checking.calls import SINGLE, WEATHER
from landline.clients.checking.causes import call_fault
from landline.clients.checking.mends import family_parsers
from landline.clients.doctor.apart import read_log
from landline.clients.doctor.finding import Severity
from landline.clients.doctor.state import ModelServer as Known
from landline.clients.doctor.state import Probed
from landline.errors import LandlineError
from landline.planner.decision import Refusal, Wish
from landline.planner.outcome import VLLM_RELEASE, Plan
from landline.planner.render import Format, render
from landline.planner.templates import template_of
from landline.server.model_facts import older
from landline.upstream.dialects import BackendKind
from tests.failure_modes.test_client_setup import diagnosed, of_user
from tests.fakes import agent_model
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.golden.plans import MACHINES, MODELS
from tests.golden.vllm_flags import FILE
from tests.unit.planner.models import CATALOGUE, FAMILIES, cards, family, has, model, outcome, planned, value

RELEASES: dict[str, dict[str, list[str]]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
QWEN, GPT, GLM = "Qwen/Qwen3.6-27B", "openai/gpt-oss-20b", "zai-org/GLM-4.7"
MARKUP = (
    "I look.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nBergen\n</parameter>\n</function>\n</tool_call>"
)
FLAGS = "--enable-auto-tool-choice --tool-call-parser"


def plans() -> list[Plan]:
    found = [outcome(name, gpu) for name in MODELS for gpu in MACHINES]
    return [one for one in found if isinstance(one, Plan)]


# ------------------------------------------------------------------------------------------------ parsers


@pytest.mark.row("1.22")
@pytest.mark.parametrize("release", RELEASES)
def test_row_1_22_every_parser_of_a_plan_is_one_of_its_vllm(release: str) -> None:
    known = RELEASES[release]
    assert VLLM_RELEASE in RELEASES
    seen = {"tool": set[str](), "reasoning": set[str]()}
    for plan in plans():
        given = {flag.name: flag.value or "" for flag in plan.flags}
        for kind, flag in (("tool", "--tool-call-parser"), ("reasoning", "--reasoning-parser")):
            if flag in given:
                seen[kind].add(given[flag])
    assert len(seen["tool"]) > 4
    assert seen["tool"] <= set(known["tool_parsers"])
    assert seen["reasoning"] <= set(known["reasoning_parsers"])
    for row in FAMILIES.families:  # also where the layers are not known yet
        if older(release, row.min_version):
            continue  # which its plan says
        assert {row.tool_parser} - {""} <= set(known["tool_parsers"]), row.name
        assert {row.reasoning_parser} - {""} <= set(known["reasoning_parsers"]), row.name


@pytest.mark.row("1.22")
@pytest.mark.parametrize(("name", "least"), [(QWEN, "0.17.0"), (GLM, "0.11.0")])
def test_row_1_22_the_plan_names_the_oldest_vllm_that_knows_it(name: str, least: str) -> None:
    (note,) = [one for one in planned(name, "H200x8").notes if one.startswith("vLLM ")]
    assert note.startswith(f"vLLM {least} or newer: ")
    assert older("0.10.2", least)  # and the doctor tells of a server that runs and is older
    server = Known(url="http://m", named_by="--backend", answers=True, served=("m",), findings=("0.10.2 is older",))
    assert diagnosed(of_user(), server=server).of("backend_version").severity is Severity.WARNING


@pytest.mark.row("1.23")
def test_row_1_23_markup_in_the_text_names_the_parser_that_reads_it() -> None:
    """`hermes` used for Qwen3.6: the answer to a canned question holds a call as text."""
    fault = call_fault(Asked(text=MARKUP, stop_reason="end_turn"), [WEATHER["name"]], BackendKind.VLLM)
    assert fault is not None
    assert fault.parser == "qwen3_coder"
    for parsers in (family_parsers(None), family_parsers(family(QWEN))):
        server = Known(url="http://m", named_by="--backend", answers=True, kind=BackendKind.VLLM, parsers=parsers)
        probed = Probed(call=ProbeFinding(False, fault.detail, fault))
        told = diagnosed(of_user(), server=server, probed=probed).of("tool_parser")
        assert f"{FLAGS} qwen3_coder" in told.fix
        assert "the call stands in the text as Qwen's XML" in told.finding
    assert value(planned(QWEN, "H200"), "--tool-call-parser") == "qwen3_coder"
    assert value(planned("deepseek-ai/DeepSeek-V3.1", "H200x8"), "--tool-call-parser") == "deepseek_v31"


@pytest.mark.row("1.24")
async def test_row_1_24_without_a_parser_the_model_still_calls_and_the_flags_are_named() -> None:
    """The second request asks for no call of the server's own (`none`): vLLM then shows the tools to the model and
    reads nothing, which needs no parser. Left out altogether, the model would not know them."""

    def refuses(body: Any) -> Any:
        if body.get("tool_choice", "auto") != "none":
            return agent_model.refuses_tools(server.chats[-1])
        return Answer(text=MARKUP.replace("get_weather", "Bash").replace("city", "command"))

    server = ModelServer(refuses)
    bash = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
    async with server, gateway_to(server.url) as client:
        replies = [await client.messages(request_body(tools=[bash])) for _ in range(2)]
        repairs = client.exchanges[0].notes.repairs
    assert [chat.json.get("tool_choice") for chat in server.chats] == [None, "none", "none"]  # once, then it is known
    for reply in replies:
        (call,) = [block for block in reply.json["content"] if block["type"] == "tool_use"]
        assert (call["name"], call["input"]) == ("Bash", {"command": "Bergen"})
    assert any(FLAGS in text for text in repairs)
    assert has(planned(QWEN, "H200"), "--enable-auto-tool-choice")


@pytest.mark.row("1.25")
@pytest.mark.parametrize("name", [GLM, "zai-org/GLM-4.7-FP8", "nvidia/GLM-4.7-NVFP4"])
def test_row_1_25_glm_4_7_gets_its_own_parser(name: str) -> None:
    known = family(name)
    assert known is not None
    assert (known.tool_parser, known.reasoning_parser) == ("glm47", "glm45")
    found = planned(GLM, "H200x8")
    assert (value(found, "--tool-call-parser"), value(found, "--reasoning-parser")) == ("glm47", "glm45")
    older_one = family("zai-org/GLM-4.5-Air")
    assert older_one is not None
    assert older_one.tool_parser == "glm45"


# ------------------------------------------------------------------------------------------------ windows and caches


@pytest.mark.row("5.12")
@pytest.mark.parametrize("context", [4096, 32_767])
@pytest.mark.parametrize("engine", ["vllm", "llama.cpp"])
def test_row_5_12_no_plan_is_made_for_a_window_that_is_too_small(context: int, engine: Any) -> None:
    with pytest.raises(LandlineError, match="too few"):
        outcome(QWEN, "H200" if engine == "vllm" else "apple-64gb", Wish(context=context), engine=engine)
    found = outcome("mistralai/Devstral-Small-2-24B-Instruct-2512", "RTX 4090")
    assert isinstance(found, Refusal) or found.context_tokens >= 32_768


@pytest.mark.row("5.12")
@pytest.mark.parametrize(("context", "warned"), [(32_768, True), (64_000, True), (65_536, False), (131_072, False)])
def test_row_5_12_a_plan_for_a_small_window_says_so(context: int, warned: bool) -> None:
    found = planned(QWEN, "H200", Wish(context=context))
    assert value(found, "--max-model-len") == str(context)
    assert any(f"{context:,} tokens are few" in note for note in found.notes) is warned


@pytest.mark.row("6.03")
def test_row_6_03_plans_of_hybrid_models_keep_states_at_aligned_blocks() -> None:
    found = planned(QWEN, "RTX 5090")
    assert has(found, "--enable-prefix-caching")
    assert value(found, "--mamba-cache-mode") == "align"
    assert any("must show hits" in note for note in found.notes)
    block = next(number.value for number in found.numbers if number.name == "step of reuse")
    assert int(value(found, "--max-num-batched-tokens") or 0) >= block
    assert not has(planned(GPT, "RTX 5090"), "--mamba-cache-mode")


@pytest.mark.row("6.09")
@pytest.mark.parametrize("sessions", [1, 2, 4])
def test_row_6_09_llama_cpp_has_slots_for_side_calls(sessions: int) -> None:
    found = planned(GPT, "apple-64gb", Wish(sessions=sessions), engine="llama.cpp")
    assert int(value(found, "--parallel") or 0) >= max(3, sessions + 2)
    assert value(found, "--cache-reuse") == "256"
    assert has(found, "--kv-unified")
    assert value(found, "--ctx-size") == str(found.context_tokens * sessions)  # of all slots together


@pytest.mark.row("6.09")
def test_row_6_09_the_pages_start_llama_cpp_with_three_slots() -> None:
    """Of what is printed for users, no line has fewer."""
    root = Path(__file__).parents[2]
    lines = [
        line
        for page in (root / "README.md", *(root / "docs").glob("*.md"))
        for line in re.findall(r"llama-server[^`]*? -np \d+|`--jinja[^`]* -np \d+", page.read_text())
    ]
    assert len(lines) >= 2
    assert all(int(line.rpartition(" ")[2]) >= 3 for line in lines), lines
    plan = planned(GPT, "apple-64gb", engine="llama.cpp")
    assert "--parallel 3" in render(plan, Format.COMMAND, explain=False)


@pytest.mark.row("6.10")
def test_row_6_10_llama_cpp_keeps_whole_windows() -> None:
    assert has(planned(GPT, "apple-64gb", engine="llama.cpp"), "--swa-full")
    assert not has(planned("Qwen/Qwen3.5-9B", "apple-64gb", engine="llama.cpp"), "--swa-full")
    (note,) = [one for one in planned(GPT, "apple-64gb", engine="ollama").notes if "whole windows" in one]
    assert "no switch" in note


# ------------------------------------------------------------------------------------------------ other servers


@pytest.mark.row("11.08")
@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("llamacpp", BackendKind.LLAMACPP),
        ("ollama", BackendKind.OLLAMA),
        ("lmstudio", BackendKind.LMSTUDIO),
        ("sglang", BackendKind.SGLANG),
        ("plain", BackendKind.PLAIN),  # MLX servers: chat completions, and nothing that tells more
    ],
)
async def test_row_11_08_servers_for_other_machines_are_known_and_close_the_loop(kind: Any, known: BackendKind) -> None:
    async with agent_model.server(kind=kind) as server, gateway_to(server.url) as client:
        weather = request_body(SINGLE, tools=[WEATHER])
        reply = await client.messages(weather)
        assert client.gateway.line.backend.kind is known
        (call,) = [block for block in reply.json["content"] if block["type"] == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "rain"}
        messages = [*weather["messages"], {"role": "assistant", "content": reply.json["content"]}]
        messages.append({"role": "user", "content": [result]})
        again = await client.messages(weather | {"messages": messages})
    assert again.status == 200
    assert [one["role"] for one in server.chats[-1].json["messages"]][-2:] == ["assistant", "tool"]


@pytest.mark.row("11.08")
def test_row_11_08_where_vllm_does_not_run_the_plan_is_for_another_server() -> None:
    with pytest.raises(LandlineError) as caught:
        planned(GPT, "apple-64gb")
    assert "--engine llama.cpp" in caught.value.hint
    assert planned(GPT, "apple-64gb", engine="llama.cpp").engine == "llama.cpp"
    assert planned(GPT, "apple-64gb", engine="ollama").engine == "ollama"
    assert CATALOGUE.card("apple-64gb").engine == "llama.cpp"


@pytest.mark.row("11.09")
@pytest.mark.parametrize("form", [Format.COMMAND, Format.COMPOSE, Format.KUBERNETES, Format.SYSTEMD])
def test_row_11_09_a_template_that_a_recipe_wants_comes_with_version_and_hash(form: Format) -> None:
    found = planned("deepseek-ai/DeepSeek-V3.1", "H200x8")
    template = template_of("examples/tool_chat_template_deepseekv31.jinja")
    assert template is not None
    assert found.template == template
    assert re.search(r"/v\d+\.\d+\.\d+/examples/", template.url)
    assert value(found, "--chat-template") == template.name
    written = render(found, form, explain=False)
    assert template.url in written
    assert template.sha256 in written
    assert template_of("examples/somebody-elses.jinja") is None


# ------------------------------------------------------------------------------------------------ starts that fail

START = "(APIServer pid=7) INFO 11-28 [utils.py:1] vLLM API server version 0.32.0\n"
LOGS = {  # the words of vLLM 0.32.0, and where argparse speaks of 3.11
    "ReasoningConfig: failed to tokenize reasoning strings: reasoning_start_str='', reasoning_end_str=''. Ensure the "
    "strings are valid tokens in the model's vocabulary.": ("marks of thinking", "tokenizer.json"),
    "KeyError: 'invalid tool call parser: glm46 (chose from { glm45,glm47 })'": ("parser glm46", "landline plan MODEL"),
    "error: argument --tool-call-parser: invalid choice: 'glm47' (choose from 'glm45')": (
        "parser glm47",
        "update vLLM",
    ),
    "KeyError: 'invalid reasoning parser: qwen9 (chose from { qwen3 })'": (
        "reasoning parser qwen9",
        "--reasoning-parser",
    ),
    "TypeError: Error: --enable-auto-tool-choice requires --tool-call-parser": (
        "without a parser",
        "--tool-call-parser",
    ),
    "vllm: error: unrecognized arguments: --sse-keep-alive-interval 15": ("--sse-keep-alive-interval", "update vLLM"),
    "ValueError: To serve at least one request with the model's max seq len (131072), (9.00 GiB KV cache is needed, "
    "which is larger than the available KV cache memory (6.11 GiB). Based on the available memory, the estimated "
    "maximum model length is 90432.": ("90432 tokens would fit", "--max-model-len 90432"),
    "Based on the available memory, the estimated maximum model length is 1808.": (
        "1808 tokens",
        "do not hold an agent",
    ),
    "ValueError: No available memory for the cache blocks. Try increasing": ("no memory", "--gpu-memory-utilization"),
    "ValueError: Free memory on device cuda:0 (15.32/22.04 GiB) on startup is less than desired GPU memory utilization "
    "(0.88, 19.39 GiB).": ("a share of 0.88", "nvidia-smi"),
    "ValueError: Total number of attention heads (40) must be divisible by tensor parallel size (3).": (
        "over 3 cards",
        "--tensor-parallel-size",
    ),
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.": ("ran out", "--max-num-seqs"),
}


@pytest.mark.row("11.10")
@pytest.mark.parametrize("words", LOGS)
def test_row_11_10_the_log_of_a_failed_start_is_read(tmp_path: Path, words: str) -> None:
    seen, advice = LOGS[words]
    file = tmp_path / "vllm.log"
    file.write_text(f"{START}INFO canary prompt of somebody\nERROR {words}\ncanary-tail\n")
    told = diagnosed(of_user(), log=read_log(file)).of("server_log")
    assert seen in told.finding
    assert advice in told.fix
    assert (told.severity, str(told.source)) == (Severity.ERROR, f"{file}:3")
    assert "canary" not in f"{told.finding} {told.fix}"


@pytest.mark.row("11.10")
def test_row_11_10_only_the_last_start_counts(tmp_path: Path) -> None:
    file = tmp_path / "vllm.log"
    failed = "ERROR No available memory for the cache blocks.\n"
    up = "INFO Application startup complete.\n"
    config = "INFO Initializing an engine with config: trust_remote_code=True, tensor_parallel_size=3\n"
    for log, found in (
        (START + failed + START + up + failed, False),
        (START + up + START + failed, True),
        (START + config, False),
    ):
        file.write_text(log)
        told = diagnosed(of_user(), log=read_log(file)).of("server_log")
        assert (told.severity is Severity.ERROR) is found
    file.write_bytes(b"\xff\n" * 1_500_000 + (START + failed).encode())
    assert str(diagnosed(of_user(), log=read_log(file)).of("server_log").source).endswith(":1500002")
    down = diagnosed(of_user(), server=Known(url="http://m", named_by="--backend"))
    assert "--server-log FILE" in down.not_tried["server_log"]
    assert "--server-log FILE" in down.of("backend").fix
    assert diagnosed(of_user()).of("server_log").severity is Severity.OK  # it answers: nothing has to be read


@pytest.mark.row("11.10")
def test_row_11_10_plans_have_the_marks_of_thinking_from_the_parser() -> None:
    """Where a recipe sets them itself, the parser stands beside them."""
    for plan in plans():
        if has(plan, "--reasoning-config"):
            assert has(plan, "--reasoning-parser")
            assert json.loads(value(plan, "--reasoning-config") or "{}")


@pytest.mark.row("11.11")
@pytest.mark.parametrize("gpu", ["RTX PRO 6000", "H100x2", "H100x4", "H200x8"])
def test_row_11_11_a_compose_file_asks_for_the_cards_that_its_line_spreads_over(gpu: str) -> None:
    """tests/golden/plans/*.compose.yaml are read by people before they change; no Ray is in them."""
    found = planned(msgspec.structs.replace(model("openai/gpt-oss-120b")), gpu, Wish(sessions=2))
    written = render(found, Format.COMPOSE, explain=False)
    assert cards(gpu).count == found.cards + found.idle_cards
    assert f"              count: {found.cards}\n" in written
    spread = re.search(r'- "--tensor-parallel-size"\n\s*- "(\d+)"', written)
    assert (int(spread[1]) if spread else 1) == found.cards
    for part in (f"image: vllm/vllm-openai:v{VLLM_RELEASE}", "shm_size:", "127.0.0.1:8000:8000", "/health"):
        assert part in written
    assert "ray" not in re.sub(r"(?m)^\s*#.*$", "", written).lower()
