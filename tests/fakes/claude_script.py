"""A scripted model for runs of the real Claude Code: says the next step of a task, and answers its side calls.

The step is found in the request alone (what has been done is in the history), so a repeated request gets the same
step again. What cannot be found there, how far the work was before a compaction, is remembered.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from tests.fakes.chat_stream import Answer

CallKind = Literal["step", "title", "compaction", "subagent"]
TITLE = Answer(text='{"title": "Scripted session"}')
SUMMARY = Answer(
    text="<analysis>\nThe user asked for a file; the work is under way.\n</analysis>\n\n"
    "<summary>\n1. Primary request: the task given by the user.\n2. Next step: go on with it.\n</summary>"
)
MINTED = re.compile(r"call_s(\d+)_")


class AgentScript:
    """`answer=` for ModelServer. Give calls an empty id to get a unique one; another id is sent as it is.

    `subagents` maps a piece of the subagent's prompt to its own script. `calls` lists what was asked, in order, so
    that `calls.count("step")` is the number of turns that the main loop took.
    """

    def __init__(self, steps: Sequence[Answer], *, subagents: Mapping[str, AgentScript] | None = None) -> None:
        self.steps = list(steps)
        self.subagents = dict(subagents or {})
        self.calls: list[CallKind] = []
        self.given: list[int] = []  # the number of the step that answered each "step" call
        self._minted = 0
        self._resumed_at = 0  # steps done before the last compaction
        self._lock = threading.Lock()

    def __call__(self, body: Any) -> Answer:
        with self._lock:
            return self._answer(body)

    def _answer(self, body: Any) -> Answer:
        messages = body.get("messages") or []
        subagent = self._subagent(messages)
        if subagent is not None:
            self.calls.append("subagent")
            return subagent(body)
        if is_compaction(messages):
            self.calls.append("compaction")
            self._resumed_at = self._due(messages)
            return SUMMARY
        if not body.get("tools"):
            self.calls.append("title")
            return TITLE
        self.calls.append("step")
        number = self._due(messages)
        self.given.append(number)
        return self._with_ids(self.steps[number], number) if number < len(self.steps) else Answer(text="done")

    def _subagent(self, messages: Sequence[Any]) -> AgentScript | None:
        prompt = first_prompt(messages)
        return next((script for mark, script in self.subagents.items() if mark in prompt), None)

    def _due(self, messages: Sequence[Any]) -> int:
        """The first step whose results are not in the history yet."""
        ids = [str(message.get("tool_call_id", "")) for message in messages if message.get("role") == "tool"]
        minted = [int(found[1]) for found in map(MINTED.match, ids) if found]
        if minted:
            return self._past_texts(max(*minted, self._resumed_at - 1) + 1, _texts_after_last_result(messages))
        due, results = self._resumed_at, len(ids)
        while due < len(self.steps) and self.steps[due].tool_calls and results >= len(self.steps[due].tool_calls):
            results -= len(self.steps[due].tool_calls)
            due += 1
        return self._past_texts(due, _texts_after_last_result(messages))

    def _past_texts(self, due: int, texts: int) -> int:
        while texts and due < len(self.steps) and not self.steps[due].tool_calls:
            due, texts = due + 1, texts - 1
        return due

    def _with_ids(self, answer: Answer, number: int) -> Answer:
        calls = []
        for name, arguments, call_id in answer.tool_calls:
            self._minted += 1
            calls.append((name, arguments, call_id or f"call_s{number}_{id(self):x}_{self._minted}"))
        return replace(answer, tool_calls=tuple(calls))


def message_text(message: Mapping[str, Any]) -> list[str]:
    """The text parts of a chat message."""
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part.get("text", "") for part in content or [] if isinstance(part, Mapping)]


def first_prompt(messages: Sequence[Any]) -> str:
    """What the user said before the model said anything."""
    texts: list[str] = []
    for message in messages:
        if message.get("role") == "assistant":
            break
        if message.get("role") == "user":
            texts += message_text(message)
    return "\n".join(texts)


def is_compaction(messages: Sequence[Any]) -> bool:
    """The last user text begins with CRITICAL and demands <analysis> and <summary>."""
    last = next((message for message in reversed(messages) if message.get("role") == "user"), {})
    text = "\n".join(message_text(last))
    demands = "<analysis>" in text and "<summary>" in text
    return demands and re.search(r"^\s*CRITICAL", text, re.MULTILINE) is not None


def _texts_after_last_result(messages: Sequence[Any]) -> int:
    texts = 0
    for message in reversed(messages):
        if message.get("role") == "tool":
            break
        if message.get("role") == "assistant" and not message.get("tool_calls"):
            texts += 1
    return texts
