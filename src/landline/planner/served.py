"""What every way of starting a server needs: the model's argument, what must be reachable, where the template lies."""

from __future__ import annotations

from msgspec import Struct

from landline.planner.outcome import Plan
from landline.planner.templates import Template

MODEL_FOLDER = "/model"
TEMPLATE_FOLDER = "/templates"
CACHE_FOLDER = "/huggingface"
EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 (in a container, whose port is published to loopback or a cluster)
IMAGE = "vllm/vllm-openai"


class InContainer(Struct, frozen=True, kw_only=True):
    arguments: tuple[str, ...]
    folder: str  # of the weights on the host; empty where they come from the hub


def is_folder(plan: Plan) -> bool:
    return plan.checkpoint.startswith("/")


def in_container(plan: Plan) -> InContainer:
    """All interfaces inside, which is one; a folder is mounted, and served under its own name."""
    words = with_template(plan, TEMPLATE_FOLDER)
    words[words.index("--host") + 1] = EVERY_INTERFACE
    folder = plan.checkpoint if is_folder(plan) else ""
    if not folder:
        return InContainer(arguments=(plan.checkpoint, *words), folder="")
    name = folder.rstrip("/").rpartition("/")[2] or "model"
    return InContainer(arguments=(MODEL_FOLDER, "--served-model-name", name, *words), folder=folder)


def with_template(plan: Plan, folder: str) -> list[str]:
    words = list(plan.arguments)
    if plan.template is None or not folder:
        return words
    return [f"{folder}/{word}" if word == plan.template.name else word for word in words]


def fetching(template: Template) -> tuple[str, str]:
    """Two lines of a shell: the file, and its check."""
    return (
        f"curl -fsSL -o {template.name} {template.url}",
        f'echo "{template.sha256}  {template.name}" | sha256sum --check',
    )
