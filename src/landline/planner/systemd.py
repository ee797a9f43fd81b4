"""A plan as a systemd unit: a user of its own, started again when it fails."""

from __future__ import annotations

from collections.abc import Iterator

from landline.planner.outcome import Plan
from landline.planner.served import fetching, with_template
from landline.planner.text import commented, described

VLLM = "/opt/vllm/bin/vllm"
LLAMA = "/usr/local/bin/llama-server"
TEMPLATES = "/etc/vllm"
_NAMES = {"vllm": "vllm", "llama.cpp": "llama-server", "ollama": "ollama"}


def as_systemd(plan: Plan, *, explain: bool) -> str:
    return "\n".join([commented(described(plan, explain=explain)), *_before(plan), "", *_unit(plan)])


def _before(plan: Plan) -> Iterator[str]:
    name = _NAMES[plan.engine]
    yield "#"
    yield f"# As /etc/systemd/system/{name}.service; the program is expected as ExecStart names it."
    if plan.engine == "vllm":
        yield f"#   python3 -m venv /opt/vllm && /opt/vllm/bin/pip install vllm=={plan.release}"
    yield "# It runs as a user of its own, who must be able to read the weights where they are a folder."
    if plan.template is not None:
        yield f"#   mkdir -p {TEMPLATES} && cd {TEMPLATES}"
        yield from (f"#   {line}" for line in fetching(plan.template))
    yield f"#   systemctl daemon-reload && systemctl enable --now {name}"


def _unit(plan: Plan) -> Iterator[str]:
    name = _NAMES[plan.engine]
    yield from ("[Unit]", f"Description={name} for coding agents", "Wants=network-online.target")
    yield from ("After=network-online.target", "", "[Service]", "Type=exec", "DynamicUser=yes")
    yield from (f"StateDirectory={name}", f"Environment=HOME=%S/{name}", f"Environment=HF_HOME=%S/{name}/huggingface")
    yield from (f"Environment={escaped(f'{one.name}={one.value}')}" for one in plan.environment)
    rows = [_program(plan), *_arguments(plan)]
    yield f"ExecStart={' '.join(rows[:1])} \\"
    yield from (f"  {row} \\" for row in rows[1:-1])
    yield f"  {rows[-1]}"
    yield from (
        "Restart=on-failure",
        "RestartSec=10",
        "TimeoutStopSec=30",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    )
    yield from ("PrivateTmp=yes", "", "[Install]", "WantedBy=multi-user.target")


def _program(plan: Plan) -> str:
    if plan.engine == "vllm":
        return f"{VLLM} serve {escaped(plan.checkpoint)}"
    return f"{LLAMA} --model {escaped(plan.checkpoint)}"


def _arguments(plan: Plan) -> Iterator[str]:
    """A flag and its value on one line."""
    words = iter(with_template(plan, TEMPLATES if plan.template else ""))
    for flag in plan.flags:
        yield " ".join(escaped(next(words)) for _ in flag.words)


def escaped(word: str) -> str:
    """systemd reads quotes, backslashes, %s and $NAME in its own way."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if plain and all(letter.isalnum() or letter in "-_./:=,+@%" for letter in plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
