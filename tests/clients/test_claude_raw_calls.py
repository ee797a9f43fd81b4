"""The real Claude Code on a backend that reads no calls: what the model writes comes as text, and the loop closes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from landline.families.tool_parsers.every import in_order
from landline.families.tool_parsers.syntax import WrittenCall
from landline.transforms.tool_calls import RECOVERED
from tests.clients.claude import Claude
from tests.clients.scene import check_append_only, repairs, scene
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import ModelServer

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]


class Typed(AgentScript):
    """Its calls are words, so a step is done when it has its result."""

    def _due(self, messages: Sequence[Any]) -> int:
        return sum(message.get("role") == "tool" for message in messages)


@pytest.mark.parametrize("parser", ["hermes", "qwen3_coder", "kimi_k2", "glm47", "mistral"])
async def test_a_loop_of_calls_that_come_as_text(claude: Claude, parser: str):
    syntax, file = in_order((parser,))[0], claude.project / "hello.txt"

    def said(text: str, name: str, **arguments: str) -> Answer:
        return Answer(text=text + syntax.write([WrittenCall(name, json.dumps(arguments))]))

    content = 'a line\n"quoted", {braces} and <b>é</b>\n'
    script = Typed(
        [
            said("I write it.\n", "Write", file_path=str(file), content=content),
            said("", "Bash", command="cp hello.txt copy.txt", description="copies it"),
            Answer(text="all done"),
        ]
    )
    async with scene(claude, ModelServer(script)) as line:
        run = await line.run("create hello.txt")
        assert run.exit_code == 0, run.explained
        assert run.said == "all done"
        assert file.read_text() == (claude.project / "copy.txt").read_text() == content
        line.check_completed(requests=3)
        assert [folded.stop_reason for folded in line.check_streams()] == ["tool_use", "tool_use", "end_turn"]
        assert repairs(line.exchanges)[RECOVERED] == 2
        check_append_only(line.chats)
        called = [call for message in line.chats[-1]["messages"] for call in message.get("tool_calls", ())]
        assert [call["function"]["name"] for call in called] == ["Write", "Bash"]
