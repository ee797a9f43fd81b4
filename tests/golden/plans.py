"""Plans of ten models for five machines, and the command that writes them: `uv run python -m tests.golden.plans`.

It prints what changed. Read it: these are the lines that people start their servers with.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from landline.planner.candidates import Machine
from landline.planner.catalogue import Engine, split_count
from landline.planner.decision import Refusal, Wish
from landline.planner.outcome import Plan
from landline.planner.planning import plan
from landline.planner.render import Format, render
from landline.planner.text import refused
from landline.upstream.families import known_families
from landline.upstream.model_sources import shipped_catalogue
from tests.golden.update import difference

FOLDER = Path(__file__).parent / "plans"
MACHINES = ("RTX 4090", "RTX 5090", "RTX PRO 6000", "H100x4", "H200x8")
MODELS = (
    "Qwen/Qwen3.6-27B",
    "Qwen/Qwen3.6-35B-A3B",
    "Qwen/Qwen3-Coder-Next",
    "openai/gpt-oss-20b",
    "openai/gpt-oss-120b",
    "mistralai/Devstral-Small-2-24B-Instruct-2512",
    "MiniMaxAI/MiniMax-M2.5",
    "zai-org/GLM-4.7",
    "deepseek-ai/DeepSeek-V3.1",
    "moonshotai/Kimi-K2.6",
)


@cache
def outcomes(name: str) -> dict[str, Plan | Refusal]:
    catalogue, families = shipped_catalogue(), known_families()
    model = catalogue.model(name)
    assert model is not None
    found: dict[str, Plan | Refusal] = {}
    for machine in MACHINES:
        card, count = split_count(machine)
        cards = Machine(card=catalogue.card(card), count=count)
        found[machine] = plan(model, families.family(model.id), cards, Wish(), engine="vllm")
    return found


def written(name: str) -> str:
    """What the verb prints for each machine, one after the other."""
    parts: list[str] = []
    for machine, outcome in outcomes(name).items():
        parts.append(f"=== {machine}")
        if isinstance(outcome, Refusal):
            parts.append("\n".join(refused(outcome)))
        else:
            parts.append(render(outcome, Format.COMMAND, explain=True))
        parts.append("")
    return "\n".join(parts)


class Sample(NamedTuple):
    """One plan in another format, or for another server."""

    model: str
    machine: str
    form: Format
    engine: Engine = "vllm"


SAMPLES = {
    "one-card.compose.yaml": Sample("Qwen/Qwen3.6-27B", "RTX PRO 6000", Format.COMPOSE),
    "eight-cards.compose.yaml": Sample("deepseek-ai/DeepSeek-V3.1", "H200x8", Format.COMPOSE),
    "two-cards.service": Sample("Qwen/Qwen3.6-27B", "RTX 4090x2", Format.SYSTEMD),
    "eight-cards.kubernetes.yaml": Sample("deepseek-ai/DeepSeek-V3.1", "H200x8", Format.KUBERNETES),
    "one-card.json": Sample("openai/gpt-oss-20b", "RTX 4090", Format.JSON),
    "llama-cpp.sh": Sample("openai/gpt-oss-20b", "apple-36gb", Format.COMMAND, "llama.cpp"),
    "ollama.sh": Sample("Qwen/Qwen3.6-27B", "apple-64gb", Format.COMMAND, "ollama"),
}


def sampled(name: str) -> str:
    catalogue, sample = shipped_catalogue(), SAMPLES[name]
    model, (card, count) = catalogue.model(sample.model), split_count(sample.machine)
    assert model is not None
    machine = Machine(card=catalogue.card(card), count=count)
    outcome = plan(model, known_families().family(model.id), machine, Wish(sessions=2), engine=sample.engine)
    assert isinstance(outcome, Plan)
    return render(outcome, sample.form, explain=False) + "\n"


def files() -> dict[Path, str]:
    return {golden_file(name): written(name) for name in MODELS} | {FOLDER / name: sampled(name) for name in SAMPLES}


def golden_file(name: str) -> Path:
    return FOLDER / f"{name.rpartition('/')[2]}.txt"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    changed, wanted = 0, files()
    for file, text in wanted.items():
        after = text.encode()
        before = file.read_bytes() if file.exists() else b""
        if before != after:
            print(difference(file.name, before, after))
            file.write_bytes(after)
            changed += 1
    print(f"{changed} of {len(wanted)} files of plans written.")


if __name__ == "__main__":
    main()
