"""A model server that speaks Messages itself and knows exactly its own names and addresses, as vLLM does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import AnthropicServer
from tests.fakes.upstream import Request, Step, json_answer


def weather_loop(body: Any) -> Answer:
    """Calls a tool that it is offered, and answers its result."""
    results = [block for block in body["messages"][-1]["content"] if isinstance(block, dict)]
    if not body.get("tools") or any(block["type"] == "tool_result" for block in results):
        return Answer(text="hello")
    return Answer(tool_calls=((body["tools"][0]["name"], {"city": "Bergen"}, f"call_{uuid4().hex}"),))


class StrictServer(AnthropicServer):
    """404 for another name; 400 where prompt and max_tokens exceed `window`; `/v1/models` as vLLM writes it."""

    def __init__(self, *, models: Sequence[str] = ("Qwen3.6-27B",), window: int = 65_536, token: str = "") -> None:
        super().__init__(weather_loop, models=models, override=self._first)
        self.window = window
        self.token = token

    def _first(self, request: Request) -> list[Step] | None:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return json_answer(401, {"error": f"Unauthorized: {request.headers.get('authorization', '')}"})
        if request.path == "/v1/models":
            rows = [{"id": name, "owned_by": "vllm", "max_model_len": self.window} for name in self.models]
            return json_answer(200, {"object": "list", "data": rows})
        if request.path == "/version":
            return json_answer(200, {"version": "0.33.0"})
        if request.path not in ("/v1/messages", "/v1/messages/count_tokens") or request.method != "POST":
            return json_answer(404, {"detail": "Not Found"})
        body = request.json
        if body["model"] not in self.models:
            text = f"The model `{body['model']}` does not exist."
            return json_answer(404, {"type": "error", "error": {"type": "not_found_error", "message": text}})
        if body.get("max_tokens", 0) > self.window:
            text = f"max_tokens={body['max_tokens']} cannot be greater than max_model_len={self.window}"
            return json_answer(400, {"type": "error", "error": {"type": "invalid_request_error", "message": text}})
        return None
