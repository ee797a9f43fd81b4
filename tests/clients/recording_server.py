"""A server on loopback that speaks enough of Anthropic Messages for a real client, and records who asked for what."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A text, or with `command` a call of the Bash tool; `input_tokens` is what the usage reports."""

    text: str = "ok"
    command: str = ""
    input_tokens: int = 10


@dataclass
class RecordingServer:
    url: str = ""
    window: int = 0
    respond: Callable[[dict[str, Any]], Answer] = lambda _: Answer()
    requests: list[Recorded] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def messages(self) -> list[Recorded]:
        return [request for request in self.requests if request.method == "POST"]

    def stream(self, body: dict[str, Any]) -> bytes:
        answer, number = self.respond(body), next(self.numbers)
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta: dict[str, Any] = {"type": "text_delta", "text": answer.text}
        if answer.command:
            block = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {}}
            given = json.dumps({"command": answer.command, "description": "a step"})
            delta = {"type": "input_json_delta", "partial_json": given}
        message = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": body.get("model", "")}
        message |= {"content": [], "stop_reason": None, "stop_sequence": None}
        message["usage"] = {"input_tokens": answer.input_tokens, "output_tokens": 1}
        stop = {"stop_reason": "tool_use" if answer.command else "end_turn", "stop_sequence": None}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 3}},
            {"type": "message_stop"},
        ]
        return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


@contextmanager
def recording_server() -> Generator[RecordingServer]:
    record = RecordingServer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def keep(self, body: dict[str, Any]) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            record.requests.append(Recorded(self.command, self.path, headers, body))

        def give(self, content: bytes, kind: str = "application/json") -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(content)

        def do_HEAD(self) -> None:
            self.keep({})
            self.give(b"")

        def do_GET(self) -> None:
            self.keep({})
            model = {"id": "served", "object": "model", "max_model_len": record.window}
            self.give(json.dumps({"object": "list", "data": [model]}).encode())

        def do_CONNECT(self) -> None:
            self.keep({})
            self.send_error(403)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.keep(body)
            self.give(record.stream(body), "text/event-stream")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    record.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
