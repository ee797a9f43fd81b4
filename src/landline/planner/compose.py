"""A plan as a compose file: one container, reachable from this machine alone, with a health check."""

from __future__ import annotations

import json
from collections.abc import Iterator

from landline.planner.outcome import Plan
from landline.planner.served import CACHE_FOLDER, IMAGE, MODEL_FOLDER, TEMPLATE_FOLDER, fetching, in_container
from landline.planner.text import commented, described
from landline.planner.vllm_line import PORT

_HEALTH = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=5)"


def as_compose(plan: Plan, *, explain: bool) -> str:
    return "\n".join([commented(described(plan, explain=explain)), *_before(plan), "", *_service(plan)])


def _before(plan: Plan) -> Iterator[str]:
    if plan.template is not None:
        yield "#"
        yield "# Before the first start, beside this file:"
        yield from (f"#   {line}" for line in fetching(plan.template))


def _service(plan: Plan) -> Iterator[str]:
    inside = in_container(plan)
    yield from ("services:", "  vllm:", f"    image: {IMAGE}:v{plan.release}", '    entrypoint: ["vllm", "serve"]')
    yield "    command:"
    yield from (f"      - {quoted(word)}" for word in inside.arguments)
    yield "    environment:"
    yield from (f"      {one.name}: {quoted(one.value)}" for one in plan.environment)
    yield from (f"      HF_HOME: {CACHE_FOLDER}", "      HF_TOKEN: ${HF_TOKEN:-}")
    yield from ("    ports:", f'      - "127.0.0.1:{PORT}:{PORT}"')
    yield from ("    volumes:", f"      - huggingface:{CACHE_FOLDER}")
    if inside.folder:
        yield from ("      - type: bind", f"        source: {quoted(inside.folder)}")
        yield from (f"        target: {MODEL_FOLDER}", "        read_only: true")
    if plan.template is not None:
        yield f'      - "./{plan.template.name}:{TEMPLATE_FOLDER}/{plan.template.name}:ro"'
    yield "    shm_size: 16gb  # the cards talk to each other through it"
    yield from _health()
    yield from _cards(plan.cards)
    yield from ("    restart: unless-stopped", "", "volumes:", "  huggingface:")


def _health() -> Iterator[str]:
    yield "    healthcheck:"
    yield f"      test: {json.dumps(['CMD', 'python3', '-c', _HEALTH])}"
    yield from ("      interval: 10s", "      timeout: 6s", "      retries: 3")
    yield "      start_period: 2h  # download, loading, warming up"


def _cards(count: int) -> Iterator[str]:
    yield from ("    deploy:", "      resources:", "        reservations:", "          devices:")
    yield from ("            - driver: nvidia", f"              count: {count}", "              capabilities: [gpu]")


def quoted(word: str) -> str:
    """Compose fills in $NAME: a dollar is written twice. JSON's strings are YAML's."""
    return json.dumps(word.replace("$", "$$"), ensure_ascii=False)
