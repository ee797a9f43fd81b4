"""The table of clients: which there are, what each is put through, and where a client has no such thing.

A test says which cells it fills by `@pytest.mark.scenario(client, *scenarios)`; `plugin.py` makes the table of it. Of a
client that comes in several versions the test's parameter `claude` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from tests.clients.npm_clients import ANTHROPIC_SDK, CODEX, OPENAI_SDK, OPENCODE, QWEN_CODE
from tests.fixtures_real import CLAUDE_VERSIONS

SCENARIOS = {
    "loop": "Tool loop",
    "parallel": "Parallel calls",
    "error": "Error",
    "overflow": "Overflow",
    "cut": "Cut stream",
    "hang_up": "Hang-up",
    "non_stream": "Not streamed",
}


@dataclass(frozen=True)
class Client:
    """One row. `cannot` are the scenarios that it has no way to get into, with the reason; a test shows that too."""

    name: str
    version: str
    protocol: str
    cannot: Mapping[str, str]


STREAMS_ONLY = "never asks without a stream"


def _claude(number: str) -> Client:
    return Client("Claude Code", number, "Messages", {})


CLIENTS: Mapping[str, Client] = {
    **{f"claude_code {number}": _claude(number) for number in CLAUDE_VERSIONS},
    "codex": Client("Codex", CODEX.version, "Responses", {"non_stream": STREAMS_ONLY}),
    "opencode": Client("OpenCode", OPENCODE.version, "chat", {"non_stream": STREAMS_ONLY}),
    "qwen_code": Client("Qwen Code", QWEN_CODE.version, "chat", {}),
    "anthropic_python": Client("`anthropic` (Python)", version("anthropic"), "Messages", {}),
    "openai_python_chat": Client("`openai` (Python)", version("openai"), "chat", {}),
    "openai_python_responses": Client("`openai` (Python)", version("openai"), "Responses", {}),
    "anthropic_typescript": Client("`@anthropic-ai/sdk` (TypeScript)", ANTHROPIC_SDK.version, "Messages", {}),
    "openai_typescript_chat": Client("`openai` (TypeScript)", OPENAI_SDK.version, "chat", {}),
    "openai_typescript_responses": Client("`openai` (TypeScript)", OPENAI_SDK.version, "Responses", {}),
}
