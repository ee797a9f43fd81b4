"""Builds what a chat-completions backend sends: single chunks, whole streams, whole answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DONE = b"data: [DONE]\n\n"
CREATED = 1_790_000_000


@dataclass(frozen=True)
class Answer:
    """What the model says. `tool_calls` are (name, arguments as dict or as raw text, id).

    `usage` is (prompt, completion, cached or None); None lets the server count. `finish` None follows from the calls.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[tuple[str, dict[str, Any] | str, str], ...] = ()
    finish: str | None = None
    usage: tuple[int, int, int | None] | None = None

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.tool_calls else "stop")

    @property
    def written(self) -> str:
        """Everything that counts as output."""
        calls = "".join(f"{name}{arguments_text(arguments)}" for name, arguments, _ in self.tool_calls)
        return f"{self.thinking}{self.text}{calls}"


def arguments_text(arguments: dict[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def chunk(delta: Mapping[str, Any] | None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk with one choice; `fields` go beside `choices` (usage=..., model=..., id=...)."""
    choice = {"index": 0, "delta": dict(delta or {}), "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": "served",
        "choices": [choice],
    } | fields


def usage_object(prompt: int, completion: int, cached: int | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
    }
    if cached is not None:
        made["prompt_tokens_details"] = {"cached_tokens": cached}
    return made


def usage_chunk(prompt: int, completion: int, cached: int | None = None, **fields: Any) -> dict[str, Any]:
    return chunk(None) | {"choices": [], "usage": usage_object(prompt, completion, cached)} | fields


def sse(*chunks: Mapping[str, Any] | bytes) -> bytes:
    """Chunks as server-sent events; bytes (DONE, comments) go in as they are."""
    return b"".join(one if isinstance(one, bytes) else _event(one) for one in chunks)


def _event(one: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def call_delta(index: int | None, arguments: Any = None, *, name: Any = None, id: Any = None) -> dict[str, Any]:
    """The delta of one tool call; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    head = {"index": index, "id": id, "type": "function" if id is not None else None}
    return {"tool_calls": [{key: value for key, value in head.items() if value is not None} | {"function": function}]}


def pieces(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def answer_deltas(answer: Answer, *, reasoning_field: str = "reasoning", piece: int = 12) -> list[dict[str, Any]]:
    """The deltas in vLLM's manner: role, thinking, text, then per call its head and its arguments in pieces."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{reasoning_field: part} for part in pieces(answer.thinking, piece)]
    deltas += [{"content": part} for part in pieces(answer.text, piece)]
    for index, (name, arguments, call_id) in enumerate(answer.tool_calls):
        deltas.append(call_delta(index, "", name=name, id=call_id))
        deltas += [call_delta(index, part) for part in pieces(arguments_text(arguments), piece)]
    return deltas


def answer_message(answer: Answer, *, reasoning_field: str = "reasoning") -> dict[str, Any]:
    """The message of a non-streaming answer."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.thinking:
        message[reasoning_field] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments_text(arguments)}}
            for name, arguments, call_id in answer.tool_calls
        ]
    return message
