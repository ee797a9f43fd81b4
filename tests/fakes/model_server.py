"""Fake model servers of each kind (`server_kinds.py`), of a plain OpenAI-compatible one, and of a native one.

Tokens are counted by one rule everywhere (`count_tokens`), so that /tokenize, usage and overflow agree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.chat_stream import (
    CREATED,
    DONE,
    Answer,
    answer_deltas,
    answer_message,
    arguments_text,
    chunk,
    pieces,
    sse,
    usage_chunk,
    usage_object,
)
from tests.fakes.server_kinds import (
    Kind,
    bad_request,
    max_tokens_error,
    model_rows,
    overflow_error,
    probe_routes,
    tool_choice_error,
)
from tests.fakes.upstream import Pause, Request, Send, Status, Step, Upstream, json_answer

# What an `answer` callable may return: what the model says, or the steps of the HTTP answer (errors, cuts, raw bytes).
Reply = Answer | list[Step]
BYTES_PER_TOKEN = 4


def render_prompt(body: Mapping[str, Any]) -> str:
    """The prompt text of a chat request (or of a /tokenize request): later turns extend it at its end."""
    tools = body.get("tools")
    messages = body.get("messages") or []
    parts = [tools] if tools else []
    return "\n".join(json.dumps(part, ensure_ascii=False, separators=(",", ":")) for part in [*parts, *messages])


def count_text(text: str) -> int:
    return max(1, len(text.encode()) // BYTES_PER_TOKEN)


def count_tokens(body: Mapping[str, Any]) -> int:
    """The exact token count of a request with messages and tools."""
    return count_text(render_prompt(body))


def _shared_bytes(one: str, other: str) -> int:
    """Length of the common beginning, by halving: prompts of real clients are 100 KB and more."""
    first, second = one.encode(), other.encode()
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if first[:middle] == second[:middle] else (low, middle - 1)
    return low


class ModelServer(Upstream):
    """A backend that speaks chat completions.

    `answer(body)` says what the model does with a chat request. `override(request)` may answer any request first
    (None: go on). `prefill_s` is the wait before the first chunk, after the 200 head; `gap_s` between chunks.
    `prefix_cache` reports what a prompt shares with an earlier one as cached tokens. `system_first` refuses system
    messages elsewhere, as Qwen's template does. `cuts_prompts` drops what does not fit without a word, as Ollama does.
    """

    def __init__(
        self,
        answer: Callable[[Any], Reply] = lambda body: Answer(text="hello"),
        *,
        kind: Kind = "vllm",
        models: Sequence[str] = ("served",),
        window: int = 131_072,
        key: str = "",
        override: Callable[[Request], list[Step] | None] | None = None,
        reasoning_field: str = "reasoning",
        piece: int = 12,
        prefill_s: float = 0,
        gap_s: float = 0,
        prefix_cache: bool = False,
        system_first: bool = False,
        cuts_prompts: bool = False,
        port: int = 0,
    ) -> None:
        super().__init__(self._script, port=port)
        self.answer = answer
        self.kind: Kind = kind
        self.models = tuple(models)
        self.window = window
        self.key = key
        self.override = override
        self.reasoning_field = reasoning_field
        self.piece = piece
        self.prefill_s = prefill_s
        self.gap_s = gap_s
        self.prefix_cache = prefix_cache
        self.system_first = system_first
        self.cuts_prompts = cuts_prompts
        self._prompts: list[str] = []
        self._routes: dict[tuple[str, str], Callable[[Request], list[Step]]] = {
            ("GET", "/v1/models"): self._models,
            ("POST", "/v1/chat/completions"): self._chat,
        } | self._routes_of_kind()

    @property
    def chats(self) -> list[Request]:
        return self.requests_to("/v1/chat/completions")

    def _routes_of_kind(self) -> dict[tuple[str, str], Callable[[Request], list[Step]]]:
        if self.kind == "vllm":
            return {
                ("GET", "/version"): lambda request: json_answer(200, {"version": "0.32.0"}),
                ("GET", "/health"): lambda request: json_answer(200, b""),
                ("POST", "/tokenize"): self._vllm_tokenize,
            }
        if self.kind == "llamacpp":
            return {
                ("GET", "/health"): lambda request: json_answer(200, {"status": "ok"}),
                ("GET", "/props"): self._llamacpp_props,
                ("POST", "/apply-template"): lambda request: json_answer(200, {"prompt": render_prompt(request.json)}),
                ("POST", "/tokenize"): self._llamacpp_tokenize,
            }
        return probe_routes(self.kind, self.models, lambda: self.window)

    def _script(self, request: Request) -> list[Step]:
        steps = self.override(request) if self.override is not None else None
        if steps is not None:
            return steps
        if self.key and request.path != "/health" and request.headers.get("authorization") != f"Bearer {self.key}":
            return json_answer(401, {"error": "Unauthorized"})
        route = self._routes.get((request.method, request.path))
        return route(request) if route else json_answer(404, {"detail": "Not Found"})

    def _models(self, request: Request) -> list[Step]:
        return json_answer(200, {"object": "list", "data": model_rows(self.kind, self.models, self.window)})

    def _vllm_tokenize(self, request: Request) -> list[Step]:
        body = request.json
        count = count_text(body["prompt"]) if "prompt" in body else count_tokens(body)
        known = {"count": count, "max_model_len": self.window, "token_strs": None}
        return json_answer(200, known | {"tokens": list(range(count))})

    def _llamacpp_tokenize(self, request: Request) -> list[Step]:
        return json_answer(200, {"tokens": list(range(count_text(request.json["content"])))})

    def _llamacpp_props(self, request: Request) -> list[Step]:
        settings = {"n_ctx": self.window, "params": {}}
        return json_answer(
            200,
            {"default_generation_settings": settings, "total_slots": 1, "chat_template": "", "model_path": "m.gguf"},
        )

    def _chat(self, request: Request) -> list[Step]:
        body = request.json
        refused = self._refusal(body)
        if refused is not None:
            return refused
        reply = self.answer(body)
        if not isinstance(reply, Answer):
            return reply
        usage = reply.usage or self._usage(body, reply)
        if body.get("stream"):
            return self._stream(body, reply, usage)
        message = answer_message(reply, reasoning_field=self.reasoning_field)
        whole = {"id": f"chatcmpl-{len(self.requests)}", "object": "chat.completion", "created": CREATED}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
        whole |= {"model": body.get("model"), "choices": [choice], "usage": usage_object(*usage)}
        return [Pause(self.prefill_s), *json_answer(200, whole)]

    def _refusal(self, body: Any) -> list[Step] | None:
        model = body.get("model")
        if self.kind != "llamacpp" and model not in self.models:
            error = {"message": f"The model `{model}` does not exist.", "type": "NotFoundError", "param": "model"}
            return json_answer(404, {"error": error | {"code": 404}})
        roles = [message.get("role") for message in body.get("messages") or []]
        if self.system_first and "system" in roles[1:]:
            return bad_request("System message must be at the beginning.", None)
        refused = tool_choice_error(self.kind, body)
        if refused is not None:
            return refused
        prompt = count_tokens(body)
        if prompt > self.window and not self.cuts_prompts:
            return overflow_error(self.kind, prompt, self.window)
        asked = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        if self.kind in ("vllm", "sglang") and prompt + asked > self.window:
            return max_tokens_error(prompt, self.window, asked, self.kind)
        return None

    def _usage(self, body: Any, reply: Answer) -> tuple[int, int, int | None]:
        prompt = render_prompt(body)
        shared = max((_shared_bytes(prompt, earlier) for earlier in self._prompts), default=0)
        self._prompts.append(prompt)
        # At least one token is always computed, as in a real backend.
        cached = min(shared // BYTES_PER_TOKEN, count_text(prompt) - 1) if self.prefix_cache else None
        counted = min(count_text(prompt), self.window) if self.cuts_prompts else count_text(prompt)
        return counted, count_text(reply.written), cached

    def _stream(self, body: Any, reply: Answer, usage: tuple[int, int, int | None]) -> list[Step]:
        named = {"id": f"chatcmpl-{len(self.requests)}", "model": body.get("model")}
        deltas = answer_deltas(reply, reasoning_field=self.reasoning_field, piece=self.piece)
        chunks = [chunk(delta, **named) for delta in deltas] + [chunk({}, reply.finish_reason, **named)]
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append(usage_chunk(*usage, **named))
        steps: list[Step] = [Status(), Pause(self.prefill_s)]
        if not self.gap_s:
            return [*steps, Send(sse(*chunks, DONE))]
        for one in chunks:
            steps += [Send(sse(one)), Pause(self.gap_s)]
        return [*steps, Send(DONE)]


class AnthropicServer(Upstream):
    """A backend that speaks Messages natively, for forwarding that must change nothing."""

    def __init__(
        self,
        answer: Callable[[Any], Reply] = lambda body: Answer(text="hello"),
        *,
        models: Sequence[str] = ("native",),
        override: Callable[[Request], list[Step] | None] | None = None,
    ) -> None:
        super().__init__(self._script)
        self.answer = answer
        self.models = tuple(models)
        self.override = override

    @property
    def messages(self) -> list[Request]:
        return self.requests_to("/v1/messages")

    def _script(self, request: Request) -> list[Step]:
        steps = self.override(request) if self.override is not None else None
        if steps is not None:
            return steps
        match request.method, request.path:
            case "GET", "/v1/models":
                return json_answer(200, {"data": [{"type": "model", "id": name} for name in self.models]})
            case "POST", "/v1/messages/count_tokens":
                return json_answer(200, {"input_tokens": count_tokens(request.json)})
            case "POST", "/v1/messages":
                return self._answer_message(request.json)
            case _:
                error = {"type": "not_found_error", "message": f"no route {request.path}"}
                return json_answer(404, {"type": "error", "error": error})

    def _answer_message(self, body: Any) -> list[Step]:
        reply = self.answer(body)
        if not isinstance(reply, Answer):
            return reply
        message = native_message(reply, body, number=len(self.requests))
        if body.get("stream"):
            return [Status(200, {"content-type": "text/event-stream"}), Send(native_stream(message))]
        return json_answer(200, message)


def native_message(answer: Answer, body: Mapping[str, Any], *, number: int = 1) -> dict[str, Any]:
    """The answer as a message of the Messages API."""
    content: list[dict[str, Any]] = []
    if answer.thinking:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": "native-signature"})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    for name, arguments, call_id in answer.tool_calls:
        parsed = json.loads(arguments_text(arguments))
        content.append({"type": "tool_use", "id": call_id, "name": name, "input": parsed})
    reasons = {"tool_calls": "tool_use", "length": "max_tokens"}
    prompt, completion, cached = answer.usage or (count_tokens(body), count_text(answer.written), 0)
    return {
        "id": f"msg_native_{number}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": content,
        "stop_reason": reasons.get(answer.finish_reason, "end_turn"),
        "stop_sequence": None,
        "usage": {
            "input_tokens": prompt - (cached or 0),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached or 0,
            "output_tokens": completion,
        },
    }


def native_stream(message: Mapping[str, Any], *, piece: int = 12) -> bytes:
    """The events of one message."""
    usage = message["usage"]
    begun = dict(message) | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 0}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(message["content"]):
        events += _block_events(index, block, piece)
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    events += [{"type": "message_delta", "delta": ending, "usage": usage}, {"type": "message_stop"}]
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def _block_events(index: int, block: Mapping[str, Any], piece: int) -> list[dict[str, Any]]:
    match block["type"]:
        case "text":
            empty, deltas = {"text": ""}, [("text_delta", "text", block["text"])]
        case "thinking":
            empty = {"thinking": "", "signature": ""}
            deltas = [("thinking_delta", "thinking", block["thinking"])]
            deltas.append(("signature_delta", "signature", block["signature"]))
        case _:
            empty, deltas = {"input": {}}, [("input_json_delta", "partial_json", json.dumps(block["input"]))]
    parts = [{"type": kind, name: part} for kind, name, value in deltas for part in pieces(value, piece)]
    return [
        {"type": "content_block_start", "index": index, "content_block": dict(block) | empty},
        *({"type": "content_block_delta", "index": index, "delta": part} for part in parts),
        {"type": "content_block_stop", "index": index},
    ]
